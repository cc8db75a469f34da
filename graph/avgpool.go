package graph

import "fmt"

// MaxPool takes the maximum of each window; padding never wins. The gradient goes to the first maximum in row-major window
// order (as in PyTorch on the CPU and in cuDNN's deterministic mode).
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

// AvgPool takes the mean of each window. IncludePad counts padding into the divisor (PyTorch's count_include_pad, its
// default and torchvision's Inception); TensorFlow's average pooling leaves it out. What a ceil-mode window hangs over the
// padded image never counts.
type AvgPool struct {
	Window
	IncludePad bool
}

// Kind implements Op.
func (AvgPool) Kind() string { return "avgpool" }

func (o AvgPool) infer(in []Shape) (Op, Shape, error) {
	w, s, err := inferPool(o.Window, in)
	o.Window = w
	return o, s, err
}

func inferPool(w Window, in []Shape) (Window, Shape, error) {
	if len(in) != 1 {
		return w, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	same := w.Same
	w, p, q, err := w.resolve(in[0])
	if err != nil {
		return w, Shape{}, err
	}
	if !same && (w.Top > w.H/2 || w.Bottom > w.H/2 || w.Left > w.W/2 || w.Right > w.W/2) {
		return w, Shape{}, fmt.Errorf("padding of window %s is more than half of it: some windows would see padding only", w)
	}
	return w, Shape{p, q, in[0].C}, nil
}

// AdaptiveAvgPool averages over an H×W grid of bins that cover the image: bin i of n over size s reaches from floor(i·s/n)
// to ceil((i+1)·s/n) (PyTorch's adaptive_avg_pool2d). 1×1 is global average pooling.
type AdaptiveAvgPool struct{ H, W int }

// Kind implements Op.
func (AdaptiveAvgPool) Kind() string { return "adaptive_avgpool" }

func (o AdaptiveAvgPool) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.H < 1 || o.W < 1 {
		return nil, Shape{}, fmt.Errorf("%dx%d bins", o.H, o.W)
	}
	return o, Shape{o.H, o.W, in[0].C}, nil
}

func (MaxPool) params([]Shape) []*Param         { return nil }
func (AvgPool) params([]Shape) []*Param         { return nil }
func (AdaptiveAvgPool) params([]Shape) []*Param { return nil }

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

func (o AvgPool) forward(c *compiler, n *Node) {
	c.emit(&AvgPoolForward{at{n.name}, o, c.view(c.in(n, 0)), c.view(n)})
}

func (o AvgPool) backward(c *compiler, n *Node) {
	if dx, acc, want := c.target(c.in(n, 0)); want {
		c.emit(&AvgPoolBackward{at{n.name}, o, c.grad(n), dx, acc})
	}
}

func (o AdaptiveAvgPool) forward(c *compiler, n *Node) {
	c.emit(&AdaptiveAvgPoolForward{at{n.name}, c.view(c.in(n, 0)), c.view(n)})
}

func (o AdaptiveAvgPool) backward(c *compiler, n *Node) {
	if dx, acc, want := c.target(c.in(n, 0)); want {
		c.emit(&AdaptiveAvgPoolBackward{at{n.name}, c.grad(n), dx, acc})
	}
}

// MaxPool adds a max pooling.
func (g *Graph) MaxPool(name string, x *Node, w Window) *Node { return g.Apply(name, MaxPool{w}, x) }

// AvgPool adds an average pooling.
func (g *Graph) AvgPool(name string, x *Node, w Window, includePad bool) *Node {
	return g.Apply(name, AvgPool{w, includePad}, x)
}

// AdaptiveAvgPool adds an adaptive average pooling to h×w.
func (g *Graph) AdaptiveAvgPool(name string, x *Node, h, w int) *Node {
	return g.Apply(name, AdaptiveAvgPool{h, w}, x)
}

// GlobalAvgPool adds an average over all pixels.
func (g *Graph) GlobalAvgPool(name string, x *Node) *Node { return g.AdaptiveAvgPool(name, x, 1, 1) }

// MaxPoolForward computes Y, and in training Index: which tap of the window won, row-major.
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

// MaxPoolBackward computes (or adds) DX: each pixel of DY goes to the tap that won.
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

// AvgPoolForward computes Y.
type AvgPoolForward struct {
	at
	AvgPool
	X, Y View
}

// Kind implements Step.
func (*AvgPoolForward) Kind() string { return "avgpool.forward" }

// Views implements Step.
func (s *AvgPoolForward) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }

// FLOPs implements Step.
func (s *AvgPoolForward) FLOPs() int64 { return int64(s.Y.Elements()) * int64(s.H*s.W) }

// AvgPoolBackward computes (or adds) DX.
type AvgPoolBackward struct {
	at
	AvgPool
	DY, DX     View
	Accumulate bool
}

// Kind implements Step.
func (*AvgPoolBackward) Kind() string { return "avgpool.backward" }

// Views implements Step.
func (s *AvgPoolBackward) Views(f func(View, Access)) {
	f(s.DY, Read)
	f(s.DX, writeOrUpdate(s.Accumulate))
}

// FLOPs implements Step.
func (s *AvgPoolBackward) FLOPs() int64 { return int64(s.DY.Elements()) * int64(s.H*s.W) }

// AdaptiveAvgPoolForward computes Y; the bins follow from the shapes of X and Y.
type AdaptiveAvgPoolForward struct {
	at
	X, Y View
}

// Kind implements Step.
func (*AdaptiveAvgPoolForward) Kind() string { return "adaptive_avgpool.forward" }

// Views implements Step.
func (s *AdaptiveAvgPoolForward) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }

// FLOPs implements Step.
func (s *AdaptiveAvgPoolForward) FLOPs() int64 { return int64(s.X.Elements()) }

// AdaptiveAvgPoolBackward computes (or adds) DX.
type AdaptiveAvgPoolBackward struct {
	at
	DY, DX     View
	Accumulate bool
}

// Kind implements Step.
func (*AdaptiveAvgPoolBackward) Kind() string { return "adaptive_avgpool.backward" }

// Views implements Step.
func (s *AdaptiveAvgPoolBackward) Views(f func(View, Access)) {
	f(s.DY, Read)
	f(s.DX, writeOrUpdate(s.Accumulate))
}

// FLOPs implements Step.
func (s *AdaptiveAvgPoolBackward) FLOPs() int64 { return int64(s.DX.Elements()) }
