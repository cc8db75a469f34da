//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) avgPoolForward(s *graph.AvgPoolForward) error {
	return b.avgPool(s.X, s.Y, windowOf(s.X, s.Y, s.Window, s.IncludePad), false)
}

func (b *binder) avgPoolBackward(s *graph.AvgPoolBackward) error {
	return b.avgPoolGradient(s.DY, s.DX, windowOf(s.DX, s.DY, s.Window, s.IncludePad), false, s.Accumulate)
}

func (b *binder) adaptiveAvgPoolForward(s *graph.AdaptiveAvgPoolForward) error {
	return b.avgPool(s.X, s.Y, windowOf(s.X, s.Y, graph.Window{}, false), true)
}

func (b *binder) adaptiveAvgPoolBackward(s *graph.AdaptiveAvgPoolBackward) error {
	return b.avgPoolGradient(s.DY, s.DX, windowOf(s.DX, s.DY, graph.Window{}, false), true, s.Accumulate)
}

func (b *binder) avgPool(x, y graph.View, w kernels.Window, adaptive bool) error {
	return b.launchOver("avgpool", b.overChannels(y), kernels.AvgPoolParams{
		X: b.view(x), Y: b.view(y), Win: w, Cols: int32(y.Shape.C), Adaptive: flag(adaptive)})
}

func (b *binder) avgPoolGradient(dy, dx graph.View, w kernels.Window, adaptive, accumulate bool) error {
	return b.launchOver("avgpool_backward", b.overChannels(dx), kernels.AvgPoolBackwardParams{
		DY: b.view(dy), DX: b.view(dx), Win: w, Cols: int32(dx.Shape.C), Adaptive: flag(adaptive), Accumulate: flag(accumulate)})
}
