package kernels

import "fmt"

// ConvTile is the tile of a convolution kernel: rows x columns of the matrix product.
type ConvTile struct{ Rows, Cols int }

// ConvVariant is an arithmetic for convolutions, as the names of their kernels spell it.
type ConvVariant string

// The variants. ConvWgmma and ConvTMA multiply bfloat16 by warpgroups, and need sm_90. ConvTMA
// reads filters through tensor maps; only conv_forward has it.
const (
	ConvF32   ConvVariant = "f32"
	ConvTF32  ConvVariant = "tf32"
	ConvBF16  ConvVariant = "bf16"
	ConvWgmma ConvVariant = "wgmma"
	ConvTMA   ConvVariant = "tma"
)

// Name returns the name of the kernel for a product ("conv_forward", …) and a variant.
func (t ConvTile) Name(product string, v ConvVariant) string {
	return fmt.Sprintf("%s_%s_%dx%d", product, v, t.Rows, t.Cols)
}

// Shared returns the tile's dynamic shared memory in bytes. A launch with more than 48 KiB needs
// permission first (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES).
func (t ConvTile) Shared() int { return 384 * (t.Rows + t.Cols) }

// blocks returns how many tiles cover a rows x cols product.
func (t ConvTile) blocks(rows, cols int) int { return ceil(rows, t.Rows) * ceil(cols, t.Cols) }

// pickTile returns the large tile if the product is larger than the small tile on both sides and
// every multiprocessor gets a block.
func pickTile(large, small ConvTile, rows, cols, multiprocessors int) ConvTile {
	if rows > small.Rows && cols > small.Cols && large.blocks(rows, cols) >= multiprocessors {
		return large
	}
	return small
}

var (
	square128 = ConvTile{128, 128}
	narrow    = ConvTile{128, 64}
	flat      = ConvTile{64, 128}
)

// ConvForwardGrid returns the tile and the grid of conv_forward. filters is the last segment's
// begin + k.
func ConvForwardGrid(pixels, filters, multiprocessors int) (ConvTile, Grid) {
	t := pickTile(square128, narrow, pixels, filters, multiprocessors)
	return t, Grid{uint32(t.blocks(pixels, filters)), 1, 1}
}

// ConvForwardParts returns how many parts conv_forward's partial sums have.
func (t ConvTile) ConvForwardParts(pixels int) int { return ceil(pixels, t.Rows) }

// ConvBackwardDataGrid returns the tile and the grid of conv_backward_data for n images of h x w
// pixels with c channels.
func ConvBackwardDataGrid(n, h, w, c, strideH, strideW, multiprocessors int) (ConvTile, Grid) {
	pixels := n * ceil(h, strideH) * ceil(w, strideW)
	t := pickTile(square128, narrow, pixels, c, multiprocessors)
	return t, Grid{uint32(t.blocks(pixels, c)), uint32(strideH * strideW), 1}
}

// ConvBackwardFilterGrid returns the tile and the grid of conv_backward_filter, and how many pixels
// each of the grid's Y parts sums. pixels counts output pixels, and filters is the last segment's
// begin + k. A part has at most 4096 pixels, so that a float does not add up more. Otherwise there
// are only as many parts as keep the multiprocessors busy, with at least 256 pixels each, because
// each part costs a pass over the weights.
func ConvBackwardFilterGrid(pixels, filters, taps, c, elemBytes, multiprocessors int) (t ConvTile, grid Grid, pixelsOfPart int) {
	p := pack(elemBytes)
	columns := taps * ceil(c, p) * p
	t = pickTile(square128, flat, filters, columns, multiprocessors)
	tiles := t.blocks(filters, columns)
	parts := max(ceil(pixels, 4096), min(ceil(2*multiprocessors, tiles), ceil(pixels, 256)))
	pixelsOfPart = ceil(pixels, parts)
	return t, Grid{uint32(tiles), uint32(ceil(pixels, pixelsOfPart)), 1}, pixelsOfPart
}
