package conv

// The filter gradient of a 3×3 convolution in transformed tiles is DW = Gᵀ·U·G with U = Σ over
// tiles of (A·dY·Aᵀ)·(Bᵀ·x·B). Each of 16 planes is a sum of outer products over the tiles, instead
// of nine sums over four times as many pixels.
//
// Tiles are handled in batches that fit the outer cache. In each batch, one stage of tasks
// transforms inputs and output gradients, and another adds to the planes of U. A last stage
// transforms U. No sum is split between tasks.

const (
	winoBatchBytes = 8 << 20 // size of the transformed tiles of a batch
	winoListTiles  = 256     // tiles of a list; their values stay in the inner cache
	winoPlaneTasks = 2       // tasks for each plane, by filters
	winoSliceTiles = 48      // tiles that one task transforms
	winoFilterRows = 16      // filters whose gradients one task transforms
)

// winoFilter computes the filter gradients of all segments together in transformed tiles.
type winoFilter struct {
	e          *Engine
	g          Geometry
	segs       []Segment
	accumulate bool

	x, dy             view
	inTiles, outTiles patches // 4×4 patches of x and 2×2 patches of dy
	tiles, batch      int     // number of tiles, and tiles of a batch
	first, n          int     // the current batch
	xMem, dyMem, uMem []float32
	pairs             []pair
	slices            int // number of transformation tasks of the input in a batch; dy has the same number

	transformTask, productTask, finishTask func(task, worker int)
}

func (f *winoFilter) bind(e *Engine) {
	f.e = e
	f.transformTask, f.productTask, f.finishTask = f.transform, f.product, f.finish
}

// can reports whether a filter gradient can and should be computed in transformed tiles.
func (f *winoFilter) can(g Geometry, segs []Segment) bool {
	if len(f.e.kern.wino) == 0 || g.R != 3 || g.S != 3 || g.StrideH != 1 || g.StrideW != 1 || g.P < 2 || g.Q < 2 || g.C < winoDepth {
		return false
	}
	k := f.e.kern.wino[0]
	if g.C%k.lanes != 0 {
		return false
	}
	for i := range segs {
		if segs[i].K%k.lanes != 0 || segs[i].K < winoDepth {
			return false
		}
	}
	return true
}

func (f *winoFilter) compute(g Geometry, x []float32, ldx int, segs []Segment, accumulate bool) {
	f.g, f.segs, f.accumulate = g, segs, accumulate
	f.x.reset(g.N, g.H, g.W)
	f.x.add(x, ldx, g.C)
	f.dy.reset(g.N, g.P, g.Q)
	for i := range segs {
		f.dy.add(segs[i].Y, segs[i].LdY, segs[i].K)
	}
	rows, cols := ceilDiv(g.P, 2), ceilDiv(g.Q, 2)
	f.inTiles = patches{rows: rows, cols: cols, tapsH: 4, tapsW: 4, stepH: 2, stepW: 2, offH: -g.PadTop, offW: -g.PadLeft}
	f.inTiles.direct = f.inTiles.inside(&f.x)
	f.outTiles = patches{rows: rows, cols: cols, tapsH: 2, tapsW: 2, stepH: 2, stepW: 2}
	f.outTiles.direct = f.outTiles.inside(&f.dy)
	f.tiles = g.N * rows * cols
	c, k := f.x.c, f.dy.c
	most := max(winoSliceTiles, winoBatchBytes/(16*4*(c+k)))
	f.batch = ceilDiv(f.tiles, ceilDiv(f.tiles, most))
	f.slices = ceilDiv(f.batch, winoSliceTiles)
	f.reserve()

	pool := f.e.pool
	for f.first = 0; f.first < f.tiles; f.first += f.batch {
		f.n = min(f.batch, f.tiles-f.first)
		pool.Run(2*f.slices, f.transformTask)
		pool.Run(16*winoPlaneTasks, f.productTask)
	}
	f.e.move(k/winoFilterRows+1, 16*c*k, f.finishTask)
	f.segs = nil
	clear(f.x.src)
	clear(f.dy.src)
}

func (f *winoFilter) reserve() {
	c, k := f.x.c, f.dy.c
	grow(&f.xMem, 16*f.batch*c)
	grow(&f.dyMem, 16*f.batch*k)
	grow(&f.uMem, 16*c*k)
	grow(&f.pairs, f.batch)
	for t := range f.batch {
		f.pairs[t] = pair{uint32(t * k), uint32(t * c)}
	}
	slab := 0
	for from := 0; from < f.tiles; from += winoSliceTiles {
		// the slices of a batch need not begin here, but no slice has more tiles than two of these
		to := min(f.tiles, from+2*winoSliceTiles)
		slab = max(slab, f.inTiles.slabSize(&f.x, from, to), f.outTiles.slabSize(&f.dy, from, to))
	}
	for i := range f.e.locals {
		l := &f.e.locals[i]
		grow(&l.rows, winoSliceTiles)
		grow(&l.slab, slab)
	}
}

// transform is a task: it transforms a slice of the batch's input or output gradients.
func (f *winoFilter) transform(task, worker int) {
	l, k := &f.e.locals[worker], f.e.kern.wino[0]
	v, tiles, mem, do := &f.x, &f.inTiles, f.xMem, k.input
	if task >= f.slices {
		task -= f.slices
		v, tiles, mem, do = &f.dy, &f.outTiles, f.dyMem, k.grad
	}
	from, to := task*winoSliceTiles, min(f.n, (task+1)*winoSliceTiles)
	if from >= to {
		return
	}
	a := tiles.gather(v, f.first+from, f.first+to, l)
	pixel, line := tiles.layout(v)
	for t := from; t < to; t++ {
		do(&mem[t*v.c], 4*f.batch*v.c, at(a, l.rows[t-from]/4), 4*pixel, 4*line, v.c/k.lanes)
	}
}

// product is a task: it adds the batch's outer products to some filters' rows of one plane.
func (f *winoFilter) product(task, _ int) {
	kern, c, k := f.e.kern, f.x.c, f.dy.c
	xi, part := task/winoPlaneTasks, task%winoPlaneTasks
	quantum, _ := kern.quantum()
	share := roundUp(ceilDiv(k, winoPlaneTasks), quantum*len(kern.heights))
	k0, k1 := min(k, part*share), min(k, (part+1)*share)
	x, dy, u := f.xMem[xi*f.batch*c:], f.dyMem[xi*f.batch*k:], f.uMem[xi*c*k:]
	for t := 0; t < f.n; t += winoListTiles {
		acc, n := 1, min(winoListTiles, f.n-t)
		if f.first == 0 && t == 0 {
			acc = 0
		}
		for j := 0; j < c; {
			wide := 0
			if c-j < kern.width[0] {
				wide = 1
			}
			for row, h := k0, 0; row < k1; row += kern.heights[h] {
				for kern.heights[h] > k1-row {
					h++
				}
				kern.outer[h][wide](&dy[row], &x[j], &f.pairs[t], n, &u[row*c+j], c, acc)
			}
			j += kern.width[wide]
		}
	}
}

// finish is a task: it transforms the sums of some filters into their gradients.
func (f *winoFilter) finish(task, _ int) {
	k, c := f.e.kern.wino[0], f.x.c
	acc, row := 0, 0
	if f.accumulate {
		acc = 1
	}
	for i := range f.segs {
		s := &f.segs[i]
		from, to := max(0, task*winoFilterRows-row), min(s.K, (task+1)*winoFilterRows-row)
		for ; from < to; from++ {
			k.filterGrad(&s.DW[from*9*c], 4*c, &f.uMem[(row+from)*c], 4*c*f.dy.c, c/k.lanes, acc)
		}
		row += s.K
	}
}
