package graph

// LossHead is one head of the loss step.
type LossHead struct {
	Name      string
	Index     int // index in Plan.Losses, and so in the weights of the feed
	Smoothing float64
	Logits    View
	DLogits   View // training only
	// Teacher is the view of the main head's logits if the head learns from them. Distill and
	// Temperature are those of the Loss.
	Teacher              View
	Distill, Temperature float64
}

// SoftmaxCrossEntropy computes all heads in one step: the mean loss over the rows whose label is
// not IgnoreLabel, the hits (rows whose label is the largest logit, or among the 5 largest; ties go
// to the lower class), and in training
//
//	dlogits = weight·scale/rows · (softmax(logits) - target),  target = (1-ε)·onehot + ε/classes
//
// For a head with a teacher, loss and gradient are the mixture that Loss.Distill defines, with p =
// softmax(logits/T) and q = softmax(teacher/T):
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

// inOrderWith holds for other loss steps: all of them write the metrics.
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
