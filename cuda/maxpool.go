//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) maxPoolForward(s *graph.MaxPoolForward) error {
	return b.launchOver("maxpool", b.overChannels(s.Y), kernels.MaxPoolParams{
		X: b.view(s.X), Y: b.view(s.Y), Index: b.view(s.Index), Win: windowOf(s.X, s.Y, s.Window, false), Cols: int32(s.Y.Shape.C)})
}

func (b *binder) maxPoolBackward(s *graph.MaxPoolBackward) error {
	return b.launchOver("maxpool_backward", b.overChannels(s.DX), kernels.MaxPoolBackwardParams{
		DY: b.view(s.DY), Index: b.view(s.Index), DX: b.view(s.DX), Win: windowOf(s.DX, s.DY, s.Window, false),
		Cols: int32(s.DX.Shape.C), Accumulate: flag(s.Accumulate)})
}
