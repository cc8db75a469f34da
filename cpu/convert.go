package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) convert(s *graph.Convert) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	return b.overRows(x, func(lo, hi int) { vec.Copy(y.RowRange(lo, hi), x.RowRange(lo, hi)) })
}
