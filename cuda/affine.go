//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) affine(s *graph.Affine) error {
	shift := b.vector(s.Shift)
	if shift == 0 {
		shift = b.param(s.Bias)
	}
	return b.scaleShift(s.X, s.Y, b.vector(s.Scale), shift, s.ReLU)
}

// scaleShift launches y = x·scale + shift, with a scale and a shift for every channel. A null scale
// counts as ones.
func (b *binder) scaleShift(x, y graph.View, scale, shift kernels.DevicePtr, relu bool) error {
	return b.launchOver("affine", b.overChannels(y), kernels.AffineParams{
		X: b.view(x), Y: b.view(y), Scale: scale, Shift: shift, Rows: int32(y.Rows()), Cols: int32(y.Shape.C), ReLU: flag(relu)})
}
