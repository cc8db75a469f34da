package graph

import (
	"errors"
	"fmt"
)

// BatchNorm is batch normalisation over the pixels of the batch (Ioffe and Szegedy 2015):
//
//	training:    y = gamma·(x-mean)/sqrt(var+Eps) + beta, with mean and biased variance of the batch;
//	             running = (1-Momentum)·running + Momentum·batch, the running variance from the unbiased one
//	evaluation:  the running statistics instead of the batch's
//
// Momentum is PyTorch's (0.1); TensorFlow's decay is 1-Momentum.
type BatchNorm struct {
	Eps      float64
	Momentum float64
}

// Kind implements Op.
func (BatchNorm) Kind() string { return "batchnorm" }

func (o BatchNorm) infer(in []Shape) (Op, Shape, error) {
	if len(in) != 1 {
		return nil, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	if o.Eps <= 0 || o.Momentum < 0 || o.Momentum > 1 {
		return nil, Shape{}, fmt.Errorf("eps %v must be above 0, and momentum %v in [0,1]", o.Eps, o.Momentum)
	}
	return o, in[0], nil
}

func (BatchNorm) params(in []Shape) []*Param {
	c := in[0].C
	return []*Param{vector(Gamma, c, Constant(1)), vector(Beta, c, Constant(0)),
		vector(RunningMean, c, Constant(0)), vector(RunningVar, c, Constant(1))}
}

// BatchNorm adds a batch normalisation node.
func (g *Graph) BatchNorm(name string, x *Node, eps, momentum float64) *Node {
	return g.Apply(name, BatchNorm{Eps: eps, Momentum: momentum}, x)
}

// BatchNormParams are the attributes and parameters of a batch normalisation, for its steps.
type BatchNormParams struct {
	BatchNorm
	Gamma, Beta, RunningMean, RunningVar *Param
}

// BatchNormStats is what the forward step saves for the backward step: C elements each, in Float.
type BatchNormStats struct {
	Mean, InvStd View // of the batch; InvStd = 1/sqrt(var+eps)
	Scale, Shift View // gamma·InvStd and beta - Mean·gamma·InvStd: y = x·Scale + Shift
}

func (s BatchNormStats) views(f func(View, Access), a Access) {
	for _, v := range []View{s.Mean, s.InvStd, s.Scale, s.Shift} {
		f(v, a)
	}
}

func bnParams(n *Node) BatchNormParams {
	return BatchNormParams{n.op.(BatchNorm), n.params[0], n.params[1], n.params[2], n.params[3]}
}

// begin adds one step before all others to an evaluation plan. It folds the running statistics of
// every batch normalisation.
func (BatchNorm) begin(c *compiler, n *Node) {
	if !c.opts.Training && c.fold == nil {
		c.fold = &BatchNormFold{at: at{n.name}}
		c.emit(c.fold)
	}
}

func (BatchNorm) fuse(c *compiler, n *Node) {
	if r := c.reluAfter(n); r != nil && c.opts.Fusions.NormReLU && !c.merged[n] {
		u := c.fusion[n]
		u.relu = r
		c.fusion[n] = u
		c.absorb(n, r)
	}
}

func (o BatchNorm) forward(c *compiler, n *Node) {
	if c.opts.Training && c.opts.Batch*n.shape.Pixels() < 2 {
		c.fail(&NodeError{n.name, o.Kind(), errors.New("one pixel a channel has no variance: train with a batch of at least 2")})
	}
	f := c.fusion[n]
	x, y := c.view(c.in(n, 0)), c.view(n)
	if !c.opts.Training {
		if c.absorbed(n) {
			return
		}
		scale, shift := c.folded(n)
		c.emit(&Affine{at: at{n.name}, X: x, Y: y, Scale: scale, Shift: shift, ReLU: f.relu != nil})
		return
	}
	s := &BatchNormForward{at: at{n.name}, BatchNormParams: bnParams(n), BatchNormStats: c.stats(n), X: x, Y: y, ReLU: f.relu != nil}
	if f.sums {
		s.Sums = c.sums(n)
	}
	if c.opts.FreezeStatistics {
		s.Momentum = 0
	}
	c.emit(s)
}

// backward is the gradient rule, with g = dy (0 where a fused ReLU is off), x̂ = (x-mean)·invstd
// and M pixels:
//
//	dbeta = Σ g,  dgamma = Σ g·x̂,  dx = gamma·invstd·(g - dbeta/M - x̂·dgamma/M)
//
// dx overwrites dy where the input has no other reader.
func (o BatchNorm) backward(c *compiler, n *Node) {
	in := c.in(n, 0)
	dx, acc, want := c.targetInPlace(n, in)
	s := &BatchNormBackward{at: at{n.name}, BatchNormParams: bnParams(n), BatchNormStats: c.stats(n),
		X: c.view(in), DY: c.grad(n), ReLU: c.fusion[n].relu != nil, AccumulateDX: acc}
	if want {
		s.DX = dx
	}
	s.Accumulate = c.accumulates(s.Gradients()...)
	c.emit(s)
}

func (BatchNorm) masks() {}

func (BatchNorm) inPlace(*compiler, *Node) int { return 0 }

// BatchNormForward normalises X with the statistics of the batch, updates the running statistics
// and saves what the backward step needs. It takes the statistics from Sums, where a convolution's
// epilogue has written them; if Sums is not valid it computes them.
type BatchNormForward struct {
	at
	BatchNormParams
	BatchNormStats
	Sums View // optional: Double, 2C
	X, Y View
	ReLU bool
}

// Kind implements Step.
func (*BatchNormForward) Kind() string { return "batchnorm.forward" }

// Views implements Step.
func (s *BatchNormForward) Views(f func(View, Access)) {
	if s.Sums.Valid() {
		f(s.Sums, Read)
	}
	f(s.X, Read)
	f(s.Y, Write)
	s.views(f, Write)
}

func (s *BatchNormForward) uses() []*Param {
	return []*Param{s.Gamma, s.Beta, s.RunningMean, s.RunningVar}
}

// FLOPs implements Step.
func (s *BatchNormForward) FLOPs() int64 { return 5 * int64(s.Y.Elements()) }

// BatchNormBackward computes the gradients of gamma, beta and, if DX is valid, of the input.
type BatchNormBackward struct {
	at
	BatchNormParams
	BatchNormStats
	X, DY, DX    View // DX may be DY
	ReLU         bool
	AccumulateDX bool
	Accumulate   bool // add to the parameter gradients
}

// Kind implements Step.
func (*BatchNormBackward) Kind() string { return "batchnorm.backward" }

// Views implements Step.
func (s *BatchNormBackward) Views(f func(View, Access)) {
	f(s.X, Read)
	f(s.DY, Read)
	s.views(f, Read)
	if s.DX.Valid() {
		f(s.DX, writeOrUpdate(s.AccumulateDX))
	}
}

func (s *BatchNormBackward) uses() []*Param { return []*Param{s.BatchNormParams.Gamma} }

// Gradients implements Step.
func (s *BatchNormBackward) Gradients() []*Param {
	var p []*Param
	for _, q := range []*Param{s.Gamma, s.Beta} {
		if q.Trainable {
			p = append(p, q)
		}
	}
	return p
}

// FLOPs implements Step.
func (s *BatchNormBackward) FLOPs() int64 { return 8 * int64(s.DY.Elements()) }

// BatchNormFold computes Scale = gamma/sqrt(running_var+eps) and Shift = beta - running_mean·Scale,
// for all batch normalisations of an evaluation plan in one step. Convolutions apply them in their
// epilogue.
type BatchNormFold struct {
	at
	Norms        []BatchNormParams
	Scale, Shift []View
}

// Kind implements Step.
func (*BatchNormFold) Kind() string { return "batchnorm.fold" }

// Views implements Step.
func (s *BatchNormFold) Views(f func(View, Access)) {
	for i := range s.Norms {
		f(s.Scale[i], Write)
		f(s.Shift[i], Write)
	}
}

func (s *BatchNormFold) uses() []*Param {
	var p []*Param
	for _, n := range s.Norms {
		p = append(p, n.Gamma, n.Beta, n.RunningMean, n.RunningVar)
	}
	return p
}

func (c *compiler) stats(n *Node) BatchNormStats {
	v, k := c.perChannel(n, "stats", Float, 4), n.shape.C
	return BatchNormStats{v.Channels(0, k), v.Channels(k, k), v.Channels(2*k, k), v.Channels(3*k, k)}
}

func (c *compiler) sums(n *Node) View { return c.perChannel(n, "sums", Double, 2) }

func (c *compiler) folded(n *Node) (scale, shift View) {
	_, known := c.extra[n.name+"#folded"]
	v, k := c.perChannel(n, "folded", Float, 2), n.shape.C
	scale, shift = v.Channels(0, k), v.Channels(k, k)
	if !known {
		c.fold.Norms = append(c.fold.Norms, bnParams(n))
		c.fold.Scale = append(c.fold.Scale, scale)
		c.fold.Shift = append(c.fold.Shift, shift)
	}
	return scale, shift
}
