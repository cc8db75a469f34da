package graph

import (
	"fmt"
	"slices"
)

// Concat joins channels. It has no step of its own: its inputs write their slice of one buffer, and backward reads slices.
// Only an input that cannot (because another concatenation owns it, or it stands in this one twice) is copied, and the gradient of
// one whose other readers come later: it has parts before the concatenation has its own.
type Concat struct{}

// Kind implements Op.
func (Concat) Kind() string { return "concat" }

func (o Concat) infer(in []Shape) (Op, Shape, error) {
	if len(in) == 0 {
		return nil, Shape{}, fmt.Errorf("needs at least one input")
	}
	out := in[0]
	for i, s := range in[1:] {
		if s.H != out.H || s.W != out.W {
			return nil, Shape{}, fmt.Errorf("input 0 is %s, input %d is %s: height and width must be equal", in[0], i+1, s)
		}
		out.C += s.C
	}
	return o, out, nil
}

func (Concat) params([]Shape) []*Param { return nil }

// The inputs of a concatenation write into its buffer.
func (Concat) fuse(c *compiler, n *Node) {
	for i, x := range c.ins[n] {
		if _, taken := c.sliceOf[x]; !taken && x != c.source && !(c.reserved[x] && c.opts.keeps(x, c.g)) {
			c.sliceOf[x] = concatSlice{n, i}
		}
	}
}

func (o Concat) forward(c *compiler, n *Node) {
	from := 0
	for i := range n.in {
		x := c.in(n, i)
		if c.sliceOf[x] != (concatSlice{n, i}) {
			c.emit(&Copy{at{n.name}, c.view(x), c.view(n).Channels(from, x.shape.C), false})
		}
		from += x.shape.C
	}
}

func (o Concat) backward(c *compiler, n *Node) {
	from := 0
	for i := range n.in {
		x := c.in(n, i)
		if c.sliceOf[x] != (concatSlice{n, i}) || !c.inSlice(x) {
			if dx, acc, want := c.target(x); want {
				c.emit(&Copy{at{n.name}, c.grad(n).Channels(from, x.shape.C), dx, acc})
			}
		}
		from += x.shape.C
	}
}

// Concat adds a concatenation of channels.
func (g *Graph) Concat(name string, xs ...*Node) *Node { return g.Apply(name, Concat{}, xs...) }

// concatSlice says which input of a concatenation a node is: its output is a slice of the concatenation's.
type concatSlice struct {
	concat *Node
	input  int
}

func (c *compiler) channelsBefore(s concatSlice) int {
	from := 0
	for i := range s.input {
		from += c.in(s.concat, i).shape.C
	}
	return from
}

// inSlice says whether the gradient of a node lies in its slice of a concatenation's gradient. It does where the concatenation's part is
// the first that the sweep has for the node; later ones are added to the slice, when the concatenation has no more use for it. An
// earlier part in the slice would be taken for a part of the concatenation's gradient, by what works in place on that and by probes.
func (c *compiler) inSlice(n *Node) bool {
	s, ok := c.sliceOf[n]
	return ok && c.swept(s.concat) && !c.isLogits(n) && !slices.ContainsFunc(c.readers[n], func(r *Node) bool {
		return c.swept(r) && c.position[r] > c.position[s.concat]
	})
}
