package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) probe(s *graph.ProbeStep) func(*run) {
	x, y := b.mat(s.X), b.doubles(s.Y)
	c := x.Cols
	var partial []float64
	return func(*run) {
		copy(y, b.reduceRows(x.Rows, c, 2*c, &partial, func(lo, hi int, sums []float64) {
			vec.Probe(x.RowRange(lo, hi), sums[:c], sums[c:])
		}))
	}
}
