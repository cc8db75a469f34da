package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) reluForward(s *graph.ReLUForward) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	return b.overRows(x, func(lo, hi int) { vec.ReLU(y.RowRange(lo, hi), x.RowRange(lo, hi)) })
}

func (b *binder[T]) reluBackward(s *graph.ReLUBackward) func(*run) {
	y, dy, dx := b.mat(s.Y), b.mat(s.DY), b.mat(s.DX)
	return b.overRows(dy, func(lo, hi int) {
		vec.ReLUBackward(dx.RowRange(lo, hi), dy.RowRange(lo, hi), y.RowRange(lo, hi), s.Accumulate)
	})
}
