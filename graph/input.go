package graph

import "fmt"

// Input is the batch of images. A graph has one.
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

func (o Input) forward(c *compiler, n *Node) {
	c.plan.Images = c.view(n)
	switch z := c.opts.Normalize; {
	case c.opts.Regions > 0:
		regions := c.buffer("regions", Byte, c.opts.Regions)
		regions.External = true
		c.plan.Regions = c.dense(regions, 1, Shape{1, 1, c.opts.Regions})
		pixels := c.batch(n.name+"#pixels", Byte, o.Shape)
		c.emit(&AugmentStep{at{n.name}, *z, c.plan.Regions, pixels, c.plan.Images})
	case z != nil:
		c.plan.Pixels = c.external("pixels", Byte, o.Shape)
		c.emit(&NormalizeStep{at{n.name}, *z, c.plan.Pixels, c.plan.Images})
	case !c.plan.Images.Buffer.External:
		c.plan.Images = c.external("images", Float, o.Shape)
		c.emit(&Convert{at{n.name}, c.plan.Images, c.view(n)})
	}
}

// input is where the network reads its images: the feed's memory if that is what it wants, otherwise a buffer of the plan.
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

// Input adds the graph's input of one image's shape.
func (g *Graph) Input(name string, s Shape) *Node {
	if g.err == nil && g.InputNode() != nil {
		g.err = fmt.Errorf("the graph has an input already")
	}
	return g.Apply(name, Input{s})
}

// Normalization turns uint8 pixels into floats: (v/255 - Mean[c]) / Std[c].
type Normalization struct {
	Mean, Std []float32
}

// NormalizeStep computes Y = (X/255 - Mean) / Std for every channel; Y.Zeros channels behind them become zeros.
type NormalizeStep struct {
	at
	Normalization
	X, Y View
}

// Kind implements Step.
func (*NormalizeStep) Kind() string { return "normalize" }

// Views implements Step.
func (s *NormalizeStep) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }

// FLOPs implements Step.
func (s *NormalizeStep) FLOPs() int64 { return 2 * int64(s.Y.Elements()) }

// AugmentStep makes images of regions of decoded images and recipes, which are part of the feed, and normalises them: the bytes that
// augment.Recipe defines, on every backend, so that a run gives the same images whether the plan augments or the host does; then
// Y = (bytes/255 - Mean) / Std for every channel, as in NormalizeStep. Y.Zeros channels behind them become zeros.
type AugmentStep struct {
	at
	Normalization
	Regions View // Options.Regions bytes at the most
	Pixels  View // the step's own: images in bytes
	Y       View
}

// Kind implements Step.
func (*AugmentStep) Kind() string { return "augment" }

// Views implements Step. The regions count as if they had the images' size: how much of them a batch fills, the recipes say.
func (s *AugmentStep) Views(f func(View, Access)) {
	regions := s.Pixels
	regions.Buffer = s.Regions.Buffer
	f(regions, Read)
	f(s.Pixels, Write)
	f(s.Y, Write)
}

// FLOPs implements Step: a tap of each filter, as of an image that is not resized, and the normalisation.
func (s *AugmentStep) FLOPs() int64 { return 6 * int64(s.Y.Elements()) }

// Convert computes Y = X, where the network's input is of another element type than the feed's, or padded: Y.Zeros channels
// behind its own become zeros.
type Convert struct {
	at
	X, Y View
}

// Kind implements Step.
func (*Convert) Kind() string { return "convert" }

// Views implements Step.
func (s *Convert) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }
