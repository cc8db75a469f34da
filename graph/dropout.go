package graph

import "fmt"

// Dropout sets each element to zero with probability P in training and divides the others by 1-P
// (Srivastava et al. 2014, in PyTorch's inverted form). An evaluation plan leaves it out; it copies
// where the output is logits, kept or measured. No mask is stored: the backward step draws the same
// numbers again.
type Dropout struct{ P float64 }

// Kind implements Op.
func (Dropout) Kind() string { return "dropout" }

func (o Dropout) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.P < 0 || o.P >= 1 {
		return nil, Shape{}, fmt.Errorf("probability %v is not in [0,1)", o.P)
	}
	return o, in[0], nil
}

func (Dropout) params([]Shape) []*Param { return nil }

// idle reports whether a dropout does nothing in this plan.
func (c *compiler) idle(o Dropout) bool { return !c.opts.Training || c.opts.NoDropout || o.P == 0 }

// skipDropout returns the node itself, or, for a dropout that does nothing and is not reserved, the
// first other node before it.
func (c *compiler) skipDropout(n *Node) *Node {
	for {
		if o, ok := n.op.(Dropout); !ok || !c.idle(o) || c.reserved[n] {
			return n
		}
		n = n.in[0]
	}
}

func (o Dropout) forward(c *compiler, n *Node) {
	if c.idle(o) {
		c.emit(&Copy{at{n.name}, c.view(c.in(n, 0)), c.view(n), false})
		return
	}
	c.emit(&DropoutStep{at{n.name}, o.P, NodeKey(n.name), c.view(c.in(n, 0)), c.view(n), false})
}

func (o Dropout) backward(c *compiler, n *Node) {
	if c.idle(o) {
		c.passThrough(n)
		return
	}
	if dx, acc, want := c.targetInPlace(n, c.in(n, 0)); want {
		c.emit(&DropoutStep{at{n.name}, o.P, NodeKey(n.name), c.grad(n), dx, acc})
	}
}

func (Dropout) inPlace(*compiler, *Node) int { return 0 }

// Dropout adds a dropout node.
func (g *Graph) Dropout(name string, x *Node, p float64) *Node {
	return g.Apply(name, Dropout{p}, x)
}

// DropoutStep computes (or adds) Y = X·mask/(1-P), forward and backward. Element e = row·C +
// channel is kept when word e%4 of Philox4x32({e/4 low, e/4 high, step low, step high},
// StreamKey(seed, Key)) is at least P·2³². Y may be X.
type DropoutStep struct {
	at
	P          float64
	Key        uint32
	X, Y       View
	Accumulate bool
}

// Kind implements Step.
func (*DropoutStep) Kind() string { return "dropout" }

// Views implements Step.
func (s *DropoutStep) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, writeOrUpdate(s.Accumulate)) }

// FLOPs implements Step.
func (s *DropoutStep) FLOPs() int64 { return int64(s.Y.Elements()) }
