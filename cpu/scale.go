package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) scale(s *graph.ScaleStep) func(*run) {
	return b.scaled(s.X, s.Y, T(s.Factor), s.Accumulate)
}

func (b *binder[T]) scaled(vx, vy graph.View, factor T, accumulate bool) func(*run) {
	x, y := b.mat(vx), b.mat(vy)
	return b.overRows(x, func(lo, hi int) { scaled(y.RowRange(lo, hi), x.RowRange(lo, hi), factor, accumulate) })
}

// scaled stores factor·x in y, or adds it.
func scaled[T vec.Float](y, x vec.Mat[T], factor T, accumulate bool) {
	switch {
	case accumulate && factor == 1:
		vec.Add(y, x)
	case accumulate:
		vec.Axpy(y, x, factor)
	case factor == 1:
		vec.Copy(y, x)
	default:
		vec.Scale(y, x, factor)
	}
}
