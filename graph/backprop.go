package graph

import (
	"cmp"
	"slices"
)

// sweep is the state of one reverse sweep.
type sweep struct {
	grads   map[*Node]View
	inSweep map[*Node]bool  // the node leads to one of the sweep's losses
	needs   map[*Node]bool  // the node's output depends on a trained parameter
	reached map[*Node]bool  // a step has written a contribution to the node's gradient
	done    map[*Param]bool // parameters whose gradient the plan writes
}

// backprop emits the loss step and the reverse sweep over the union of trunk and heads. The sweep
// visits every node once, whatever the number of losses. Where a node feeds several consumers, the
// first gradient stores, and the later ones accumulate inside their own step. With
// Debug.SweepPerLoss it emits one sweep per loss instead.
func (c *compiler) backprop() {
	c.done = map[*Param]bool{}
	c.plan.Labels = c.buffer("labels", Int32, c.opts.Batch)
	c.plan.Labels.External = true
	if c.opts.Training && c.opts.Debug.SweepPerLoss {
		for _, l := range c.plan.Losses {
			c.sweepFrom([]*Loss{l})
		}
		return
	}
	c.sweepFrom(c.plan.Losses)
}

func (c *compiler) sweepFrom(losses []*Loss) {
	done := c.done
	c.sweep = sweep{map[*Node]View{}, map[*Node]bool{}, map[*Node]bool{}, map[*Node]bool{}, done}
	var visit func(n *Node)
	visit = func(n *Node) {
		if !c.inSweep[n] {
			c.inSweep[n] = true
			for _, x := range c.ins[n] {
				visit(x)
			}
		}
	}
	for _, l := range losses {
		visit(l.Logits)
	}
	for _, n := range c.order {
		c.needs[n] = slices.ContainsFunc(n.params, func(p *Param) bool { return p.Trainable }) ||
			slices.ContainsFunc(c.ins[n], func(x *Node) bool { return c.needs[x] })
	}

	c.phase = LossPhase
	step := &SoftmaxCrossEntropy{at: at{losses[0].Logits.name}, Labels: c.dense(c.plan.Labels, c.opts.Batch, Shape{1, 1, 1})}
	for _, l := range losses {
		h := LossHead{Name: l.Name, Index: slices.Index(c.plan.Losses, l), Smoothing: l.Smoothing, Logits: c.view(l.Logits)}
		if c.opts.Training && c.needs[l.Logits] {
			h.DLogits, _, _ = c.target(l.Logits)
		}
		if c.opts.Training && l.Distill > 0 && c.plan.Losses[0] == c.g.losses[0] {
			h.Teacher, h.Distill, h.Temperature = c.view(c.g.losses[0].Logits), l.Distill, cmp.Or(l.Temperature, 1)
		}
		step.Heads = append(step.Heads, h)
	}
	c.emit(step)
	if !c.opts.Training {
		return
	}
	c.phase = Backward
	for _, n := range slices.Backward(c.order) {
		if c.swept(n) {
			c.measure(n, true)
			n.op.backward(c, n)
		}
	}
}

// swept reports whether the sweep computes a gradient for a node: the node leads to a loss, and
// depends on a trained parameter.
func (c *compiler) swept(n *Node) bool { return c.inSweep[n] && c.needs[n] }

// grad returns the view of the gradient of a node's output.
func (c *compiler) grad(n *Node) View {
	if v, ok := c.grads[n]; ok {
		return v
	}
	var v View
	if c.inSlice(n) {
		s := c.sliceOf[n]
		v = c.grad(s.concat).Channels(c.channelsBefore(s), n.shape.C)
	} else if m := c.gradHost(n); m != nil {
		v = c.grad(m)
	} else {
		v = c.batch("d("+n.name+")", c.activation(), n.shape)
	}
	c.grads[n] = v
	return v
}

func (c *compiler) isLogits(n *Node) bool {
	return slices.ContainsFunc(c.plan.Losses, func(l *Loss) bool { return l.Logits == n })
}

// gradHost returns the node whose gradient memory a node shares, or nil. It is the node's only
// reader, if that reader's gradient rule works in place. No step has written the node's gradient,
// or the gradient of a node whose gradient is a slice of it, when the sweep reaches the reader.
func (c *compiler) gradHost(n *Node) *Node {
	only := c.soleSwept(n)
	if only == nil || c.isLogits(n) {
		return nil
	}
	if o, ok := only.op.(inPlacer); ok {
		if i := o.inPlace(c, only); i >= 0 && c.in(only, i) == n {
			return only
		}
	}
	return nil
}

// soleSwept returns the only reader of a node that the sweep has a gradient for. It returns nil if
// there are none or several.
func (c *compiler) soleSwept(n *Node) (only *Node) {
	for _, r := range c.readers[n] {
		if c.swept(r) {
			if only != nil {
				return nil
			}
			only = r
		}
	}
	return only
}

// target returns where a step writes a contribution to the gradient of x: the view, whether to
// accumulate, and whether the sweep needs the gradient. Every call counts as one contribution.
func (c *compiler) target(x *Node) (v View, accumulate, want bool) {
	if !c.swept(x) {
		return View{}, false, false
	}
	accumulate = c.reached[x] || c.inSlice(x)
	c.reached[x] = true
	return c.grad(x), accumulate, true
}

// targetInPlace is target for rules that can write the gradient of x over the gradient of n.
func (c *compiler) targetInPlace(n, x *Node) (v View, accumulate, want bool) {
	if c.swept(x) && c.gradHost(x) == n {
		return c.grad(x), false, true
	}
	return c.target(x)
}

// passThrough passes the gradient of n unchanged to its input.
func (c *compiler) passThrough(n *Node) {
	x := c.in(n, 0)
	if !c.swept(x) || c.gradHost(x) == n {
		return
	}
	if dx, acc, want := c.target(x); want {
		c.emit(&Copy{at{n.name}, c.grad(n), dx, acc})
	}
}

// accumulates records that a step completes the gradients of parameters. It reports whether an
// earlier sweep of the plan has already written them, which holds for all of them or for none.
func (c *compiler) accumulates(ps ...*Param) bool {
	acc := len(ps) > 0 && c.done[ps[0]]
	for _, p := range ps {
		c.done[p] = true
	}
	return acc
}
