package graph

// LossHead is one head of the loss step.
type LossHead struct {
	Name      string
	Index     int // in Plan.Losses: which of the feed's weights applies
	Smoothing float64
	Logits    View
	DLogits   View // training only
	// Teacher is the main head's logits where the head learns from them (Loss.Distill), and what is to be done with them.
	Teacher              View
	Distill, Temperature float64
}

// SoftmaxCrossEntropy computes every head in one step: the mean loss over the rows whose label is not IgnoreLabel, the hits
// (label among the 1 and the 5 largest logits, ties to the lower class), and in training
//
//	dlogits = weight·scale/rows · (softmax(logits) - target),  target = (1-ε)·onehot + ε/classes
//
// and for a head with a teacher the mixture that Loss.Distill defines: loss and gradient with p = softmax(logits/T) and q = softmax(teacher/T)
//
//	(1-λ)·loss + λ·T²·Σ q·log(q/p),  dlogits = weight·scale/rows · ((1-λ)·(softmax(logits) - target) + λ·T·(p - q))
//
// The weights are scalars of the feed, so a schedule changes them without a new plan.
type SoftmaxCrossEntropy struct {
	at
	Heads  []LossHead
	Labels View // Int32, (N)
}

// Kind implements Step.
func (*SoftmaxCrossEntropy) Kind() string { return "softmax_cross_entropy" }

// Views implements Step.
func (s *SoftmaxCrossEntropy) Views(f func(View, Access)) {
	f(s.Labels, Read)
	for _, h := range s.Heads {
		f(h.Logits, Read)
		if h.DLogits.Valid() {
			f(h.DLogits, Write)
		}
		if h.Teacher.Valid() {
			f(h.Teacher, Read)
		}
	}
}

// Every sweep's step writes metrics.
func (*SoftmaxCrossEntropy) inOrderWith(s Step) bool {
	_, ok := s.(*SoftmaxCrossEntropy)
	return ok
}

// FLOPs implements Step.
func (s *SoftmaxCrossEntropy) FLOPs() int64 {
	var n int64
	for _, h := range s.Heads {
		n += 5 * int64(h.Logits.Elements())
	}
	return n
}
