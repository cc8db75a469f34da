package graph

import (
	"fmt"
	"slices"
)

// Add is the elementwise sum of its inputs. Its step also applies the factors of its inputs and a
// ReLU of the sum.
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

// fuse merges the Scale nodes among the inputs and a ReLU that follows into the step of the sum.
func (Add) fuse(c *compiler, n *Node) {
	if !c.opts.Fusions.Residual {
		return
	}
	for _, x := range c.ins[n] {
		if _, ok := x.op.(Scale); ok && x != c.source && c.sole(x) == n {
			c.merged[x] = true
		}
	}
	if r := c.reluAfter(n); r != nil {
		c.fusion[n] = fusion{relu: r}
		c.absorb(n, r)
	}
}

func (o Add) forward(c *compiler, n *Node) {
	s := &AddForward{at: at{n.name}, Y: c.view(n), ReLU: c.fusion[n].relu != nil}
	for i := range n.in {
		x, factor := c.addend(n, i)
		s.Xs = append(s.Xs, Addend{c.view(x), factor})
	}
	c.emit(s)
}

// addend returns the i-th input of a sum and its factor. Where the input is a Scale that the sum's
// step absorbs, it returns the Scale's input and factor; otherwise the factor is 1.
func (c *compiler) addend(n *Node, i int) (x *Node, factor float64) {
	x = c.in(n, i)
	if c.absorbedFactor(x) {
		return c.in(x, 0), x.op.(Scale).Factor
	}
	return x, 1
}

// absorbedFactor reports whether a node is a Scale that a sum's step absorbs.
func (c *compiler) absorbedFactor(n *Node) bool {
	_, ok := n.op.(Scale)
	return ok && c.absorbed(n)
}

// takesOver reports whether x's gradient may share the buffer of its sum's gradient: x has no other
// reader in the sweep, has no loss, and something that it depends on is trained. For an absorbed
// Scale the same must hold for its input.
func (c *compiler) takesOver(x *Node) bool {
	if c.soleSwept(x) == nil || c.isLogits(x) || !c.needs[x] {
		return false
	}
	return !c.absorbedFactor(x) || c.takesOver(c.in(x, 0))
}

// backward gives every input dy times its factor. The first input for which takesOver holds shares
// dy's buffer.
func (o Add) backward(c *compiler, n *Node) {
	s := &AddBackward{at: at{n.name}, DY: c.grad(n)}
	if c.fusion[n].relu != nil {
		s.Y = c.view(n)
	}
	for i := range n.in {
		x, factor := c.addend(n, i)
		t := AddTarget{Factor: factor}
		want := c.swept(x)
		if in := c.in(n, i); want && c.gradHost(in) == n && (in == x || c.gradHost(x) == in) {
			t.DX, want = s.DY, factor != 1 || s.Y.Valid()
		} else {
			t.DX, t.Accumulate, want = c.target(x)
		}
		if want {
			s.Targets = append(s.Targets, t)
		}
	}
	if len(s.Targets) > 0 {
		c.emit(s)
	}
}

// inPlace returns the first input whose gradient may share the buffer of the sum's gradient.
func (Add) inPlace(c *compiler, n *Node) int { return slices.IndexFunc(c.ins[n], c.takesOver) }

func (Add) masks() {}

// Add adds a node that sums its inputs elementwise.
func (g *Graph) Add(name string, xs ...*Node) *Node { return g.Apply(name, Add{}, xs...) }

// Addend is an input of a sum, with its factor.
type Addend struct {
	X      View
	Factor float64
}

// AddForward computes Y = Σ Factor·X, and Y = max(Y, 0) if ReLU: the end of a residual block.
type AddForward struct {
	at
	Xs   []Addend
	Y    View
	ReLU bool
}

// Kind implements Step.
func (*AddForward) Kind() string { return "add.forward" }

// Views implements Step.
func (s *AddForward) Views(f func(View, Access)) {
	for _, x := range s.Xs {
		f(x.X, Read)
	}
	f(s.Y, Write)
}

// FLOPs implements Step.
func (s *AddForward) FLOPs() int64 { return int64(len(s.Xs)-1) * int64(s.Y.Elements()) }

// AddTarget is where the gradient of one input of a sum goes.
type AddTarget struct {
	DX         View
	Factor     float64
	Accumulate bool
}

// AddBackward computes (or adds) DX = Factor·g for every target. g is DY; if Y is valid, g is DY
// where Y > 0 and 0 elsewhere. One DX may be DY. Two targets may have the same DX: the second
// accumulates.
type AddBackward struct {
	at
	Y, DY   View
	Targets []AddTarget
}

// Kind implements Step.
func (*AddBackward) Kind() string { return "add.backward" }

// Views implements Step.
func (s *AddBackward) Views(f func(View, Access)) {
	if s.Y.Valid() {
		f(s.Y, Read)
	}
	f(s.DY, Read)
	for _, t := range s.Targets {
		f(t.DX, writeOrUpdate(t.Accumulate))
	}
}

// FLOPs implements Step.
func (s *AddBackward) FLOPs() int64 { return int64(len(s.Targets)) * int64(s.DY.Elements()) }
