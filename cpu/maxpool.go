package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) maxPoolForward(s *graph.MaxPoolForward) func(*run) {
	a := poolAxes(s.Window, s.X.Shape, s.Y.Shape, false)
	x, y := b.mat(s.X), b.mat(s.Y)
	var index vec.Mat[uint8]
	if s.Index.Valid() {
		index = b.bytes(s.Index)
	}
	return b.overImages(s.X.N, s.Y.Shape.H, s.Y.Shape.W*s.Y.Shape.C, func(i, lo, hi int) {
		var idx vec.Mat[uint8]
		if index.Data != nil {
			idx = image(index, i, s.Y.Shape.Pixels())
		}
		vec.MaxPool(image(y, i, s.Y.Shape.Pixels()), idx, image(x, i, s.X.Shape.Pixels()), a.h, a.w, lo, hi)
	})
}

func (b *binder[T]) maxPoolBackward(s *graph.MaxPoolBackward) func(*run) {
	a := poolAxes(s.Window, s.DX.Shape, s.DY.Shape, false)
	dx, dy, index := b.mat(s.DX), b.mat(s.DY), b.bytes(s.Index)
	in, out := s.DX.Shape.Pixels(), s.DY.Shape.Pixels()
	return b.overImages(s.DX.N, s.DX.Shape.H, s.DX.Shape.W*s.DX.Shape.C, func(i, lo, hi int) {
		vec.MaxPoolBackward(image(dx, i, in), image(dy, i, out), image(index, i, out), a.h, a.w, lo, hi, s.Accumulate)
	})
}
