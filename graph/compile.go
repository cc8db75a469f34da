package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Fusions says which fused steps a backend has. A fused step computes the same as the steps that it
// replaces, so every set of fusions gives a correct plan.
type Fusions struct {
	Epilogue bool // bias, ReLU and folded batch normalisation in the epilogue of a convolution
	Sums     bool // the sums of batch normalisation in the epilogue of a convolution
	NormReLU bool // ReLU inside batch normalisation, forward and backward
	Siblings bool // 1×1 convolutions of one input as one step
	Residual bool // in a sum: the factors of its inputs and the ReLU after it
}

// AllFusions has all fusions on.
var AllFusions = Fusions{true, true, true, true, true}

// Options says what a plan computes.
type Options struct {
	Batch    int
	Training bool
	// Losses names the heads that the plan evaluates; nil means all. Nodes that only other heads
	// need are left out. This is how heads are stripped for inference.
	Losses []string
	// From names the node that an evaluation plan starts at; empty means the network's input. The
	// feed's Images are then the node's activations, in the form in which a plan with Keep reads
	// them. Everything that the plan computes must depend on the images through this node alone.
	From string
	// Keep names nodes whose activation can be read after a run, besides the logits.
	Keep []string
	// Probes are measurements that the plan makes during a run (Program.ProbeResults).
	Probes []Probe
	// FreezeStatistics makes a training plan leave the running statistics of batch normalisation
	// unchanged. It is for plans that only measure.
	FreezeStatistics bool
	// Normalize makes the plan take uint8 pixels; nil means that it takes floats.
	Normalize *Normalization
	// Regions, with Normalize, makes a plan take regions of decoded images and recipes instead of
	// finished pixels. It is the largest number of bytes of regions in a batch; 0 means that the
	// plan takes pixels.
	Regions int
	// Optimizer adds the update step; nil: the gradients are the result.
	Optimizer *Optimizer
	// NoDropout leaves dropout out of a training plan.
	NoDropout bool
	Debug     Debug
	Target
}

// Debug has switches for tests and benchmarks. All other code uses the zero value.
type Debug struct {
	// SweepPerLoss runs one reverse sweep per loss, one after another, and adds up the parameter
	// gradients. It is the baseline for the fused sweep.
	SweepPerLoss bool
	// NoReuse gives every buffer its own memory. It is the baseline for the memory plan.
	NoReuse bool
}

type fusion struct {
	bias, bn, relu *Node
	sums           bool // of a batch normalisation: the convolution before it computes its sums
}

type compiler struct {
	g    *Graph
	opts Options
	plan *Plan
	err  error

	source   *Node // where the plan starts: the input, or Options.From
	order    []*Node
	position map[*Node]int // index in order
	ins      map[*Node][]*Node
	readers  map[*Node][]*Node // one entry for each edge
	reserved map[*Node]bool    // read by a loss, kept or measured: never fused, never left out
	probes   map[*Node][]Probe
	fusion   map[*Node]fusion
	merged   map[*Node]bool
	outOf    map[*Node]*Node
	sliceOf  map[*Node]concatSlice
	groups   map[*Node][]*Node
	views    map[*Node]View
	extra    map[string]View
	fold     *BatchNormFold
	phase    Phase
	sweep
}

// Compile makes the plan of a training step or an evaluation step. The layout is the graph's
// (NewLayout), so that all plans of a graph share one set of parameters. Where a plan is not
// possible, the error says why and what to do.
func Compile(g *Graph, layout *Layout, o Options) (*Plan, error) {
	if g.err != nil {
		return nil, g.err
	}
	if layout == nil || layout.Graph != g {
		return nil, errors.New("graph: the layout is of another graph: make it with NewLayout")
	}
	p, err := compile(g, layout, o)
	if err != nil {
		return nil, err
	}
	for _, s := range p.Steps {
		for _, q := range s.Gradients() {
			if !layout.IsTrained(q) {
				return nil, fmt.Errorf("graph: the layout has no room for the gradient of %s: say what is trained before NewLayout", q.Name)
			}
		}
	}
	return p, nil
}

func compile(g *Graph, layout *Layout, o Options) (*Plan, error) {
	if o.Batch < 1 {
		return nil, fmt.Errorf("graph: batch size %d: must be at least 1", o.Batch)
	}
	c := &compiler{g: g, opts: o, plan: &Plan{Graph: g, Layout: layout, Options: o, outputs: map[string]View{}}}
	var err error
	if c.plan.Losses, err = g.selectLosses(o.Losses); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.schedule(); err != nil {
		return nil, err
	}
	c.fuse()
	c.emitForward()
	c.backprop()
	if o.Optimizer != nil {
		c.emitUpdate()
	}
	if c.err != nil {
		return nil, c.err
	}
	c.finish()
	return c.plan, nil
}

func (g *Graph) selectLosses(names []string) ([]*Loss, error) {
	if len(g.losses) == 0 {
		return nil, fmt.Errorf("graph: network %s has no classifier: add a loss", g.name)
	}
	if names == nil {
		return g.losses, nil
	}
	var out []*Loss
	for _, name := range names {
		i := slices.IndexFunc(g.losses, func(l *Loss) bool { return l.Name == name })
		if i < 0 {
			var known []string
			for _, l := range g.losses {
				known = append(known, l.Name)
			}
			return nil, &UnknownError{What: "head of " + g.name, Name: name, Nearest: Nearest(name, known, 3)}
		}
		out = append(out, g.losses[i])
	}
	if len(out) == 0 {
		return nil, errors.New("graph: a plan needs at least one head")
	}
	return out, nil
}

func (c *compiler) check() error {
	o := c.opts
	switch o.Precision {
	case "", FP32, FP64, TF32, BF16:
	default:
		return &UnknownError{What: "precision", Name: string(o.Precision), Nearest: []string{string(FP32), string(TF32), string(BF16), string(FP64)}}
	}
	in := c.g.InputNode()
	if in == nil {
		return fmt.Errorf("graph: network %s has no input", c.g.name)
	}
	if z := o.Normalize; z != nil {
		if len(z.Mean) != in.shape.C || len(z.Std) != in.shape.C {
			return fmt.Errorf("graph: %d means and %d standard deviations for images of %d channels", len(z.Mean), len(z.Std), in.shape.C)
		}
		for i, s := range z.Std {
			if !(s > 0) {
				return fmt.Errorf("graph: standard deviation %v of channel %d: must be above 0", s, i)
			}
		}
	}
	switch {
	case o.Regions < 0:
		return fmt.Errorf("graph: %d bytes of regions: must not be below 0", o.Regions)
	case o.Regions > 0 && o.Normalize == nil:
		return errors.New("graph: a plan that takes regions of images normalises them: set Normalize")
	case o.Regions > 0 && in.shape.C != 1 && in.shape.C != 3:
		return fmt.Errorf("graph: regions of images of %d channels: recipes are for 1 (grey) and 3 (red, green, blue)", in.shape.C)
	}
	if o.Optimizer != nil {
		if !o.Training {
			return errors.New("graph: an evaluation plan takes no optimizer")
		}
		if err := o.Optimizer.Check(); err != nil {
			return err
		}
	}
	if err := c.findSource(in); err != nil {
		return err
	}
	if o.Debug.SweepPerLoss && slices.ContainsFunc(o.Probes, func(p Probe) bool { return p.Gradient }) {
		return errors.New("graph: a sweep for each loss has no gradient of the total loss: leave the probes of gradients to a plan without SweepPerLoss")
	}
	seen := map[*Node]string{}
	for _, l := range c.plan.Losses {
		if other, ok := seen[l.Logits]; ok {
			return fmt.Errorf("graph: heads %q and %q read the same logits", other, l.Name)
		}
		seen[l.Logits] = l.Name
	}
	return nil
}

func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// in returns the i-th input of a node. Dropouts that do nothing in this plan are skipped.
func (c *compiler) in(n *Node, i int) *Node { return c.ins[n][i] }

func (c *compiler) emit(s Step) {
	c.plan.Steps = append(c.plan.Steps, s)
	c.plan.Phases = append(c.plan.Phases, c.phase)
}

func (c *compiler) buffer(name string, e Elem, elements int) *Buffer {
	b := &Buffer{Name: name, Elem: e, Elements: elements, First: -1}
	c.plan.Buffers = append(c.plan.Buffers, b)
	return b
}

func (c *compiler) dense(b *Buffer, n int, s Shape) View {
	return View{Buffer: b, N: n, Shape: s, Stride: s.C}
}

// batch returns a dense view of a new buffer with the shape for every sample.
func (c *compiler) batch(name string, e Elem, s Shape) View {
	return c.dense(c.buffer(name, e, c.opts.Batch*s.Elements()), c.opts.Batch, s)
}

// activation returns the element type of activations and their gradients.
func (c *compiler) activation() Elem {
	if c.opts.Precision == BF16 {
		return BFloat16
	}
	return Float
}

func (c *compiler) external(name string, e Elem, s Shape) View {
	v := c.batch(name, e, s)
	v.Buffer.External = true
	return v
}

// view returns the view of a node's output.
func (c *compiler) view(n *Node) View {
	if v, ok := c.views[n]; ok {
		return v
	}
	var v View
	if o := c.outOf[n]; o != nil {
		v = c.view(o)
	} else if s, ok := c.sliceOf[n]; ok {
		v = c.view(s.concat).Channels(c.channelsBefore(s), n.shape.C)
	} else if n == c.source {
		v = c.input(n)
	} else {
		v = c.batch(n.name, c.activation(), n.shape)
	}
	c.views[n] = v
	return v
}

// saved returns the view of memory that a node's forward step fills for its backward step.
func (c *compiler) saved(n *Node, what string, e Elem, s Shape) View {
	key := n.name + "#" + what
	v, ok := c.extra[key]
	if !ok {
		v = c.batch(key, e, s)
		c.extra[key] = v
	}
	return v
}

// perChannel returns the view of memory for k values per channel of a node.
func (c *compiler) perChannel(n *Node, what string, e Elem, k int) View {
	key := n.name + "#" + what
	v, ok := c.extra[key]
	if !ok {
		s := Shape{1, 1, k * n.shape.C}
		v = c.dense(c.buffer(key, e, s.C), 1, s)
		c.extra[key] = v
	}
	return v
}

func (c *compiler) emitForward() {
	c.views, c.extra = map[*Node]View{}, map[string]View{}
	c.phase = Forward
	for _, n := range c.order {
		if o, ok := n.op.(beginner); ok && n != c.source {
			o.begin(c, n)
		}
	}
	for _, n := range c.order {
		if n == c.source {
			c.start(n)
		} else {
			n.op.forward(c, n)
		}
		c.measure(n, false)
	}
}

func (c *compiler) emitUpdate() {
	c.phase = UpdatePhase
	u := &UpdateStep{at: at{c.g.name}, Optimizer: *c.opts.Optimizer, BF16: c.activation() == BFloat16}
	for _, p := range c.plan.Layout.Params {
		if c.done[p] {
			u.Params = append(u.Params, p)
		} else if u.EMA {
			u.Copies = append(u.Copies, p)
		}
	}
	c.emit(u)
}

// finish sets the lifetimes of the buffers, records the outputs that can be read, and plans the
// memory.
func (c *compiler) finish() {
	p := c.plan
	for i, s := range p.Steps {
		s.Views(func(v View, _ Access) {
			if v.Buffer.First < 0 {
				v.Buffer.First = i
			}
			v.Buffer.Last = i
		})
	}
	keep := func(n *Node) {
		v := c.view(n)
		v.Buffer.kept = true
		p.outputs[n.name] = v
	}
	for _, l := range p.Losses {
		keep(l.Logits)
	}
	for _, name := range c.opts.Keep {
		n, _ := c.g.Find(name)
		keep(n)
		p.outputs[name] = p.outputs[n.name]
	}
	p.Buffers = slices.DeleteFunc(p.Buffers, func(b *Buffer) bool { return b.First < 0 && !b.External })
	planMemory(p)
}
