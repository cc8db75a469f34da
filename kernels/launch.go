package kernels

// Threads is how many threads a block of every kernel here has.
const Threads = 256

// Grid is how many blocks a launch has.
type Grid struct{ X, Y, Z uint32 }

// Reach of a launch, in blocks for each multiprocessor: enough to keep memory busy, few enough that a reduction's partial sums
// stay few.
const (
	elementBlocks   = 16
	reductionBlocks = 4
)

func ceil(n, by int) int { return (n + by - 1) / by }

// pack is how many elements a thread moves in one access: 16 bytes.
func pack(elemBytes int) int { return 16 / elemBytes }

// ElementGrid is the grid of kernels that treat every pack of a rows x cols matrix alike, on a GPU with so many multiprocessors.
func ElementGrid(rows, cols, elemBytes, multiprocessors int) Grid {
	blocks := ceil(rows*ceil(cols, pack(elemBytes)), Threads)
	return Grid{uint32(min(max(blocks, 1), elementBlocks*multiprocessors)), 1, 1}
}

// ColumnGrid is the grid of kernels whose threads keep their channels: affine, pooling, the gradient of batch normalisation. Y
// shares out the channels, at most one pack for each thread, and X the rows.
func ColumnGrid(rows, cols, elemBytes, multiprocessors int) Grid {
	return columnGrid(rows, cols, elemBytes, elementBlocks*multiprocessors)
}

// ReductionGrid is ColumnGrid for kernels that sum columns. They, and batchnorm_finalize, need X·K·cols doubles for partial sums,
// where K is 1 for bias_backward and 2 for batch normalisation, and Y counters.
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

// AugmentTiles is how many blocks augment_resize has for an image of h x w pixels.
func AugmentTiles(h, w int) int { return ceil(h, AugmentTileH) * ceil(w, AugmentTileW) }

// AugmentBlocks is how many blocks augment_store has for one: a thread stores four pixels.
func AugmentBlocks(h, w int) int { return ceil(h*w, 4*Threads) }

// LRNShared is the dynamic shared memory of the lrn kernels, in bytes; more than 48 KiB must be allowed before
// (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES).
func LRNShared(cols int) int { return 4 * cols * max(1, Threads/cols) }

// LRNGrid is the grid of the lrn kernels.
func LRNGrid(rows, cols, multiprocessors int) Grid {
	return Grid{uint32(min(ceil(rows, max(1, Threads/cols)), elementBlocks*multiprocessors)), 1, 1}
}

// FinalizeGrid is the grid of batchnorm_finalize. It has few blocks, so that what the last one adds up is not much more than what
// each of them does.
func FinalizeGrid(parts, cols int) Grid { return columnGrid(parts, cols, 4, 64) }

// ChunkElements is the size into which CutChunks cuts parameters.
const ChunkElements = 8192

// CutChunks cuts one parameter of the arenas into the optimizer's units of work.
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
