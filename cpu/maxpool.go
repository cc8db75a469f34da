package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// axes are the two axes of a pooling.
type axes struct{ h, w *vec.Axis }

func poolAxes(win graph.Window, in, out graph.Shape, countPad bool) axes {
	return axes{
		vec.NewAxis(in.H, out.H, win.H, win.StrideH, win.Top, win.Bottom, countPad),
		vec.NewAxis(in.W, out.W, win.W, win.StrideW, win.Left, win.Right, countPad),
	}
}

func adaptiveAxes(in, out graph.Shape) axes {
	return axes{vec.AdaptiveAxis(in.H, out.H), vec.AdaptiveAxis(in.W, out.W)}
}

// overImages runs f for every image and every range of its rows, in parallel. The ranges depend on the shapes alone.
func (b *binder[T]) overImages(n, rows, rowElements int, f func(image, lo, hi int)) func(*run) {
	piece := max(1, pieceElements/rowElements)
	pieces := (rows + piece - 1) / piece
	return func(*run) {
		b.pool.Run(n*pieces, func(task, _ int) {
			lo := task % pieces * piece
			f(task/pieces, lo, min(rows, lo+piece))
		})
	}
}

// image is the matrix of one image's pixels.
func image[E any](m vec.Mat[E], i, pixels int) vec.Mat[E] { return m.RowRange(i*pixels, (i+1)*pixels) }

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

func (b *binder[T]) avgPool(vx, vy graph.View, a axes) func(*run) {
	x, y := b.mat(vx), b.mat(vy)
	return b.overImages(vx.N, vy.Shape.H, vy.Shape.W*vy.Shape.C, func(i, lo, hi int) {
		vec.AvgPool(image(y, i, vy.Shape.Pixels()), image(x, i, vx.Shape.Pixels()), a.h, a.w, lo, hi)
	})
}

func (b *binder[T]) avgPoolBackward(vdy, vdx graph.View, a axes, accumulate bool) func(*run) {
	dx, dy := b.mat(vdx), b.mat(vdy)
	return b.overImages(vdx.N, vdx.Shape.H, vdx.Shape.W*vdx.Shape.C, func(i, lo, hi int) {
		vec.AvgPoolBackward(image(dx, i, vdx.Shape.Pixels()), image(dy, i, vdy.Shape.Pixels()), a.h, a.w, lo, hi, accumulate)
	})
}
