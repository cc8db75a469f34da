package graph

import "fmt"

// Add is the elementwise sum of its inputs.
type Add struct{}

// Kind implements Op.
func (Add) Kind() string { return "add" }

func (o Add) infer(in []Shape) (Op, Shape, error) {
	if len(in) < 2 {
		return nil, Shape{}, fmt.Errorf("needs at least two inputs, has %d", len(in))
	}
	for i, s := range in[1:] {
		if s != in[0] {
			return nil, Shape{}, fmt.Errorf("input 0 is %s, input %d is %s: shapes must be equal", in[0], i+1, s)
		}
	}
	return o, in[0], nil
}

func (Add) params([]Shape) []*Param { return nil }

func (o Add) forward(c *compiler, n *Node) {
	s := &AddForward{at: at{n.name}, Y: c.view(n)}
	for i := range n.in {
		s.Xs = append(s.Xs, c.view(c.in(n, i)))
	}
	c.emit(s)
}

// Every input receives dy. The first one that nobody else reads takes over dy's buffer, after the others have their share.
func (o Add) backward(c *compiler, n *Node) {
	for i := range n.in {
		x := c.in(n, i)
		if c.sharesGrad(x, n) {
			continue
		}
		if dx, acc, want := c.target(x); want {
			c.emit(&Copy{at{n.name}, c.grad(n), dx, acc})
		}
	}
}

// Add adds an elementwise sum.
func (g *Graph) Add(name string, xs ...*Node) *Node { return g.Apply(name, Add{}, xs...) }

// AddForward computes Y = Σ Xs.
type AddForward struct {
	at
	Xs []View
	Y  View
}

// Kind implements Step.
func (*AddForward) Kind() string { return "add.forward" }

// Views implements Step.
func (s *AddForward) Views(f func(View, Access)) {
	for _, x := range s.Xs {
		f(x, Read)
	}
	f(s.Y, Write)
}

// FLOPs implements Step.
func (s *AddForward) FLOPs() int64 { return int64(len(s.Xs)-1) * int64(s.Y.Elements()) }

// Scale is y = Factor·x: the residual scale of Inception-ResNet.
type Scale struct{ Factor float64 }

// Kind implements Op.
func (Scale) Kind() string { return "scale" }

func (o Scale) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	return o, in[0], nil
}

func (Scale) params([]Shape) []*Param { return nil }

func (o Scale) forward(c *compiler, n *Node) {
	c.emit(&ScaleStep{at{n.name}, o.Factor, c.view(c.in(n, 0)), c.view(n), false})
}

func (o Scale) backward(c *compiler, n *Node) {
	if dx, acc, want := c.targetInPlace(n, c.in(n, 0)); want {
		c.emit(&ScaleStep{at{n.name}, o.Factor, c.grad(n), dx, acc})
	}
}

// Scale adds a multiplication by a constant.
func (g *Graph) Scale(name string, x *Node, factor float64) *Node {
	return g.Apply(name, Scale{factor}, x)
}

// ScaleStep computes (or adds) Y = Factor·X, forward and backward. Y may be X.
type ScaleStep struct {
	at
	Factor     float64
	X, Y       View
	Accumulate bool
}

// Kind implements Step.
func (*ScaleStep) Kind() string { return "scale" }

// Views implements Step.
func (s *ScaleStep) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, writeOrUpdate(s.Accumulate)) }

// FLOPs implements Step.
func (s *ScaleStep) FLOPs() int64 { return int64(s.Y.Elements()) }
