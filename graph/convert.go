package graph

// Convert computes Y = X where the network's input has another element type than the feed, or is
// padded. The Y.Zeros channels behind its own become zeros.
type Convert struct {
	at
	X, Y View
}

// Kind implements Step.
func (*Convert) Kind() string { return "convert" }

// Views implements Step.
func (s *Convert) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }
