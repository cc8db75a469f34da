package graph

import "fmt"

// Input is the batch of images. A graph has one Input.
type Input struct{ Shape Shape }

// Kind implements Op.
func (Input) Kind() string { return "input" }

func (o Input) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 0 {
		return nil, Shape{}, fmt.Errorf("an input has no inputs of its own")
	}
	if !o.Shape.valid() {
		return nil, Shape{}, fmt.Errorf("image size %s is not possible", o.Shape)
	}
	return o, o.Shape, nil
}

func (Input) params([]Shape) []*Param { return nil }

func (Input) forward(c *compiler, n *Node) { c.start(n) }

// findSource sets the node that the plan starts at: Options.From, or the network's input.
func (c *compiler) findSource(in *Node) error {
	c.source = in
	if c.opts.From == "" {
		return nil
	}
	n, err := c.g.Find(c.opts.From)
	if err != nil {
		return err
	}
	c.source = c.skipDropout(n)
	switch {
	case c.opts.Training:
		return fmt.Errorf("graph: a training plan starts at the network's input, not at %s", c.opts.From)
	case c.opts.Normalize != nil && c.source != in:
		return fmt.Errorf("graph: a plan that starts at %s takes activations: only images are normalised", c.opts.From)
	}
	return nil
}

// start emits the step that turns the feed into the output of the plan's first node, where one is
// needed.
func (c *compiler) start(n *Node) {
	c.plan.Images = c.view(n)
	switch z := c.opts.Normalize; {
	case c.opts.Regions > 0:
		regions := c.buffer("regions", Byte, c.opts.Regions)
		regions.External = true
		c.plan.Regions = c.dense(regions, 1, Shape{1, 1, c.opts.Regions})
		pixels := c.batch(n.name+"#pixels", Byte, n.shape)
		c.emit(&AugmentStep{at{n.name}, *z, c.plan.Regions, pixels, c.plan.Images})
	case z != nil:
		c.plan.Pixels = c.external("pixels", Byte, n.shape)
		c.emit(&NormalizeStep{at{n.name}, *z, c.plan.Pixels, c.plan.Images})
	case !c.plan.Images.Buffer.External:
		c.plan.Images = c.external("images", Float, n.shape)
		c.emit(&Convert{at{n.name}, c.plan.Images, c.view(n)})
	}
}

// input returns the view that the network reads its images from. It is the feed's memory if the
// feed's format fits the plan, otherwise a buffer of the plan.
func (c *compiler) input(n *Node) View {
	if c.opts.Normalize == nil && c.activation() == Float && !c.opts.PadInput {
		return c.external(n.name, Float, n.shape)
	}
	v := View{N: c.opts.Batch, Shape: n.shape, Stride: n.shape.C}
	if c.opts.PadInput {
		v.Stride = roundUp(v.Stride, 16/c.activation().Size())
		v.Zeros = v.Stride - v.Shape.C
	}
	v.Buffer = c.buffer(n.name, c.activation(), v.Rows()*v.Stride)
	return v
}

func (Input) backward(*compiler, *Node) {}

// Input adds the graph's input. s is the shape of one image.
func (g *Graph) Input(name string, s Shape) *Node {
	if g.err == nil && g.InputNode() != nil {
		g.err = fmt.Errorf("the graph has an input already")
	}
	return g.Apply(name, Input{s})
}
