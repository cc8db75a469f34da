package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) avgPoolForward(s *graph.AvgPoolForward) func(*run) {
	return b.avgPool(s.X, s.Y, poolAxes(s.Window, s.X.Shape, s.Y.Shape, s.IncludePad))
}

func (b *binder[T]) avgPoolBackward(s *graph.AvgPoolBackward) func(*run) {
	return b.avgPoolGradient(s.DY, s.DX, poolAxes(s.Window, s.DX.Shape, s.DY.Shape, s.IncludePad), s.Accumulate)
}

func (b *binder[T]) adaptiveAvgPoolForward(s *graph.AdaptiveAvgPoolForward) func(*run) {
	return b.avgPool(s.X, s.Y, adaptiveAxes(s.X.Shape, s.Y.Shape))
}

func (b *binder[T]) adaptiveAvgPoolBackward(s *graph.AdaptiveAvgPoolBackward) func(*run) {
	return b.avgPoolGradient(s.DY, s.DX, adaptiveAxes(s.DX.Shape, s.DY.Shape), s.Accumulate)
}

func (b *binder[T]) avgPool(vx, vy graph.View, a axes) func(*run) {
	x, y := b.mat(vx), b.mat(vy)
	return b.overImages(vx.N, vy.Shape.H, vy.Shape.W*vy.Shape.C, func(i, lo, hi int) {
		vec.AvgPool(image(y, i, vy.Shape.Pixels()), image(x, i, vx.Shape.Pixels()), a.h, a.w, lo, hi)
	})
}

func (b *binder[T]) avgPoolGradient(vdy, vdx graph.View, a axes, accumulate bool) func(*run) {
	dx, dy := b.mat(vdx), b.mat(vdy)
	return b.overImages(vdx.N, vdx.Shape.H, vdx.Shape.W*vdx.Shape.C, func(i, lo, hi int) {
		vec.AvgPoolBackward(image(dx, i, vdx.Shape.Pixels()), image(dy, i, vdy.Shape.Pixels()), a.h, a.w, lo, hi, accumulate)
	})
}
