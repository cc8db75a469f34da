//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) reluForward(s *graph.ReLUForward) error {
	return b.launchOver("relu", b.overElements(s.Y), kernels.ReLUParams{
		X: b.view(s.X), Y: b.view(s.Y), Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C)})
}

func (b *binder) reluBackward(s *graph.ReLUBackward) error {
	return b.launchOver("relu_backward", b.overElements(s.DX), kernels.ReLUBackwardParams{
		Y: b.view(s.Y), DY: b.view(s.DY), DX: b.view(s.DX),
		Rows: int32(s.DX.Rows()), Cols: int32(s.DX.Shape.C), Accumulate: flag(s.Accumulate)})
}
