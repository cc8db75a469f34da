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

// overImages runs f for every image and every range of its rows, in parallel. The ranges depend on
// the shapes alone.
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

// image returns the matrix of one image's pixels.
func image[E any](m vec.Mat[E], i, pixels int) vec.Mat[E] { return m.RowRange(i*pixels, (i+1)*pixels) }
