package kernels

// Threads is the number of threads in a block of every kernel here.
const Threads = 256

// Grid is the size of a launch in blocks.
type Grid struct{ X, Y, Z uint32 }

// The most blocks of a launch for each multiprocessor: enough to keep memory busy, and few enough
// to keep a reduction's partial sums few.
const (
	elementBlocks   = 16
	reductionBlocks = 4
)

func ceil(n, by int) int { return (n + by - 1) / by }

// pack returns how many elements a thread moves in one access of 16 bytes.
func pack(elemBytes int) int { return 16 / elemBytes }

// ElementGrid returns the grid for kernels that treat every pack of a rows x cols matrix alike.
func ElementGrid(rows, cols, elemBytes, multiprocessors int) Grid {
	blocks := ceil(rows*ceil(cols, pack(elemBytes)), Threads)
	return Grid{uint32(min(max(blocks, 1), elementBlocks*multiprocessors)), 1, 1}
}

// ColumnGrid returns the grid for kernels whose threads keep their channels: affine, pooling, the
// gradient of batch normalisation. Y divides the channels, at most one pack for each thread, and X
// divides the rows.
func ColumnGrid(rows, cols, elemBytes, multiprocessors int) Grid {
	return columnGrid(rows, cols, elemBytes, elementBlocks*multiprocessors)
}

// ReductionGrid is ColumnGrid for kernels that sum columns. They, and batchnorm_finalize, need
// X·K·cols doubles for partial sums and Y counters. K is 1 for bias_backward and 2 for batch
// normalisation and probe.
func ReductionGrid(rows, cols, elemBytes, multiprocessors int) Grid {
	return columnGrid(rows, cols, elemBytes, reductionBlocks*multiprocessors)
}

func columnGrid(rows, cols, elemBytes, blocks int) Grid {
	packs := ceil(cols, pack(elemBytes))
	y := ceil(packs, Threads)
	rowsAtATime := Threads / ceil(packs, y)
	x := min(ceil(rows, rowsAtATime), max(blocks/y, 1))
	return Grid{uint32(max(x, 1)), uint32(y), 1}
}

// AugmentTiles returns how many blocks of augment_resize make an image of h x w pixels.
func AugmentTiles(h, w int) int { return ceil(h, AugmentTileH) * ceil(w, AugmentTileW) }

// AugmentBlocks returns how many blocks of augment_store store an image: a thread stores four
// pixels.
func AugmentBlocks(h, w int) int { return ceil(h*w, 4*Threads) }

// LRNShared returns the dynamic shared memory of the lrn kernels in bytes. A launch with more than
// 48 KiB needs permission first (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES).
func LRNShared(cols int) int { return 4 * cols * max(1, Threads/cols) }

// LRNGrid returns the grid of the lrn kernels.
func LRNGrid(rows, cols, multiprocessors int) Grid {
	return Grid{uint32(min(ceil(rows, max(1, Threads/cols)), elementBlocks*multiprocessors)), 1, 1}
}

// FinalizeGrid returns the grid of batchnorm_finalize. It has few blocks, so that the last block
// does not add up much more than every other block does.
func FinalizeGrid(parts, cols int) Grid { return columnGrid(parts, cols, 4, 64) }

// ChunkElements is the most elements that CutChunks puts into a chunk.
const ChunkElements = 8192

// CutChunks cuts one parameter of the arenas into chunks, the optimizer's units of work, and
// appends them.
func CutChunks(chunks []Chunk, offset, elements int, lrScale, decay float32, trained bool) []Chunk {
	t := int32(0)
	if trained {
		t = 1
	}
	for lo := 0; lo < elements; lo += ChunkElements {
		chunks = append(chunks, Chunk{Offset: int64(offset + lo), Count: int32(min(ChunkElements, elements-lo)), LRScale: lrScale, Decay: decay, Trained: t})
	}
	return chunks
}
