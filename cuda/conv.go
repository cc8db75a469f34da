//go:build cuda

package cuda

import (
	"slices"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// partialSums are the sums that a convolution's epilogue leaves for the batch normalisation after
// it, of each channel over each tile of pixels.
type partialSums struct {
	address kernels.DevicePtr
	tiles   int
}

// convWindow returns the geometry of a convolution. A 1×1 convolution with stride 1 becomes one
// image of one row, whatever the size of the images.
func convWindow(g graph.ConvGeometry) kernels.Window {
	w := g.Win
	if w.H == 1 && w.W == 1 && w.StrideH == 1 && w.StrideW == 1 && w.Pads == (graph.Pads{}) {
		pixels := int32(g.N * g.In.Pixels())
		return kernels.Window{N: 1, H: 1, W: pixels, P: 1, Q: pixels, Kh: 1, Kw: 1, StrideH: 1, StrideW: 1}
	}
	return kernels.Window{N: int32(g.N), H: int32(g.In.H), W: int32(g.In.W), P: int32(g.Out.H), Q: int32(g.Out.W), Kh: int32(w.H), Kw: int32(w.W),
		StrideH: int32(w.StrideH), StrideW: int32(w.StrideW), Top: int32(w.Top), Left: int32(w.Left)}
}

// begins numbers the filters of siblings as the kernels expect: begin has the number of each
// segment's first filter, a multiple of 8, and cols is the end of the last segment.
func begins(segments []graph.ConvSegment) (begin []int32, cols int) {
	for _, s := range segments {
		cols = (cols + 7) / 8 * 8
		begin = append(begin, int32(cols))
		cols += s.Y.Shape.C
	}
	return begin, cols
}

// convolve launches a convolution kernel.
func (b *binder) convolve(product string, v kernels.ConvVariant, t kernels.ConvTile, grid kernels.Grid, params any) error {
	return b.launchShared(t.Name(product, v), dim(grid), t.Shared(), params)
}

// convForward makes one launch for all siblings, or one for every MaxSiblings of them. If the input
// has zeros behind its channels, so that a pixel is whole chunks of 16 bytes, a launch before
// copies the filters and pads them likewise. Where warpgroups multiply, filters of whole chunks
// arrive by TMA.
func (b *binder) convForward(s *graph.ConvForward) error {
	pixels, channels := s.N*s.Out.Pixels(), s.In.C+s.X.Zeros
	variant := b.state.backend.convVariant()
	if variant == kernels.ConvWgmma && channels%8 == 0 {
		variant = kernels.ConvTMA
	}
	for segments := range slices.Chunk(s.Segments, kernels.MaxSiblings) {
		begin, cols := begins(segments)
		t, grid := kernels.ConvForwardGrid(pixels, cols, b.processors())
		p := kernels.ConvForwardParams{X: b.view(s.X), Win: convWindow(s.ConvGeometry), C: int32(channels),
			Count: int32(len(segments)), Cols: int32(cols)}
		for i, g := range segments {
			weight, err := b.weight(g.Weight), error(nil)
			if channels > s.In.C {
				if weight, err = b.paddedWeight(g.Weight, g.Y.Shape.C*s.Win.H*s.Win.W, s.In.C, channels); err != nil {
					return err
				}
			}
			c := kernels.ConvForwardSegment{W: weight, Y: b.view(g.Y), Scale: b.vector(g.Scale), Shift: b.vector(g.Shift),
				Bias: b.param(g.Bias), K: int32(g.Y.Shape.C), Begin: begin[i], ReLU: flag(g.ReLU)}
			if variant == kernels.ConvTMA && !b.counting {
				if p.Maps[i], err = b.state.backend.device.TensorMap(weight, s.Win.H*s.Win.W*channels, g.Y.Shape.C, 8); err != nil {
					return err
				}
			}
			if g.Sums.Valid() {
				tiles := t.ConvForwardParts(pixels)
				c.Partial = b.kept.take(2 * 4 * int64(tiles*g.Y.Shape.C))
				b.sums[g.Sums.Buffer] = partialSums{c.Partial, tiles}
			}
			p.Segments[i] = c
		}
		if err := b.convolve("conv_forward", variant, t, grid, p); err != nil {
			return err
		}
	}
	return nil
}

// paddedWeight copies filters, rows of the given number of channels, and appends zeros to each row
// up to padded channels.
func (b *binder) paddedWeight(p *graph.Param, rows, channels, padded int) (kernels.DevicePtr, error) {
	size := b.elementBytes()
	to := b.work.take(int64(rows * padded * size))
	err := b.launchOver("convert", dim(kernels.ElementGrid(rows, padded, size, b.processors())), kernels.ConvertParams{
		X: b.param(p), Y: kernels.View{Data: to, Stride: int32(padded)}, Rows: int32(rows), Channels: int32(channels), Padded: int32(padded)})
	if err == nil {
		b.launches[len(b.launches)-1].FLOPs = int64(rows * padded)
		b.moves(rows * (4*channels + size*padded))
	}
	return to, err
}

// convBackwardData makes one launch for all siblings. If there are more than MaxSiblings, the
// launches after the first add to dx.
func (b *binder) convBackwardData(s *graph.ConvBackwardData) error {
	accumulate := s.Accumulate
	w := convWindow(s.ConvGeometry)
	t, grid := kernels.ConvBackwardDataGrid(int(w.N), int(w.H), int(w.W), s.In.C, int(w.StrideH), int(w.StrideW), b.processors())
	for segments := range slices.Chunk(s.Segments, kernels.MaxSiblings) {
		p := kernels.ConvBackwardDataParams{DX: b.view(s.DX), Win: w, C: int32(s.In.C), Count: int32(len(segments)), Accumulate: flag(accumulate)}
		for i, g := range segments {
			p.Segments[i] = kernels.ConvDataSegment{W: b.weight(g.Weight), DY: b.view(g.Y), K: int32(g.Y.Shape.C)}
		}
		if err := b.convolve("conv_backward_data", b.state.backend.convVariant(), t, grid, p); err != nil {
			return err
		}
		accumulate = true
	}
	return nil
}

// convBackwardFilter makes one launch for all siblings. If the launch splits the pixels into parts,
// a second launch adds up the sums of the parts.
func (b *binder) convBackwardFilter(s *graph.ConvBackwardFilter) error {
	taps := s.Win.H * s.Win.W
	for segments := range slices.Chunk(s.Segments, kernels.MaxSiblings) {
		begin, cols := begins(segments)
		t, grid, pixels := kernels.ConvBackwardFilterGrid(s.N*s.Out.Pixels(), cols, taps, s.In.C, b.elementBytes(), b.processors())
		p := kernels.ConvBackwardFilterParams{X: b.view(s.X), Run: b.run, Win: convWindow(s.ConvGeometry), C: int32(s.In.C), Readable: int32(s.In.C + s.X.Zeros),
			Count: int32(len(segments)), Cols: int32(cols), Parts: int32(grid.Y), Pixels: int32(pixels), Accumulate: flag(s.Accumulate)}
		for i, g := range segments {
			k := g.Y.Shape.C
			c := kernels.ConvFilterSegment{DY: b.view(g.Y), Dw: b.gradient(g.Weight), DB: b.gradient(g.BiasGradient), K: int32(k), Begin: begin[i]}
			c.Weights = p.Part
			c.Biases = c.Weights + int64(k*taps*s.In.C+3)/4*4
			p.Part = c.Biases + int64(k+3)/4*4
			p.Segments[i] = c
		}
		if p.Parts > 1 {
			p.Partial = b.work.take(4 * p.Part * int64(p.Parts))
		}
		if err := b.convolve("conv_backward_filter", b.state.backend.convVariant(), t, grid, p); err != nil {
			return err
		}
		if p.Parts > 1 {
			operands := s.X.Bytes()
			for _, g := range segments {
				operands += g.Y.Bytes()
			}
			parts := 4 * int(p.Part) * int(p.Parts)
			b.moves(operands + parts)
			sums := kernels.ElementGrid(1, int(p.Part), graph.Float.Size(), b.processors())
			sums.Y = uint32(len(segments))
			if err := b.launch("conv_backward_filter_reduce", dim(sums), p); err != nil {
				return err
			}
			b.moves(parts + 4*int(p.Part))
			b.launches[len(b.launches)-1].FLOPs = p.Part * int64(p.Parts)
		}
	}
	return nil
}
