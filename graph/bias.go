package graph

import "fmt"

// AddBias is y = x + bias[c]. After a convolution or a linear layer it is fused into the epilogue
// of that step.
type AddBias struct {
	Init    Init
	LRScale float64 // factor of the learning rate; 0 means 1
}

// Kind implements Op.
func (AddBias) Kind() string { return "bias" }

func (o AddBias) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.Init == nil {
		o.Init = Constant(0)
	}
	if o.LRScale == 0 {
		o.LRScale = 1
	}
	return o, in[0], nil
}

func (o AddBias) params(in []Shape) []*Param {
	p := vector(Bias, in[0].C, o.Init)
	p.LRScale = o.LRScale
	return []*Param{p}
}

func (o AddBias) forward(c *compiler, n *Node) {
	if !c.absorbed(n) {
		c.emit(&Affine{at: at{n.name}, X: c.view(c.in(n, 0)), Y: c.view(n), Bias: n.params[0]})
	}
}

// backward: the gradient of the input is the gradient of the output, so both share one buffer where
// the input has no other reader. The step of a filter's gradient also computes the gradient of a
// bias that is fused into the convolution.
func (o AddBias) backward(c *compiler, n *Node) {
	if n.params[0].Trainable && !(c.absorbed(n) && c.in(n, 0).params[0].Trainable) {
		c.emit(&BiasBackward{at{n.name}, c.grad(n), n.params[0], c.accumulates(n.params[0])})
	}
	c.passThrough(n)
}

func (AddBias) inPlace(*compiler, *Node) int { return 0 }

// AddBias adds a bias node. A nil init means zeros.
func (g *Graph) AddBias(name string, x *Node, init Init) *Node {
	return g.Apply(name, AddBias{Init: init}, x)
}

// BiasBackward computes (or adds) the gradient of a bias, the sum of DY over pixels, where no step
// of a filter's gradient computes it.
type BiasBackward struct {
	at
	DY         View
	Bias       *Param
	Accumulate bool
}

// Kind implements Step.
func (*BiasBackward) Kind() string { return "bias.backward" }

// Views implements Step.
func (s *BiasBackward) Views(f func(View, Access)) { f(s.DY, Read) }

// Gradients implements Step.
func (s *BiasBackward) Gradients() []*Param { return []*Param{s.Bias} }

// FLOPs implements Step.
func (s *BiasBackward) FLOPs() int64 { return int64(s.DY.Elements()) }
