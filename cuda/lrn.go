//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) lrnForward(s *graph.LRNForward) error {
	grid := kernels.LRNGrid(s.Y.Rows(), s.Y.Shape.C, b.processors())
	return b.launchOverShared("lrn", dim(grid), kernels.LRNShared(s.Y.Shape.C), kernels.LRNParams{
		X: b.view(s.X), Y: b.view(s.Y), Base: b.view(s.Base), Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C),
		Size: int32(s.Size), K: float32(s.K), Alpha: float32(s.Alpha / float64(s.Size)), Beta: float32(s.Beta)})
}

func (b *binder) lrnBackward(s *graph.LRNBackward) error {
	grid := kernels.LRNGrid(s.DX.Rows(), s.DX.Shape.C, b.processors())
	return b.launchOverShared("lrn_backward", dim(grid), kernels.LRNShared(s.DX.Shape.C), kernels.LRNBackwardParams{
		X: b.view(s.X), Base: b.view(s.Base), DY: b.view(s.DY), DX: b.view(s.DX), Rows: int32(s.DX.Rows()), Cols: int32(s.DX.Shape.C),
		Size: int32(s.Size), Factor: float32(2 * s.Alpha * s.Beta / float64(s.Size)), Beta: float32(s.Beta), Accumulate: flag(s.Accumulate)})
}
