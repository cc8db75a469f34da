package graph

// Copy computes Y = X, or Y += X if Accumulate is set.
type Copy struct {
	at
	X, Y       View
	Accumulate bool
}

// Kind implements Step.
func (*Copy) Kind() string { return "copy" }

// Views implements Step.
func (s *Copy) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, writeOrUpdate(s.Accumulate)) }
