package kernels_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/kernels"
)

// A column grid has at most one pack for each thread, and no block without rows.
func TestColumnGrid(t *testing.T) {
	for _, rows := range []int{1, 2, 7, 49, 100352, 802816} {
		for _, cols := range []int{1, 3, 4, 8, 64, 192, 1000, 1024, 1025, 2048, 9001} {
			for _, bytes := range []int{2, 4} {
				for _, g := range []kernels.Grid{kernels.ColumnGrid(rows, cols, bytes, 132), kernels.ReductionGrid(rows, cols, bytes, 132)} {
					packs := (cols*bytes + 15) / 16
					width := (packs + int(g.Y) - 1) / int(g.Y)
					atATime := kernels.Threads / max(width, 1)
					if width > kernels.Threads || (int(g.X)-1)*atATime >= rows || g.Y > 65535 || g.X == 0 {
						t.Errorf("%d x %d of %d bytes: grid %v", rows, cols, bytes, g)
					}
				}
			}
		}
	}
}

func TestCutChunks(t *testing.T) {
	chunks := kernels.CutChunks(nil, 32, 2*kernels.ChunkElements+5, 2, 0.5, true)
	chunks = kernels.CutChunks(chunks, 99968, 7, 1, 0, false)
	want := []kernels.Chunk{
		{Offset: 32, Count: kernels.ChunkElements, LRScale: 2, Decay: 0.5, Trained: 1},
		{Offset: 32 + kernels.ChunkElements, Count: kernels.ChunkElements, LRScale: 2, Decay: 0.5, Trained: 1},
		{Offset: 32 + 2*kernels.ChunkElements, Count: 5, LRScale: 2, Decay: 0.5, Trained: 1},
		{Offset: 99968, Count: 7, LRScale: 1},
	}
	if len(chunks) != len(want) {
		t.Fatalf("%d chunks: %+v", len(chunks), chunks)
	}
	for i, c := range chunks {
		if c != want[i] || c.Offset%4 != 0 {
			t.Errorf("chunk %d: %+v, want %+v", i, c, want[i])
		}
	}
}

// The grids of the convolutions cover the product, and the parts of a filter gradient cover the
// pixels.
func TestConvGrids(t *testing.T) {
	for _, pixels := range []int{1, 63, 128, 129, 5000, 100352} {
		for _, filters := range []int{1, 16, 64, 65, 192, 1000} {
			tile, grid := kernels.ConvForwardGrid(pixels, filters, 132)
			require.GreaterOrEqual(t, int(grid.X)*tile.Rows*tile.Cols, pixels*filters)
			require.GreaterOrEqual(t, tile.ConvForwardParts(pixels)*tile.Rows, pixels)
			tile, grid, part := kernels.ConvBackwardFilterGrid(pixels, filters, 9, 3, 4, 132)
			require.GreaterOrEqual(t, int(grid.X)*tile.Rows*tile.Cols, filters*9*4, "3 channels lie in 4")
			require.GreaterOrEqual(t, int(grid.Y)*part, pixels)
			require.Less(t, (int(grid.Y)-1)*part, pixels, "no part is empty")
			require.LessOrEqual(t, part, 4096)
		}
	}
	tile, grid := kernels.ConvBackwardDataGrid(2, 7, 5, 64, 2, 2, 132)
	require.Equal(t, uint32(4), grid.Y, "one class for each residue")
	require.GreaterOrEqual(t, int(grid.X)*tile.Rows*tile.Cols, 2*4*3*64)
	require.Equal(t, "conv_forward_f32_128x64", kernels.ConvTile{Rows: 128, Cols: 64}.Name("conv_forward", "f32"))
	require.Equal(t, 96<<10, kernels.ConvTile{Rows: 128, Cols: 128}.Shared())
}
