//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) normalize(s *graph.NormalizeStep) error {
	scale, shift := b.normalization(s.Normalization)
	return b.launchOver("normalize", b.overElements(s.Y), kernels.NormalizeParams{
		Pixels: b.vector(s.X), Scale: scale, Shift: shift,
		Y: b.view(s.Y), Rows: int32(s.Y.Rows()), Channels: int32(s.X.Shape.C), Padded: int32(s.Y.Shape.C + s.Y.Zeros)})
}

// normalization returns the tables of scale and shift with which x·scale + shift = (x/255 -
// mean)/std.
func (b *binder) normalization(z graph.Normalization) (scale, shift kernels.DevicePtr) {
	scales, shifts := make([]float32, len(z.Std)), make([]float32, len(z.Std))
	for i, std := range z.Std {
		scales[i] = float32(1 / (255 * float64(std)))
		shifts[i] = float32(-float64(z.Mean[i]) / float64(std))
	}
	return b.table(driver.Bytes(scales)), b.table(driver.Bytes(shifts))
}
