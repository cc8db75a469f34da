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
	if z := c.opts.Normalize; z != nil {
		c.plan.Pixels = c.external("pixels", Byte, o.Shape)
		c.plan.Images = c.view(n)
		c.emit(&NormalizeStep{at{n.name}, *z, c.plan.Pixels, c.plan.Images})
		return
	}
	c.plan.Images = c.view(n)
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

// NormalizeStep computes Y = (X/255 - Mean) / Std for every channel.
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
