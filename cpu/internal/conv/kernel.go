package conv

// run is a stretch of a reduction that is contiguous in the left operand: the byte offset from the
// first value of a tile's row, and the number of values.
type run = [2]int

// pair is a pixel of a filter gradient: the offsets of its output gradient and of its input, in
// values.
type pair = [2]uint32

// tileKernel computes `tiles` tiles of `rows`×`width` values (see kernels), one below the other:
// for each row i and column j of a tile
//
//	v = Σ over runs, over t in the run:  a[rows[i] + offset + t] · b[t'][j]
//
// where t' counts all elements of all runs, and b is packed: `width` values for each t'. Then, in
// this order,
//
//	v += old output, if accumulate != 0
//	sums[j] += Σ v, sums[width+j] += Σ v²  over the tile's rows (added up in float32), if sums != nil
//	v = max(v·ep[j] + ep[width+j], ep[2·width+j]), if ep != nil
//	output at out + outs[i] + j = v
//
// rows and outs are byte offsets and hold tiles·rows values.
type tileKernel func(a *float32, rows *int, out *float32, outs *int, tiles int, runs *run, nruns int, b *float32, ep *float32, sums *float64, accumulate int)

// outerKernel computes one tile c[i·ldc+j] = (or +=, if accumulate != 0) Σ over n pairs of
// a[pair[0]+i]·b[pair[1]+j].
type outerKernel func(a, b *float32, pairs *pair, n int, c *float32, ldc int, accumulate int)

// spreadKernel is an outerKernel whose rows lie anywhere: c[i·ldc+j] = (or +=) Σ of
// a[rows[i]+pair[1]]·b[pair[0]+j], where rows are byte offsets. Here b is the output gradient and a
// is the input.
type spreadKernel func(a *float32, rows *int, b *float32, pairs *pair, n int, c *float32, ldc int, accumulate int)

// colSumKernel adds the sum over n >= 1 rows, ld values apart, of `lanes` columns (summed in
// float32) to sums.
type colSumKernel func(a *float32, ld, n int, sums *float64)

// kernels is the set of micro-kernels of one instruction set.
type kernels struct {
	isa     ISA
	width   [2]int            // columns of wide and narrow tiles; the second is half the first
	rows    int               // rows of a tile
	tile    [2]tileKernel     // by width
	lowRows int               // rows of a lower tile, for few pixels
	low     [2]tileKernel     // by width
	heights []int             // rows of outer and spread tiles, in falling order; each is a multiple of the last
	outer   [][2]outerKernel  // by height and width
	spread  [][2]spreadKernel // by height and width
	colSum  colSumKernel
	lanes   int                            // columns of colSum, and values of a vector of addTo
	addTo   func(dst, src *float32, n int) // adds n vectors to dst
	wino    []*winoKernels                 // transforms of 3×3 convolutions, most lanes first
	// transpose8 sets dst[j*ldd+i] = src[i*lds+j] for i < 8 and j < 8*blocks; nil if there is none.
	transpose8 func(dst *float32, ldd int, src *float32, lds int, blocks int)
}

// quantum returns the numbers of which the rows and columns of an outer tile are multiples.
func (k *kernels) quantum() (rows, columns int) { return k.heights[len(k.heights)-1], k.width[1] }
