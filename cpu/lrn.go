package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) lrnForward(s *graph.LRNForward) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	o := vec.LRN{Size: s.Size, Alpha: s.Alpha, Beta: s.LRN.Beta, K: s.K}
	if !s.Base.Valid() {
		return b.overRowsWith(x, func(lo, hi int, base vec.Mat[T]) {
			vec.LRNForward(o, y.RowRange(lo, hi), base, x.RowRange(lo, hi))
		})
	}
	base := b.mat(s.Base)
	return b.overRows(x, func(lo, hi int) {
		vec.LRNForward(o, y.RowRange(lo, hi), base.RowRange(lo, hi), x.RowRange(lo, hi))
	})
}

func (b *binder[T]) lrnBackward(s *graph.LRNBackward) func(*run) {
	x, base, dy, dx := b.mat(s.X), b.mat(s.Base), b.mat(s.DY), b.mat(s.DX)
	o := vec.LRN{Size: s.Size, Alpha: s.Alpha, Beta: s.LRN.Beta, K: s.K}
	return b.overRows(x, func(lo, hi int) {
		vec.LRNBackward(o, dx.RowRange(lo, hi), dy.RowRange(lo, hi), x.RowRange(lo, hi), base.RowRange(lo, hi), s.Accumulate)
	})
}
