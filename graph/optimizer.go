package graph

import "fmt"

// Rule is the update rule of an optimizer. In the formulas g is the gradient after clipping, w is
// the weight, and lr is the learning rate times the parameter's LRScale.
type Rule string

// The update rules.
const (
	// SGD is PyTorch's: g += decay·w; buf = Momentum·buf + g (buf = g in the first step); with
	// Nesterov g += Momentum·buf, otherwise g = buf; w -= lr·g.
	SGD Rule = "sgd"
	// RMSProp is PyTorch's: g += decay·w; sq = Alpha·sq + (1-Alpha)·g²; buf = Momentum·buf +
	// g/(sqrt(sq)+Eps); w -= lr·buf.
	RMSProp Rule = "rmsprop"
	// RMSPropTF is TensorFlow's, which trained the networks of the Inception papers: sq starts at
	// one and Eps is inside the root: g += decay·w; sq = Alpha·sq + (1-Alpha)·g²; buf =
	// Momentum·buf + lr·g/sqrt(sq+Eps); w -= buf.
	RMSPropTF Rule = "rmsprop_tf"
	// AdamW is Loshchilov and Hutter's (2019), PyTorch's: w -= lr·decay·w; m = Beta1·m +
	// (1-Beta1)·g; v = Beta2·v + (1-Beta2)·g²; w -= lr·(m/(1-Beta1^t))/(sqrt(v/(1-Beta2^t))+Eps).
	AdamW Rule = "adamw"
)

// Rules lists all update rules.
var Rules = []Rule{SGD, RMSProp, RMSPropTF, AdamW}

// Optimizer has the settings of the update that do not change from step to step. The learning rate
// is in the Feed.
type Optimizer struct {
	Rule         Rule
	Momentum     float64
	Nesterov     bool
	Alpha        float64 // RMSProp: decay of the squared gradient
	Beta1, Beta2 float64 // AdamW
	Eps          float64
	WeightDecay  float64
	DecayAll     bool    // decay biases and batch normalisation too; off: only the weights of convolutions and linear layers
	ClipNorm     float64 // largest global L2 norm of the gradient; 0 means no clipping
	EMA          bool    // keep an exponential moving average of parameters and running statistics
}

// Check returns an error for the first setting that is not possible.
func (o Optimizer) Check() error {
	switch o.Rule {
	case SGD, RMSProp, RMSPropTF, AdamW:
	default:
		names := make([]string, len(Rules))
		for i, r := range Rules {
			names[i] = string(r)
		}
		return &UnknownError{What: "optimizer", Name: string(o.Rule), Nearest: Nearest(string(o.Rule), names, 3)}
	}
	for _, c := range []struct {
		name  string
		v     float64
		below float64
	}{{"momentum", o.Momentum, 1}, {"alpha", o.Alpha, 1}, {"beta1", o.Beta1, 1}, {"beta2", o.Beta2, 1}} {
		if !(c.v >= 0 && c.v < c.below) {
			return fmt.Errorf("optimizer %s: %s %v is not in [0,%v)", o.Rule, c.name, c.v, c.below)
		}
	}
	if !(o.Eps >= 0) || !(o.WeightDecay >= 0) || !(o.ClipNorm >= 0) {
		return fmt.Errorf("optimizer %s: eps %v, weight decay %v and clip norm %v must not be negative", o.Rule, o.Eps, o.WeightDecay, o.ClipNorm)
	}
	if o.Rule != SGD && o.Eps == 0 {
		return fmt.Errorf("optimizer %s: eps must be above 0", o.Rule)
	}
	if o.Nesterov && (o.Rule != SGD || o.Momentum == 0) {
		return fmt.Errorf("optimizer %s: Nesterov momentum is SGD's, with a momentum above 0", o.Rule)
	}
	return nil
}

// Slots returns the number of state tensors that the rule keeps for each parameter.
func (o Optimizer) Slots() int {
	if o.Rule == SGD {
		return 1
	}
	return 2
}

// SlotInit returns the initial value of a slot: one for slot 0 of RMSPropTF, zero for all others.
// Slot 0 is the momentum buffer of SGD, the average of squares of both RMSProps, and the first
// moment of AdamW. Slot 1 is the momentum buffer of both RMSProps and the second moment of AdamW.
func (o Optimizer) SlotInit(slot int) float64 {
	if o.Rule == RMSPropTF && slot == 0 {
		return 1
	}
	return 0
}

// Decay returns the weight decay of a parameter.
func (o Optimizer) Decay(p *Param) float64 {
	if p.Role != Weight && !o.DecayAll {
		return 0
	}
	return o.WeightDecay
}

// UpdateStep applies the optimizer to all trainable parameters at once: global norm, clipping,
// decay, update and moving average. If the norm of the gradient is not finite, the step updates
// nothing.
type UpdateStep struct {
	at
	Optimizer
	Params []*Param // in the layout's order
	Copies []*Param // only averaged: running statistics, and parameters that the plan does not train
	BF16   bool     // also keep a bfloat16 copy of the values, for convolutions
}

// Kind implements Step.
func (*UpdateStep) Kind() string { return "update" }

// Views implements Step.
func (*UpdateStep) Views(func(View, Access)) {}

// inOrderWith holds for all steps: the update writes parameters, which many steps read.
func (*UpdateStep) inOrderWith(Step) bool { return true }

// bytes counts the gradient twice, because its norm must be known before the first value changes.
func (s *UpdateStep) bytes() int64 {
	var trained, copied int64
	for _, p := range s.Params {
		trained += int64(p.Elements())
	}
	for _, p := range s.Copies {
		copied += int64(p.Elements())
	}
	const read, update = 4, 8
	b := trained * int64(2*read+update+update*s.Slots())
	if s.EMA {
		b += trained*update + copied*(read+update)
	}
	if s.BF16 {
		b += trained * int64(BFloat16.Size())
	}
	return b
}

// FLOPs implements Step.
func (s *UpdateStep) FLOPs() int64 {
	var n int64
	for _, p := range s.Params {
		n += 6 * int64(p.Elements())
	}
	return n
}
