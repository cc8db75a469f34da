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

// normalization is the tables of (x/255 - mean)/std = x·scale + shift.
func (b *binder) normalization(z graph.Normalization) (scale, shift kernels.DevicePtr) {
	scales, shifts := make([]float32, len(z.Std)), make([]float32, len(z.Std))
	for i, std := range z.Std {
		scales[i] = float32(1 / (255 * float64(std)))
		shifts[i] = float32(-float64(z.Mean[i]) / float64(std))
	}
	return b.table(driver.Bytes(scales)), b.table(driver.Bytes(shifts))
}

// augment is two passes: the images in bytes, with their brightness where contrast asks for it, then their colours.
func (b *binder) augment(s *graph.AugmentStep) error {
	in := s.Y.Shape
	tiles, blocks := kernels.AugmentTiles(in.H, in.W), kernels.AugmentBlocks(in.H, in.W)
	pixels, sums := b.vector(s.Pixels), b.work.take(4*int64(s.Y.N*tiles))
	err := b.launch("augment_resize", driver.Dim{X: s.Y.N * tiles, Y: 1, Z: 1}, kernels.AugmentResizeParams{
		Regions: b.vector(s.Regions), Recipes: b.recipes, Pixels: pixels, Sums: sums,
		H: int32(in.H), W: int32(in.W), Channels: int32(in.C), Tiles: int32(tiles)})
	if err != nil {
		return err
	}
	b.moves(2 * s.Pixels.Bytes())
	scale, shift := b.normalization(s.Normalization)
	err = b.launchOver("augment_store", driver.Dim{X: s.Y.N * blocks, Y: 1, Z: 1}, kernels.AugmentStoreParams{
		Pixels: pixels, Recipes: b.recipes, Sums: sums, Scale: scale, Shift: shift, Y: b.view(s.Y),
		H: int32(in.H), W: int32(in.W), Channels: int32(in.C), Padded: int32(in.C + s.Y.Zeros), Tiles: int32(tiles), Blocks: int32(blocks)})
	if err != nil {
		return err
	}
	b.moves(s.Pixels.Bytes() + s.Y.Bytes())
	return nil
}

func (b *binder) convert(s *graph.Convert) error {
	return b.launchOver("convert", b.overElements(s.Y), kernels.ConvertParams{
		X: b.vector(s.X), Y: b.view(s.Y), Rows: int32(s.Y.Rows()), Channels: int32(s.X.Shape.C), Padded: int32(s.Y.Shape.C + s.Y.Zeros)})
}

func (b *binder) scale(x, y graph.View, factor float64, accumulate bool) error {
	return b.launchOver("scale", b.overElements(y), kernels.ScaleParams{
		X: b.view(x), Y: b.view(y), Rows: int32(y.Rows()), Cols: int32(y.Shape.C), Factor: float32(factor), Accumulate: flag(accumulate)})
}

func (b *binder) add(s *graph.AddForward) error {
	p := kernels.AddParams{Y: b.view(s.Y), Count: int32(len(s.Xs)), Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C), Relu: flag(s.ReLU)}
	for i, x := range s.Xs {
		p.Xs[i], p.Factors[i] = b.view(x.X), float32(x.Factor)
	}
	return b.launchOver("add", b.overElements(s.Y), p)
}

func (b *binder) addBackward(s *graph.AddBackward) error {
	p := kernels.AddBackwardParams{Y: b.view(s.Y), DY: b.view(s.DY), Count: int32(len(s.Targets)), Rows: int32(s.DY.Rows()), Cols: int32(s.DY.Shape.C)}
	for i, t := range s.Targets {
		p.Dxs[i], p.Factors[i], p.Accumulate[i] = b.view(t.DX), float32(t.Factor), flag(t.Accumulate)
	}
	return b.launchOver("add_backward", b.overElements(s.DY), p)
}

func (b *binder) relu(s *graph.ReLUForward) error {
	return b.launchOver("relu", b.overElements(s.Y), kernels.ReluParams{
		X: b.view(s.X), Y: b.view(s.Y), Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C)})
}

func (b *binder) reluBackward(s *graph.ReLUBackward) error {
	return b.launchOver("relu_backward", b.overElements(s.DX), kernels.ReluBackwardParams{
		Y: b.view(s.Y), DY: b.view(s.DY), DX: b.view(s.DX),
		Rows: int32(s.DX.Rows()), Cols: int32(s.DX.Shape.C), Accumulate: flag(s.Accumulate)})
}

func (b *binder) dropout(s *graph.DropoutStep) error {
	return b.launchOver("dropout", b.overElements(s.Y), kernels.DropoutParams{
		X: b.view(s.X), Y: b.view(s.Y), Run: b.run, Node: s.Key, Limit: uint32(s.P * (1 << 32)), Scale: float32(1 / (1 - s.P)),
		Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C), Accumulate: flag(s.Accumulate)})
}

func (b *binder) affine(s *graph.Affine) error {
	shift := b.vector(s.Shift)
	if shift == 0 {
		shift = b.param(s.Bias)
	}
	return b.scaleShift(s.X, s.Y, b.vector(s.Scale), shift, s.ReLU)
}

// scaleShift is y = x·scale + shift for every channel; scale is optional.
func (b *binder) scaleShift(x, y graph.View, scale, shift kernels.DevicePtr, relu bool) error {
	return b.launchOver("affine", b.overChannels(y), kernels.AffineParams{
		X: b.view(x), Y: b.view(y), Scale: scale, Shift: shift, Rows: int32(y.Rows()), Cols: int32(y.Shape.C), Relu: flag(relu)})
}

func (b *binder) biasBackward(s *graph.BiasBackward) error {
	grid, partial, counters := b.reduction(s.DY, 1)
	return b.launchOver("bias_backward", grid, kernels.BiasBackwardParams{
		DY: b.view(s.DY), DB: b.gradient(s.Bias), Partial: partial, Counters: counters, Run: b.run,
		Rows: int32(s.DY.Rows()), Cols: int32(s.DY.Shape.C), Accumulate: flag(s.Accumulate)})
}
