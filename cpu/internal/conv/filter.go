package conv

import "math"

// filter computes filter gradients: for each tap, DW[k][tap][c] = Σ over pixels of dY[k]·x[c]. That
// is a sum of outer products over the pixels for which the tap lies inside the image.
//
// The pixels are cut into a few chunks, and the columns (taps × channels) into groups. A task is
// one chunk × one group, for all filters. With several chunks, each has its own partial sums, which
// a second stage adds in order.
type filter struct {
	e          *Engine
	g          Geometry
	segs       []Segment
	accumulate bool

	// The input as the tasks read it: x itself, or, if the channels are too few for whole vectors,
	// a dense padded copy in which the taps of a kernel row lie side by side and count as one tap.
	x        []float32
	ldx      int
	dense    bool
	taps     int  // R·S, or R if dense
	tapWidth int  // values of a tap: C, or S·C if dense
	clipped  bool // taps see different pixels, because of padding

	spread   bool  // few channels: the operands change roles (filter_spread.go)
	elements []int // if spread, the byte offsets of a filter's weights in the input, padded

	columns []column // tiles of columns of all taps
	padded  int      // values of a tap in the partial sums
	grads   []grad   // by segment

	chunks, chunkPixels int
	groups              int
	direct              bool // sums go directly to DW: one chunk and no ragged edge

	dyMem, xMem, partial []float32
	runTask, reduceTask  func(task, worker int)
	copyTask             func(task, worker int)
	spreadTask           func(task, worker int)
	gatherTask           func(task, worker int)
	partialSize          int // values of partial sums of a chunk
}

// column is the columns of a tile: values j… of a tap.
type column struct{ tap, j, wide int }

// grad is the output gradient of one segment as the tasks read it.
type grad struct {
	dy      []float32
	ld      int
	k       int // filters, padded
	partial int // where its partial sums begin in a chunk's
	dw      []float32
}

// Sizes that decide how filter gradients are cut up.
const (
	listPixels    = 256     // pixels of a list; their values stay in the cache
	chunkPixels   = 1024    // smallest number of pixels of a chunk
	maxChunks     = 16      // largest number of chunks
	filterTasks   = 24      // desired number of tasks
	reducedAtOnce = 1 << 13 // values of partial sums that one task of the second stage adds up
)

func (f *filter) bind(e *Engine) {
	f.e = e
	f.runTask, f.reduceTask, f.copyTask, f.spreadTask, f.gatherTask = f.run, f.reduce, f.copyDense, f.runSpread, f.gatherSpread
}

// BackwardFilter computes the filter gradients DW (K, R, S, C) and DBias (K) of the segments from
// the input x (N, H, W, C), whose pixels are ldx values apart, and the output gradients Y: DW = (or
// +=, if accumulate) Yᵀ·x.
//
// Cost: 2·N·P·Q·R·S·C·ΣK floating-point operations, minus those that padding saves.
func (e *Engine) BackwardFilter(g Geometry, x []float32, ldx int, segs []Segment, accumulate bool) {
	g.check(x, ldx, len(segs))
	bias := false
	for i := range segs {
		segs[i].check(g)
		checkLen("DW", segs[i].DW, segs[i].K*g.depth())
		if segs[i].DBias != nil {
			checkLen("DBias", segs[i].DBias, segs[i].K)
			bias = true
		}
	}
	if bias {
		e.bias.compute(g, segs, accumulate)
	}
	if e.wino.can(g, segs) {
		e.wino.compute(g, x, ldx, segs, accumulate)
		return
	}
	f := &e.filter
	f.g, ldx = g.flat(ldx)
	f.segs, f.accumulate = segs, accumulate
	f.planInput(x, ldx)
	if f.planSpread(); !f.spread {
		f.planColumns()
	}
	f.planGrads()
	f.planTasks()
	e.pool.Run(f.copies(), f.copyTask)
	if f.spread {
		e.pool.Run(f.chunks, f.spreadTask)
		e.move(f.filters()/spreadFilters+1, f.chunks*f.partialSize, f.gatherTask)
	} else {
		e.pool.Run(f.chunks*f.groups, f.runTask)
		if !f.direct {
			e.move(ceilDiv(f.partialSize, reducedAtOnce), f.chunks*f.partialSize, f.reduceTask)
		}
	}
	f.x, f.segs = nil, nil
	clear(f.grads)
}

// planInput decides how the input is read.
func (f *filter) planInput(x []float32, ldx int) {
	g := f.g
	_, quantum := f.e.kern.quantum()
	waste := func(n int) float64 { return float64(roundUp(n, quantum)) / float64(n) }
	f.dense = g.C%quantum != 0 || g.S > 1 && waste(g.C) > 1.1*waste(g.S*g.C)
	f.x, f.ldx = x, ldx
	if f.dense {
		f.taps, f.tapWidth, f.clipped = g.R, g.S*g.C, false
	} else {
		f.taps, f.tapWidth = g.R*g.S, g.C
		f.clipped = g.PadTop > 0 || g.PadLeft > 0 || (g.P-1)*g.StrideH+g.R > g.H || (g.Q-1)*g.StrideW+g.S > g.W
	}
	f.padded = roundUp(f.tapWidth, quantum)
}

// planColumns lists the tiles of columns.
func (f *filter) planColumns() {
	width := f.e.kern.width
	f.columns = f.columns[:0]
	for tap := range f.taps {
		for j := 0; j < f.tapWidth; {
			wide := 0
			if f.tapWidth-j <= width[1] {
				wide = 1
			}
			f.columns = append(f.columns, column{tap, j, wide})
			j += width[wide]
		}
	}
}

// planGrads decides how the output gradients are read.
func (f *filter) planGrads() {
	quantum, columns := f.e.kern.quantum()
	lines, width := f.taps, f.padded // of the partial sums of a filter
	if f.spread {
		quantum, lines, width = columns, 1, len(f.elements)
	}
	f.grads = f.grads[:0]
	f.partialSize = 0
	copied := 0
	for i := range f.segs {
		s := &f.segs[i]
		gr := grad{dy: s.Y, ld: s.LdY, k: roundUp(s.K, quantum), partial: f.partialSize, dw: s.DW}
		if gr.k != s.K {
			copied += f.g.pixels()*s.K + quantum
		}
		f.partialSize += gr.k * lines * width
		f.grads = append(f.grads, gr)
	}
	grow(&f.dyMem, copied)
	copied = 0
	for i := range f.segs {
		s, gr := &f.segs[i], &f.grads[i]
		if gr.k != s.K {
			n := f.g.pixels()*s.K + quantum
			gr.dy, gr.ld = f.dyMem[copied:copied+n], s.K
			copied += n
		}
	}
}

// planTasks decides how the work is cut up.
func (f *filter) planTasks() {
	pixels := f.g.pixels()
	f.chunks = max(1, min(maxChunks, pixels/chunkPixels))
	f.chunkPixels = roundUp(ceilDiv(pixels, f.chunks), 8)
	f.chunks = ceilDiv(pixels, f.chunkPixels)
	f.groups = max(1, min(len(f.columns), ceilDiv(filterTasks, f.chunks)))
	if f.spread {
		f.groups = 1
	}
	f.direct = f.chunks == 1 && f.padded == f.tapWidth && !f.spread
	for i := range f.segs {
		f.direct = f.direct && f.grads[i].k == f.segs[i].K
	}
	if !f.direct {
		grow(&f.partial, f.chunks*f.partialSize)
	}
	for i := range f.e.locals {
		grow(&f.e.locals[i].pairs, listPixels)
	}
	if uint64(f.g.N*f.g.H*f.g.W)*uint64(f.ldx) > math.MaxUint32 {
		panic("conv: an input of more than 2^32 values")
	}
	for i := range f.grads {
		if uint64(pixels)*uint64(f.grads[i].ld) > math.MaxUint32 {
			panic("conv: an output of more than 2^32 values")
		}
	}
}

// run is a task: it sums one chunk of pixels for one group of columns.
func (f *filter) run(task, worker int) {
	l, kern := &f.e.locals[worker], f.e.kern
	chunk, group := task/f.groups, task%f.groups
	in := f.x
	if f.dense {
		in = f.xMem
	}
	columns := f.columns[group*len(f.columns)/f.groups : (group+1)*len(f.columns)/f.groups]
	from, end := chunk*f.chunkPixels, min(f.g.pixels(), (chunk+1)*f.chunkPixels)
	for first := from; first < end; first += listPixels {
		last := min(end, first+listPixels)
		acc := 0
		if first > from || f.direct && f.accumulate {
			acc = 1
		}
		for s := range f.grads {
			gr := &f.grads[s]
			out, ldc := gr.dw, f.taps*f.padded
			if !f.direct {
				out = f.partial[chunk*f.partialSize+gr.partial:]
			}
			tap, base, n := -1, 0, 0
			for i := range columns {
				c := &columns[i]
				if c.tap != tap {
					if tap < 0 || f.clipped {
						n = f.listPairs(c.tap, first, last, gr.ld, l.pairs)
					}
					tap, base = c.tap, f.tapBase(c.tap)
				}
				x := &in[0]
				if n > 0 {
					x = &in[base+c.j]
				}
				for k, h := 0, 0; k < gr.k; k += kern.heights[h] {
					for kern.heights[h] > gr.k-k {
						h++
					}
					kern.outer[h][c.wide](at(&gr.dy[0], k), x, &l.pairs[0], n, &out[k*ldc+c.tap*f.padded+c.j], ldc, acc)
				}
			}
		}
	}
}

// tapBase returns the offset of a tap in the input, from the pixel that listPairs lists.
func (f *filter) tapBase(tap int) int {
	switch {
	case f.clipped:
		return 0
	case f.dense:
		return tap * f.denseCols() * f.g.C
	default:
		return (tap/f.g.S*f.g.W + tap%f.g.S) * f.ldx
	}
}

// listPairs lists, for the output pixels first…last−1, where their gradient begins and where the
// input that a tap sees begins. It leaves out pixels whose input is padding, and returns the number
// of pairs.
func (f *filter) listPairs(tap, first, last, ldy int, pairs []pair) int {
	g := &f.g
	rows, cols, ld, top, left := g.H, g.W, f.ldx, 0, 0
	if f.dense {
		rows, cols, ld = f.denseRows(), f.denseCols(), g.C
	}
	q0, q1 := 0, g.Q // output columns for which the tap is inside
	if f.clipped {
		top, left = tap/g.S-g.PadTop, tap%g.S-g.PadLeft
		q0 = max(0, ceilDiv(max(-left, 0), g.StrideW))
		q1 = max(q0, min(g.Q, (g.W-1-left+g.StrideW)/g.StrideW))
	}
	n := 0
	step := uint32(g.StrideW * ld)
	for pix := first; pix < last; {
		line := pix / g.Q // of the output, over all images
		from, to := max(q0, pix-line*g.Q), min(q1, last-line*g.Q)
		pix = (line + 1) * g.Q
		y := line%g.P*g.StrideH + top
		if from >= to || y < 0 || y >= rows {
			continue
		}
		a := uint32((line*g.Q + from) * ldy)
		b := uint32(((line/g.P*rows+y)*cols + from*g.StrideW + left) * ld)
		for out := pairs[n : n+to-from]; len(out) > 0; out = out[1:] {
			out[0] = pair{a, b}
			a += uint32(ldy)
			b += step
		}
		n += to - from
	}
	return n
}

// reduce is a task of the second stage: it adds the chunks' partial sums of a range of values.
func (f *filter) reduce(task, _ int) {
	from, end := task*reducedAtOnce, min(f.partialSize, (task+1)*reducedAtOnce)
	for s := range f.grads {
		gr := &f.grads[s]
		lines := gr.k * f.taps
		first, last := max(0, from-gr.partial), min(lines*f.padded, end-gr.partial)
		for first < last { // one tap of one filter
			line := first / f.padded
			j := first - line*f.padded
			n := min(f.padded, j+last-first) - j
			if k := line / f.taps; k < f.segs[s].K && j < f.tapWidth {
				m := min(n, f.tapWidth-j)
				f.addChunks(gr.dw[line*f.tapWidth+j:][:m], gr.partial+first)
			}
			first += n
		}
	}
}

// addChunks sets dst to the sum of the chunks' values from `at` on, or adds the sum to dst.
func (f *filter) addChunks(dst []float32, at int) {
	first := 0
	if !f.accumulate {
		copy(dst, f.partial[at:])
		first = 1
	}
	kern := f.e.kern
	n := len(dst) / kern.lanes
	for c := first; c < f.chunks; c++ {
		src := f.partial[c*f.partialSize+at:][:len(dst)]
		if n > 0 {
			kern.addTo(&dst[0], &src[0], n)
		}
		for j := n * kern.lanes; j < len(dst); j++ {
			dst[j] += src[j]
		}
	}
}
