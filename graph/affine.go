package graph

// Affine computes Y = X·Scale + Shift + Bias per channel, each part optional, then ReLU if set. It
// stands for a bias or an evaluation's batch normalisation that is not fused into a convolution.
type Affine struct {
	at
	X, Y         View
	Scale, Shift View
	Bias         *Param
	ReLU         bool
}

// Kind implements Step.
func (*Affine) Kind() string { return "affine" }

// Views implements Step.
func (s *Affine) Views(f func(View, Access)) {
	f(s.X, Read)
	if s.Scale.Valid() {
		f(s.Scale, Read)
		f(s.Shift, Read)
	}
	f(s.Y, Write)
}

func (s *Affine) uses() []*Param {
	if s.Bias != nil {
		return []*Param{s.Bias}
	}
	return nil
}

// FLOPs implements Step.
func (s *Affine) FLOPs() int64 { return 2 * int64(s.Y.Elements()) }
