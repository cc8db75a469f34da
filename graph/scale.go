package graph

import "fmt"

// Scale is y = Factor·x: the residual scale of Inception-ResNet. Where a sum is its only reader, it
// is fused into the sum.
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
	if c.absorbed(n) {
		return
	}
	c.emit(&ScaleStep{at{n.name}, o.Factor, c.view(c.in(n, 0)), c.view(n), false})
}

func (o Scale) backward(c *compiler, n *Node) {
	if c.absorbed(n) {
		return
	}
	if dx, acc, want := c.targetInPlace(n, c.in(n, 0)); want {
		c.emit(&ScaleStep{at{n.name}, o.Factor, c.grad(n), dx, acc})
	}
}

func (Scale) inPlace(*compiler, *Node) int { return 0 }

// Scale adds a node that multiplies by a constant.
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
