package graph

import "fmt"

// LRN is local response normalisation across channels (Krizhevsky et al. 2012, as in Caffe and
// PyTorch):
//
//	s[c] = K + Alpha/Size · Σ_{|j-c| <= Size/2} x[j]²,  y[c] = x[c] · s[c]^-Beta
type LRN struct {
	Size           int
	Alpha, Beta, K float64
}

// Kind implements Op.
func (LRN) Kind() string { return "lrn" }

func (o LRN) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.Size < 1 || o.Size%2 == 0 || o.K <= 0 {
		return nil, Shape{}, fmt.Errorf("size %d must be odd and k %v above 0", o.Size, o.K)
	}
	return o, in[0], nil
}

func (LRN) params([]Shape) []*Param { return nil }

func (o LRN) forward(c *compiler, n *Node) {
	s := &LRNForward{at: at{n.name}, LRN: o, X: c.view(c.in(n, 0)), Y: c.view(n)}
	if c.opts.Training {
		s.Base = c.saved(n, "base", c.activation(), n.shape)
	}
	c.emit(s)
}

// backward: dx[c] = s[c]^-Beta·dy[c] - 2·Alpha·Beta/Size · x[c] · Σ_{|j-c| <= Size/2}
// dy[j]·y[j]/s[j].
func (o LRN) backward(c *compiler, n *Node) {
	in := c.in(n, 0)
	if dx, acc, want := c.target(in); want {
		c.emit(&LRNBackward{at{n.name}, o, c.view(in), c.view(n), c.saved(n, "base", c.activation(), n.shape), c.grad(n), dx, acc})
	}
}

// LRN adds a local response normalisation node.
func (g *Graph) LRN(name string, x *Node, size int, alpha, beta, k float64) *Node {
	return g.Apply(name, LRN{size, alpha, beta, k}, x)
}

// LRNForward computes Y. In training it also saves the base s.
type LRNForward struct {
	at
	LRN
	X, Y View
	Base View // dense; training only
}

// Kind implements Step.
func (*LRNForward) Kind() string { return "lrn.forward" }

// Views implements Step.
func (s *LRNForward) Views(f func(View, Access)) {
	f(s.X, Read)
	f(s.Y, Write)
	if s.Base.Valid() {
		f(s.Base, Write)
	}
}

// FLOPs implements Step.
func (s *LRNForward) FLOPs() int64 { return int64(s.Y.Elements()) * int64(s.Size+4) }

// LRNBackward computes (or adds) DX, the gradient of the input.
type LRNBackward struct {
	at
	LRN
	X, Y, Base, DY, DX View
	Accumulate         bool
}

// Kind implements Step.
func (*LRNBackward) Kind() string { return "lrn.backward" }

// Views implements Step.
func (s *LRNBackward) Views(f func(View, Access)) {
	for _, v := range []View{s.X, s.Y, s.Base, s.DY} {
		f(v, Read)
	}
	f(s.DX, writeOrUpdate(s.Accumulate))
}

// FLOPs implements Step.
func (s *LRNBackward) FLOPs() int64 { return int64(s.DY.Elements()) * int64(s.Size+6) }
