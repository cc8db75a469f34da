package graph

import "fmt"

// Probe asks a plan to measure a node during a run: its activation, or the gradient of the plan's
// total loss by its output, after every reader has added its contribution. A probe changes no other
// result, and costs one pass over the tensor. A sweep has no gradient of a node that leads to no
// loss or depends on nothing trained: the plan leaves out such probes.
type Probe struct {
	Node     string
	Gradient bool // of the total loss by the node's output, in training plans
}

// String returns the probe's name in messages.
func (p Probe) String() string {
	if p.Gradient {
		return "d(" + p.Node + ")"
	}
	return p.Node
}

// ProbeResult is the result of a probe in one run.
type ProbeResult struct {
	Probe
	Rows    int       // pixels of the batch
	Squares []float64 // per channel: the sum of squares over the rows; NaN or infinite where a value is
	Zeros   []float64 // per channel: the number of values that are not above zero
}

// ProbeStep reduces X per channel. Y has the sums of squares, then the numbers of values that are
// not above zero.
type ProbeStep struct {
	at
	Probe
	X View
	Y View // Double, 2C
}

// Kind implements Step.
func (*ProbeStep) Kind() string { return "probe" }

// Views implements Step.
func (s *ProbeStep) Views(f func(View, Access)) { f(s.X, Read); f(s.Y, Write) }

// FLOPs implements Step.
func (s *ProbeStep) FLOPs() int64 { return 3 * int64(s.X.Elements()) }

// findProbes finds the nodes that the plan measures. These nodes are never fused.
func (c *compiler) findProbes() ([]*Node, error) {
	c.probes = map[*Node][]Probe{}
	var nodes []*Node
	for _, p := range c.opts.Probes {
		n, err := c.g.Find(p.Node)
		if err != nil {
			return nil, err
		}
		if p.Gradient && !c.opts.Training {
			return nil, fmt.Errorf("graph: probe %s: an evaluation plan has no gradients", p)
		}
		c.probes[n] = append(c.probes[n], p)
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// measure emits the probes of a node, for its activation or its gradient.
func (c *compiler) measure(n *Node, gradient bool) {
	for _, p := range c.probes[n] {
		if p.Gradient != gradient {
			continue
		}
		x := c.view(n)
		if gradient {
			x = c.grad(n)
		}
		x.Zeros = 0
		if x.Buffer.Elem != Float && x.Buffer.Elem != BFloat16 {
			c.fail(fmt.Errorf("graph: probe %s: the node has no float values", p))
			return
		}
		b := c.buffer("probe "+p.String(), Double, 2*n.shape.C)
		b.kept = true
		s := &ProbeStep{at{n.name}, p, x, c.dense(b, 1, Shape{1, 1, 2 * n.shape.C})}
		c.plan.Probes = append(c.plan.Probes, s)
		c.emit(s)
	}
}
