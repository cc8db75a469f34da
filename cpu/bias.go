package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) biasBackward(s *graph.BiasBackward) func(*run) {
	dy, db := b.mat(s.DY), b.gradient(s.Bias)
	var partial []float64
	return func(r *run) {
		sums := b.reduceRows(dy.Rows, dy.Cols, dy.Cols, &partial, func(lo, hi int, sums []float64) {
			vec.ColumnSum(dy.RowRange(lo, hi), sums)
		})
		storeSums(db, sums, s.Accumulate || r.feed.Accumulate)
	}
}
