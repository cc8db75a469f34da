package graph

import "fmt"

// AvgPool takes the mean of each window. IncludePad counts padding in the divisor (PyTorch's
// count_include_pad: the default, and what torchvision's Inception uses); TensorFlow's average
// pooling does not count it. The part of a ceil-mode window beyond the padded image never counts.
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

// AdaptiveAvgPool averages over an H×W grid of bins that cover the image: bin i of n over size s
// reaches from floor(i·s/n) to ceil((i+1)·s/n) (PyTorch's adaptive_avg_pool2d). 1×1 is global
// average pooling.
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

func (AvgPool) params([]Shape) []*Param         { return nil }
func (AdaptiveAvgPool) params([]Shape) []*Param { return nil }

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

// AvgPool adds an average pooling node.
func (g *Graph) AvgPool(name string, x *Node, w Window, includePad bool) *Node {
	return g.Apply(name, AvgPool{w, includePad}, x)
}

// AdaptiveAvgPool adds an adaptive average pooling node with h×w outputs.
func (g *Graph) AdaptiveAvgPool(name string, x *Node, h, w int) *Node {
	return g.Apply(name, AdaptiveAvgPool{h, w}, x)
}

// GlobalAvgPool adds a node that averages over all pixels.
func (g *Graph) GlobalAvgPool(name string, x *Node) *Node { return g.AdaptiveAvgPool(name, x, 1, 1) }

// AvgPoolForward computes Y, the mean of each window of X.
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

// AvgPoolBackward computes (or adds) DX, the gradient of the input.
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

// AdaptiveAvgPoolForward computes Y, the mean of each bin of X. The bins follow from the shapes of
// X and Y.
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

// AdaptiveAvgPoolBackward computes (or adds) DX, the gradient of the input.
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
