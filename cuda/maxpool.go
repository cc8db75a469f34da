//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// windowOf is the geometry of a pooling of x to y.
func windowOf(x, y graph.View, w graph.Window, includePad bool) kernels.Window {
	return kernels.Window{
		N: int32(x.N), H: int32(x.Shape.H), W: int32(x.Shape.W), P: int32(y.Shape.H), Q: int32(y.Shape.W),
		Kh: int32(w.H), Kw: int32(w.W), StrideH: int32(w.StrideH), StrideW: int32(w.StrideW),
		Top: int32(w.Top), Left: int32(w.Left), Bottom: int32(w.Bottom), Right: int32(w.Right), IncludePad: flag(includePad)}
}

func (b *binder) maxPool(s *graph.MaxPoolForward) error {
	return b.launchOver("maxpool", b.overChannels(s.Y), kernels.MaxPoolParams{
		X: b.view(s.X), Y: b.view(s.Y), Index: b.view(s.Index), Win: windowOf(s.X, s.Y, s.Window, false), Cols: int32(s.Y.Shape.C)})
}

func (b *binder) maxPoolBackward(s *graph.MaxPoolBackward) error {
	return b.launchOver("maxpool_backward", b.overChannels(s.DX), kernels.MaxPoolBackwardParams{
		DY: b.view(s.DY), Index: b.view(s.Index), DX: b.view(s.DX), Win: windowOf(s.DX, s.DY, s.Window, false),
		Cols: int32(s.DX.Shape.C), Accumulate: flag(s.Accumulate)})
}

func (b *binder) avgPool(x, y graph.View, w kernels.Window, adaptive bool) error {
	return b.launchOver("avgpool", b.overChannels(y), kernels.AvgPoolParams{
		X: b.view(x), Y: b.view(y), Win: w, Cols: int32(y.Shape.C), Adaptive: flag(adaptive)})
}

func (b *binder) avgPoolBackward(dy, dx graph.View, w kernels.Window, adaptive, accumulate bool) error {
	return b.launchOver("avgpool_backward", b.overChannels(dx), kernels.AvgPoolBackwardParams{
		DY: b.view(dy), DX: b.view(dx), Win: w, Cols: int32(dx.Shape.C), Adaptive: flag(adaptive), Accumulate: flag(accumulate)})
}
