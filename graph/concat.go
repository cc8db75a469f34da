package graph

import (
	"fmt"
	"slices"
)

// Concat joins channels. It has no step of its own: its inputs write their slices of one buffer,
// and the steps of the sweep read slices. Two cases need a copy. An input and its gradient are
// copied if the input cannot be a slice: another concatenation has it as a slice, it occurs twice
// in this one, it is kept, or the plan starts at it. Only the gradient is copied if the input has a
// reader after the concatenation: then the sweep writes that reader's contribution first.
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

// fuse makes the outputs of the inputs slices of the concatenation's buffer.
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

// Concat adds a node that concatenates channels.
func (g *Graph) Concat(name string, xs ...*Node) *Node { return g.Apply(name, Concat{}, xs...) }

// concatSlice names an input of a concatenation. The output of a node with a concatSlice is a slice
// of the concatenation's output.
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

// inSlice reports whether the gradient of a node is a slice of a concatenation's gradient. It is if
// the concatenation gives the first contribution that the sweep has for the node; later
// contributions are added to the slice, after the last use of the concatenation's gradient. An
// earlier contribution in the slice would count as a part of the concatenation's gradient, in steps
// that work in place on it and in probes.
func (c *compiler) inSlice(n *Node) bool {
	s, ok := c.sliceOf[n]
	return ok && c.swept(s.concat) && !c.isLogits(n) && !slices.ContainsFunc(c.readers[n], func(r *Node) bool {
		return c.swept(r) && c.position[r] > c.position[s.concat]
	})
}
