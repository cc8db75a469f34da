package graph

// Normalization turns uint8 pixels into floats: (v/255 - Mean[c]) / Std[c].
type Normalization struct {
	Mean, Std []float32
}

// NormalizeStep computes Y = (X/255 - Mean) / Std for every channel. The Y.Zeros channels behind
// them become zeros.
type NormalizeStep struct {
	at
	Normalization
	X, Y View
}

// Kind implements Step.
func (*NormalizeStep) Kind() string { return "normalize" }

// Views implements Step.
func (s *NormalizeStep) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }

// FLOPs implements Step.
func (s *NormalizeStep) FLOPs() int64 { return 2 * int64(s.Y.Elements()) }
