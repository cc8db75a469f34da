package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) dropout(s *graph.DropoutStep) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	return func(r *run) {
		m := vec.Mask{P: s.P, Key: graph.StreamKey(r.feed.Seed, s.Key), Step: r.feed.Step}
		b.parallelRows(x.Rows, x.Cols, func(lo, hi int) {
			vec.Dropout(m, y.RowRange(lo, hi), x.RowRange(lo, hi), lo, s.Accumulate)
		})
	}
}
