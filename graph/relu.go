package graph

import "fmt"

// ReLU is y = max(x, 0); NaN stays NaN. After a convolution, bias, batch normalisation or sum it is
// fused into that step.
type ReLU struct{}

// Kind implements Op.
func (ReLU) Kind() string { return "relu" }

func (o ReLU) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	return o, in[0], nil
}

func (ReLU) params([]Shape) []*Param { return nil }

func (ReLU) forward(c *compiler, n *Node) {
	if !c.absorbed(n) {
		c.emit(&ReLUForward{at{n.name}, c.view(c.in(n, 0)), c.view(n)})
	}
}

// backward: dx = dy where y > 0, else 0. Where the step of a batch normalisation or a sum computes
// the ReLU, its gradient step applies the mask.
func (ReLU) backward(c *compiler, n *Node) {
	in := c.in(n, 0)
	if _, ok := in.op.(masker); ok && c.absorbed(n) {
		c.passThrough(n)
		return
	}
	if dx, acc, want := c.targetInPlace(n, in); want {
		c.emit(&ReLUBackward{at{n.name}, c.view(n), c.grad(n), dx, acc})
	}
}

func (ReLU) inPlace(*compiler, *Node) int { return 0 }

// ReLU adds a rectifier node.
func (g *Graph) ReLU(name string, x *Node) *Node { return g.Apply(name, ReLU{}, x) }

// ReLUForward computes Y = max(X, 0).
type ReLUForward struct {
	at
	X, Y View
}

// Kind implements Step.
func (*ReLUForward) Kind() string { return "relu.forward" }

// Views implements Step.
func (s *ReLUForward) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }

// FLOPs implements Step.
func (s *ReLUForward) FLOPs() int64 { return int64(s.Y.Elements()) }

// ReLUBackward computes (or adds) DX = DY where Y > 0, else 0. DX may be DY.
type ReLUBackward struct {
	at
	Y, DY, DX  View
	Accumulate bool
}

// Kind implements Step.
func (*ReLUBackward) Kind() string { return "relu.backward" }

// Views implements Step.
func (s *ReLUBackward) Views(f func(View, Access)) {
	f(s.Y, Read)
	f(s.DY, Read)
	f(s.DX, writeOrUpdate(s.Accumulate))
}

// FLOPs implements Step.
func (s *ReLUBackward) FLOPs() int64 { return int64(s.DY.Elements()) }
