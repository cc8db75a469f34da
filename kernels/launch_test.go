package kernels_test

import (
	"testing"

	"github.com/tributary-ml/tributary/kernels"
)

// A column grid has a pack for each thread at most, and no block without rows.
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

func TestConvGrid(t *testing.T) {
	grid, first := kernels.ConvGrid(129, []int{64, 65, 16})
	if grid != (kernels.Grid{X: 2, Y: 4, Z: 1}) || len(first) != 3 || first[0] != 0 || first[1] != 1 || first[2] != 3 {
		t.Errorf("%v %v", grid, first)
	}
}
