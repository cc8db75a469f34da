package cpu

import (
	"math"

	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) batchNormForward(s *graph.BatchNormForward) func(*run) {
	x, y, fused := b.mat(s.X), b.mat(s.Y), b.doubles(s.Sums)
	mean, invstd, scale, shift := b.vector(s.Mean), b.vector(s.InvStd), b.vector(s.Scale), b.vector(s.Shift)
	gamma, beta := b.param(s.Gamma), b.param(s.Beta)
	runMean, runVar := b.param(s.RunningMean), b.param(s.RunningVar)
	c := x.Cols
	m := float64(x.Rows)
	var partial []float64
	return func(*run) {
		sums := fused
		if sums == nil {
			sums = b.reduceRows(x.Rows, c, 2*c, &partial, func(lo, hi int, sums []float64) {
				vec.ChannelSums(x.RowRange(lo, hi), sums[:c], sums[c:])
			})
		}
		for i := range c {
			mu := sums[i] / m
			v := max(sums[c+i]/m-mu*mu, 0)
			if math.IsNaN(sums[c+i]) {
				v = math.NaN()
			}
			is := 1 / math.Sqrt(v+s.Eps)
			mean[i], invstd[i] = T(mu), T(is)
			g := float64(gamma[i]) * is
			scale[i], shift[i] = T(g), T(float64(beta[i])-mu*g)
			runMean[i] = T((1-s.Momentum)*float64(runMean[i]) + s.Momentum*mu)
			runVar[i] = T((1-s.Momentum)*float64(runVar[i]) + s.Momentum*v*m/(m-1))
		}
		b.parallelRows(x.Rows, c, func(lo, hi int) {
			vec.ScaleShift(y.RowRange(lo, hi), x.RowRange(lo, hi), scale, shift, s.ReLU)
		})
	}
}

func (b *binder[T]) batchNormBackward(s *graph.BatchNormBackward) func(*run) {
	x, dy := b.mat(s.X), b.mat(s.DY)
	mean, invstd, scale, shift := b.vector(s.Mean), b.vector(s.InvStd), b.vector(s.Scale), b.vector(s.Shift)
	dgamma, dbeta := b.gradient(s.Gamma), b.gradient(s.Beta)
	c := x.Cols
	m := float64(x.Rows)
	p, q, o := make([]T, c), make([]T, c), make([]T, c)
	var dx vec.Mat[T]
	if s.DX.Valid() {
		dx = b.mat(s.DX)
	}
	var partial []float64
	return func(r *run) {
		sums := b.reduceRows(x.Rows, c, 2*c, &partial, func(lo, hi int, sums []float64) {
			vec.BNBackwardReduce(dy.RowRange(lo, hi), x.RowRange(lo, hi), scale, shift, mean, invstd, s.ReLU, sums[:c], sums[c:])
		})
		acc := s.Accumulate || r.feed.Accumulate
		if dbeta != nil {
			storeSums(dbeta, sums[:c], acc)
		}
		if dgamma != nil {
			storeSums(dgamma, sums[c:], acc)
		}
		if dx.Data == nil {
			return
		}
		for i := range c {
			a := float64(scale[i])
			k := -a * float64(invstd[i]) * sums[c+i] / m
			p[i], q[i], o[i] = scale[i], T(k), T(-a*sums[i]/m-k*float64(mean[i]))
		}
		b.parallelRows(x.Rows, c, func(lo, hi int) {
			vec.BNBackwardApply(dx.RowRange(lo, hi), dy.RowRange(lo, hi), x.RowRange(lo, hi), scale, shift, p, q, o, s.ReLU, s.AccumulateDX)
		})
	}
}

func (b *binder[T]) batchNormFold(s *graph.BatchNormFold) func(*run) {
	type norm struct {
		eps                                       float64
		gamma, beta, mean, variance, scale, shift []T
	}
	var norms []norm
	for i, n := range s.Norms {
		norms = append(norms, norm{n.Eps, b.param(n.Gamma), b.param(n.Beta), b.param(n.RunningMean), b.param(n.RunningVar),
			b.vector(s.Scale[i]), b.vector(s.Shift[i])})
	}
	return func(*run) {
		for _, n := range norms {
			for c := range n.scale {
				k := float64(n.gamma[c]) / math.Sqrt(float64(n.variance[c])+n.eps)
				n.scale[c], n.shift[c] = T(k), T(float64(n.beta[c])-float64(n.mean[c])*k)
			}
		}
	}
}
