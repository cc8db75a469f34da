//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// Package kernels computes the grids. The functions below apply it to views of activations on this
// GPU. The order of summation depends on the grid, so sums depend on the model of GPU, but not on
// the run.

func (b *binder) elementBytes() int { return b.state.backend.activation().Size() }

func dim(g kernels.Grid) driver.Dim { return driver.Dim{X: int(g.X), Y: int(g.Y), Z: int(g.Z)} }

func (b *binder) processors() int { return b.state.backend.device.SMs }

// overElements returns the grid of a kernel whose threads take the packs of a matrix in turn.
func (b *binder) overElements(v graph.View) driver.Dim {
	return dim(kernels.ElementGrid(v.Rows(), v.Shape.C, b.elementBytes(), b.processors()))
}

// overChannels returns the grid of a kernel each of whose threads keeps its channels for all rows.
func (b *binder) overChannels(v graph.View) driver.Dim {
	return dim(kernels.ColumnGrid(v.Rows(), v.Shape.C, b.elementBytes(), b.processors()))
}

// reduction returns a grid that sums k values of each channel over all rows, with memory for its
// partial sums and its counters.
func (b *binder) reduction(v graph.View, k int) (grid driver.Dim, partial, counters kernels.DevicePtr) {
	return b.reductionOn(kernels.ReductionGrid(v.Rows(), v.Shape.C, b.elementBytes(), b.processors()), v.Shape.C, k)
}

// reductionOn is reduction with a given grid.
func (b *binder) reductionOn(g kernels.Grid, cols, k int) (grid driver.Dim, partial, counters kernels.DevicePtr) {
	return dim(g), b.work.take(int64(g.X) * int64(k*cols) * 8), b.counters.take(int64(g.Y) * 4)
}

// windowOf returns the geometry of a pooling from x to y.
func windowOf(x, y graph.View, w graph.Window, includePad bool) kernels.Window {
	return kernels.Window{
		N: int32(x.N), H: int32(x.Shape.H), W: int32(x.Shape.W), P: int32(y.Shape.H), Q: int32(y.Shape.W),
		Kh: int32(w.H), Kw: int32(w.W), StrideH: int32(w.StrideH), StrideW: int32(w.StrideW),
		Top: int32(w.Top), Left: int32(w.Left), Bottom: int32(w.Bottom), Right: int32(w.Right), IncludePad: flag(includePad)}
}
