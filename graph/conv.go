package graph

import (
	"fmt"
	"slices"
)

// Conv is a two-dimensional convolution (cross-correlation, as everywhere in the field) without
// bias, groups = 1:
//
//	y[n,p,q,k] = Σ_{r,s,c} w[k,r,s,c] · x[n, p·stride+r-top, q·stride+s-left, c]
type Conv struct {
	Filters int
	Window
	Init Init
}

// Kind implements Op.
func (Conv) Kind() string { return "conv" }

func (o Conv) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.Filters < 1 {
		return nil, Shape{}, fmt.Errorf("%d filters", o.Filters)
	}
	if o.Ceil {
		return nil, Shape{}, fmt.Errorf("ceil mode is for pooling")
	}
	w, p, q, err := o.Window.resolve(in[0])
	if err != nil {
		return nil, Shape{}, err
	}
	o.Window = w
	if o.Init == nil {
		o.Init = HeNormal()
	}
	return o, Shape{p, q, o.Filters}, nil
}

func (o Conv) params(in []Shape) []*Param {
	return []*Param{weight(o.Init, o.Filters, o.H, o.W, in[0].C)}
}

func (Conv) macs(n *Node) int64              { return int64(n.shape.Pixels()) * int64(n.params[0].Elements()) }
func (Conv) fuse(c *compiler, n *Node)       { c.fuseEpilogue(n) }
func (o Conv) forward(c *compiler, n *Node)  { convForward(c, n, o.Window) }
func (o Conv) backward(c *compiler, n *Node) { convBackward(c, n, o.Window) }

// Conv adds a convolution node. A nil init means HeNormal.
func (g *Graph) Conv(name string, x *Node, filters int, w Window, init Init) *Node {
	return g.Apply(name, Conv{Filters: filters, Window: w, Init: init}, x)
}

// Linear is a fully connected layer without bias over its whole input: y[n,k] = Σ_{h,w,c}
// w[k,h,w,c] · x[n,h,w,c]. It is a convolution whose window is the whole image.
type Linear struct {
	Features int
	Init     Init
}

// Kind implements Op.
func (Linear) Kind() string { return "linear" }

func (o Linear) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.Features < 1 {
		return nil, Shape{}, fmt.Errorf("%d features", o.Features)
	}
	if o.Init == nil {
		o.Init = HeNormal()
	}
	return o, Shape{1, 1, o.Features}, nil
}

func (o Linear) params(in []Shape) []*Param {
	return []*Param{weight(o.Init, o.Features, in[0].H, in[0].W, in[0].C)}
}

func (o Linear) window(c *compiler, n *Node) Window {
	s := c.in(n, 0).shape
	return Window{H: s.H, W: s.W, StrideH: 1, StrideW: 1}
}

func (Linear) macs(n *Node) int64              { return int64(n.params[0].Elements()) }
func (Linear) fuse(c *compiler, n *Node)       { c.fuseEpilogue(n) }
func (o Linear) forward(c *compiler, n *Node)  { convForward(c, n, o.window(c, n)) }
func (o Linear) backward(c *compiler, n *Node) { convBackward(c, n, o.window(c, n)) }

// Linear adds a fully connected layer. A nil init means HeNormal.
func (g *Graph) Linear(name string, x *Node, features int, init Init) *Node {
	return g.Apply(name, Linear{Features: features, Init: init}, x)
}

// ConvSegment is one of the sibling convolutions that a step computes together. They read the same
// input through the same window; each has its own filters and output.
type ConvSegment struct {
	Node   string
	Weight *Param
	Y      View // forward: the output; backward: the output's gradient
	// The forward epilogue, applied in this order; each part may be absent.
	Sums         View   // Double, 2K: Σ y and Σ y² over all pixels, before the rest of the epilogue, for batch normalisation
	Scale, Shift View   // Float, K each: y·scale + shift for a folded batch normalisation
	Bias         *Param // y + bias
	ReLU         bool
	// BiasGradient: the step of a filter's gradient also computes this bias's gradient, the sum of
	// Y over pixels. nil: none.
	BiasGradient *Param
}

// ConvGeometry is the geometry of a convolution step, fully resolved: strides are at least 1, and
// SAME is turned into padding.
type ConvGeometry struct {
	N   int
	In  Shape
	Out Shape // C is the sum over the segments
	Win Window
}

func (g ConvGeometry) macs() int64 {
	return int64(g.N) * int64(g.Out.Elements()) * int64(g.Win.H*g.Win.W*g.In.C)
}

// ConvForward computes every segment's output from X.
type ConvForward struct {
	at
	ConvGeometry
	X        View
	Segments []ConvSegment
}

// Kind implements Step.
func (*ConvForward) Kind() string { return "conv.forward" }

// Views implements Step.
func (s *ConvForward) Views(f func(View, Access)) {
	f(s.X, Read)
	for _, g := range s.Segments {
		f(g.Y, Write)
		for _, v := range []View{g.Scale, g.Shift} {
			if v.Valid() {
				f(v, Read)
			}
		}
		if g.Sums.Valid() {
			f(g.Sums, Write)
		}
	}
}

func (s *ConvForward) uses() []*Param {
	var p []*Param
	for _, g := range s.Segments {
		p = append(p, g.Weight)
		if g.Bias != nil {
			p = append(p, g.Bias)
		}
	}
	return p
}

// FLOPs implements Step.
func (s *ConvForward) FLOPs() int64 { return 2 * s.macs() }

// ConvBackwardData computes (or, if Accumulate is set, adds) the gradient of the input from all
// segments.
type ConvBackwardData struct {
	at
	ConvGeometry
	Segments   []ConvSegment
	DX         View
	Accumulate bool
}

// Kind implements Step.
func (*ConvBackwardData) Kind() string { return "conv.backward_data" }

// Views implements Step.
func (s *ConvBackwardData) Views(f func(View, Access)) {
	for _, g := range s.Segments {
		f(g.Y, Read)
	}
	f(s.DX, writeOrUpdate(s.Accumulate))
}

func (s *ConvBackwardData) uses() []*Param {
	var p []*Param
	for _, g := range s.Segments {
		p = append(p, g.Weight)
	}
	return p
}

// FLOPs implements Step.
func (s *ConvBackwardData) FLOPs() int64 { return 2 * s.macs() }

// ConvBackwardFilter computes (or adds) the gradients of every segment's filters, and of its bias
// where BiasGradient is set.
type ConvBackwardFilter struct {
	at
	ConvGeometry
	X          View
	Segments   []ConvSegment
	Accumulate bool
}

// Kind implements Step.
func (*ConvBackwardFilter) Kind() string { return "conv.backward_filter" }

// Views implements Step.
func (s *ConvBackwardFilter) Views(f func(View, Access)) {
	f(s.X, Read)
	for _, g := range s.Segments {
		f(g.Y, Read)
	}
}

// Gradients implements Step.
func (s *ConvBackwardFilter) Gradients() []*Param {
	var p []*Param
	for _, g := range s.Segments {
		p = append(p, g.Weight)
		if g.BiasGradient != nil {
			p = append(p, g.BiasGradient)
		}
	}
	return p
}

// FLOPs implements Step.
func (s *ConvBackwardFilter) FLOPs() int64 { return 2 * s.macs() }

// convGeometry returns the geometry of a step and its view of x. Where the window is the whole
// image and x is dense, both are flattened to vectors: the convolution is then a plain matrix
// product.
func convGeometry(w Window, x View, filters int, out Shape) (ConvGeometry, View) {
	out.C = filters
	g := ConvGeometry{N: x.N, In: x.Shape, Out: out, Win: w}
	if w.H == x.Shape.H && w.W == x.Shape.W && w.Pads == (Pads{}) && x.Stride == x.Shape.C && x.Shape.Pixels() > 1 {
		flat := Shape{1, 1, x.Shape.Elements()}
		x.Shape, x.Stride = flat, flat.C
		g.In, g.Win = flat, Window{H: 1, W: 1, StrideH: 1, StrideW: 1}
	}
	return g, x
}

func convForward(c *compiler, n *Node, w Window) {
	group := c.siblings(n)
	if group[0] != n {
		return
	}
	var segs []ConvSegment
	for _, m := range group {
		s := ConvSegment{Node: m.name, Weight: m.params[0], Y: c.view(m)}
		f := c.fusion[m]
		if f.bias != nil {
			s.Bias = f.bias.params[0]
		}
		s.ReLU = f.relu != nil && f.bn == nil
		if f.bn != nil {
			if c.opts.Training {
				s.Sums = c.sums(f.bn)
			} else {
				s.Scale, s.Shift = c.folded(f.bn)
				s.ReLU = f.relu != nil
			}
		}
		segs = append(segs, s)
	}
	g, x := convGeometry(w, c.view(c.in(n, 0)), channels(segs), n.shape)
	c.emit(&ConvForward{at{n.name}, g, x, segs})
}

func convBackward(c *compiler, n *Node, w Window) {
	group := slices.DeleteFunc(slices.Clone(c.siblings(n)), func(m *Node) bool { return !c.swept(m) })
	if group[0] != n {
		return // the whole group's gradients are ready when the sweep reaches its first node
	}
	in := c.in(n, 0)
	var data []ConvSegment
	var filter [2][]ConvSegment // segments whose filter gradient the plan writes for the first time, and segments whose filter gradient an earlier sweep has written
	for _, m := range group {
		s := ConvSegment{Node: m.name, Weight: m.params[0], Y: c.grad(m)}
		data = append(data, s)
		if !s.Weight.Trainable {
			continue
		}
		if b := c.fusion[m].bias; b != nil && b.params[0].Trainable {
			s.BiasGradient = b.params[0]
		}
		k := 0
		if c.done[s.Weight] {
			k = 1
		}
		filter[k] = append(filter[k], s)
	}
	for _, segments := range filter {
		if len(segments) > 0 {
			g, x := convGeometry(w, c.view(in), channels(segments), n.shape)
			step := &ConvBackwardFilter{at{segments[0].Node}, g, x, segments, false}
			step.Accumulate = c.accumulates(step.Gradients()...)
			c.emit(step)
		}
	}
	if dx, acc, want := c.target(in); want {
		g, dx := convGeometry(w, dx, channels(data), n.shape)
		c.emit(&ConvBackwardData{at{n.name}, g, data, dx, acc})
	}
}

// channels returns the number of channels that the outputs of sibling convolutions have together.
func channels(segments []ConvSegment) int {
	n := 0
	for _, s := range segments {
		n += s.Y.Shape.C
	}
	return n
}

// fuseEpilogue merges the bias, batch normalisation and ReLU that follow a convolution into its
// step.
func (c *compiler) fuseEpilogue(n *Node) {
	var u fusion
	cur := n
	if m := c.sole(cur); m != nil && c.opts.Fusions.Epilogue {
		if _, ok := m.op.(AddBias); ok {
			u.bias = m
			c.absorb(cur, m)
			cur = m
		}
	}
	if m := c.sole(cur); m != nil && u.bias == nil {
		if _, ok := m.op.(BatchNorm); ok {
			switch {
			case c.opts.Training && c.opts.Fusions.Sums:
				u.bn = m
				v := c.fusion[m]
				v.sums = true
				c.fusion[m] = v
			case !c.opts.Training && c.opts.Fusions.Epilogue:
				u.bn = m
				c.absorb(cur, m)
				cur = m
			}
		}
	}
	if r := c.reluAfter(cur); r != nil && c.opts.Fusions.Epilogue && (u.bn == nil || !c.opts.Training) {
		u.relu = r
		c.absorb(cur, r)
	}
	c.fusion[n] = u
}

// groupSiblings groups 1×1 convolutions that read the same input through the same window.
func (c *compiler) groupSiblings() {
	c.groups = map[*Node][]*Node{}
	type key struct {
		in  *Node
		win Window
	}
	found := map[key][]*Node{}
	for _, n := range c.order {
		if o, ok := n.op.(Conv); ok && n != c.source && o.H == 1 && o.W == 1 && c.opts.Fusions.Siblings {
			k := key{c.in(n, 0), o.Window}
			found[k] = append(found[k], n)
		}
	}
	for _, group := range found {
		for _, n := range group {
			c.groups[n] = group
		}
	}
}

// siblings returns the group of a convolution, in order. The first member's step computes the whole
// group.
func (c *compiler) siblings(n *Node) []*Node {
	if g := c.groups[n]; g != nil {
		return g
	}
	return []*Node{n}
}
