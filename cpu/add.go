package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) addForward(s *graph.AddForward) func(*run) {
	y := b.mat(s.Y)
	var xs []vec.Mat[T]
	for _, a := range s.Xs {
		xs = append(xs, b.mat(a.X))
	}
	return b.overRows(y, func(lo, hi int) {
		to := y.RowRange(lo, hi)
		for i, a := range s.Xs {
			scaled(to, xs[i].RowRange(lo, hi), T(a.Factor), i > 0)
		}
		if s.ReLU {
			vec.ReLU(to, to)
		}
	})
}

// addBackward masks dy in place if one of the targets is dy; dy gets that target's factor last.
// Otherwise the masked dy is in memory of the worker.
func (b *binder[T]) addBackward(s *graph.AddBackward) func(*run) {
	dy := b.mat(s.DY)
	var y vec.Mat[T]
	if s.Y.Valid() {
		y = b.mat(s.Y)
	}
	var dxs []vec.Mat[T]
	inPlace := -1
	for i, t := range s.Targets {
		dxs = append(dxs, b.mat(t.DX))
		if t.DX == s.DY {
			inPlace = i
		}
	}
	backward := func(lo, hi int, g vec.Mat[T]) {
		if s.Y.Valid() {
			vec.ReLUBackward(g, dy.RowRange(lo, hi), y.RowRange(lo, hi), false)
		}
		for i, t := range s.Targets {
			if i != inPlace {
				scaled(dxs[i].RowRange(lo, hi), g, T(t.Factor), t.Accumulate)
			}
		}
		if inPlace >= 0 && s.Targets[inPlace].Factor != 1 {
			vec.Scale(g, g, T(s.Targets[inPlace].Factor))
		}
	}
	if s.Y.Valid() && inPlace < 0 {
		return b.overRowsWith(dy, backward)
	}
	return b.overRows(dy, func(lo, hi int) { backward(lo, hi, dy.RowRange(lo, hi)) })
}
