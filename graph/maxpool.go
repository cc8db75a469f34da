package graph

import "fmt"

// MaxPool takes the maximum of each window. Padding is never the maximum. The gradient goes to the
// first maximum in row-major order of the window (as in PyTorch on the CPU and in cuDNN's
// deterministic mode).
type MaxPool struct{ Window }

// Kind implements Op.
func (MaxPool) Kind() string { return "maxpool" }

func (o MaxPool) infer(in []Shape) (Op, Shape, error) {
	w, s, err := inferPool(o.Window, in)
	if err == nil && w.H*w.W > 256 {
		err = fmt.Errorf("window %s has more than 256 taps", w)
	}
	return MaxPool{w}, s, err
}

func (MaxPool) params([]Shape) []*Param { return nil }

func (o MaxPool) forward(c *compiler, n *Node) {
	s := &MaxPoolForward{at: at{n.name}, Window: o.Window, X: c.view(c.in(n, 0)), Y: c.view(n)}
	if c.opts.Training {
		s.Index = c.saved(n, "index", Byte, n.shape)
	}
	c.emit(s)
}

func (o MaxPool) backward(c *compiler, n *Node) {
	if dx, acc, want := c.target(c.in(n, 0)); want {
		c.emit(&MaxPoolBackward{at{n.name}, o.Window, c.grad(n), c.saved(n, "index", Byte, n.shape), dx, acc})
	}
}

// MaxPool adds a max pooling node.
func (g *Graph) MaxPool(name string, x *Node, w Window) *Node { return g.Apply(name, MaxPool{w}, x) }

// MaxPoolForward computes Y. In training it also computes Index, the row-major index in the window
// of the maximum.
type MaxPoolForward struct {
	at
	Window
	X, Y  View
	Index View // Byte; training only
}

// Kind implements Step.
func (*MaxPoolForward) Kind() string { return "maxpool.forward" }

// Views implements Step.
func (s *MaxPoolForward) Views(f func(View, Access)) {
	f(s.X, Read)
	f(s.Y, Write)
	if s.Index.Valid() {
		f(s.Index, Write)
	}
}

// FLOPs implements Step.
func (s *MaxPoolForward) FLOPs() int64 { return int64(s.Y.Elements()) * int64(s.H*s.W) }

// MaxPoolBackward computes (or adds) DX: each pixel of DY goes to the pixel that was the maximum.
type MaxPoolBackward struct {
	at
	Window
	DY, Index, DX View
	Accumulate    bool
}

// Kind implements Step.
func (*MaxPoolBackward) Kind() string { return "maxpool.backward" }

// Views implements Step.
func (s *MaxPoolBackward) Views(f func(View, Access)) {
	f(s.DY, Read)
	f(s.Index, Read)
	f(s.DX, writeOrUpdate(s.Accumulate))
}

// FLOPs implements Step.
func (s *MaxPoolBackward) FLOPs() int64 { return int64(s.DY.Elements()) }
