package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) affine(s *graph.Affine) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	scale, shift := b.vector(s.Scale), b.vector(s.Shift)
	if shift == nil {
		shift = b.param(s.Bias)
	}
	return b.overRows(x, func(lo, hi int) {
		vec.ScaleShift(y.RowRange(lo, hi), x.RowRange(lo, hi), scale, shift, s.ReLU)
	})
}
