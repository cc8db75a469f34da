package conv

import "math"

// source is channels of the left operand's image: n values for each pixel, pixels ld apart.
type source struct {
	data []float32
	ld   int
	n    int
}

// target is a group of columns of the result: n values for each pixel, pixels ld apart.
type target struct {
	data []float32
	ld   int
	n    int
}

// panel is up to `width` columns of one target.
type panel struct {
	target int
	col, n int // first column in the target, and number of columns
	wide   int // 0 for a wide and 1 for a narrow tile
	at     int // columns of all panels before, padded
}

// sub is a product with one set of taps: output pixel (n, p, q) of its rows×cols grid reads, for tap (i, j), the pixel
// (p·stepH+offH+i, q·stepW+offW+j) of image n. A forward convolution is one sub-product; the data gradient of a strided
// one has one for each residue of the position.
type sub struct {
	rows, cols   int // of the output grid of an image
	tapsH, tapsW int
	stepH, stepW int
	offH, offW   int

	// output pixel (n, p, q) is pixel n·outN + outOrigin + p·outH + q·outW of the targets
	outN, outOrigin, outH, outW int

	first [2]int // filter row and column of tap (0,0); those of later taps are less by the stride (data gradient only)

	direct bool    // read in place; else each task copies the rows that it reads into a padded slab
	runs   []run   // the reduction
	chunks []chunk // the reduction, cut so that a panel stays in the cache
	depth  int     // its length
	packed int     // where its panels begin

	tiles, blockTiles int // tiles of pixels in all and in a block
	blocks, groups    int // its tasks: blocks of pixels × groups of panels
	tasks             int // tasks of this and all sub-products before
}

// chunk is part of a reduction: runs from…to−1, whose first element is number `at`.
type chunk struct{ from, to, at int }

// product computes targets = sources × panels for all its sub-products. Forward and BackwardData fill it in.
type product struct {
	e          *Engine
	n, h, w    int // images of the left operand
	src        []source
	ctot       int // channels of all sources together
	targets    []target
	panels     []panel
	width      int // columns of all panels, padded
	subs       []sub
	accumulate bool
	ep         []float32 // 3 values for each padded column, nil without epilogue
	sums       []float64 // 2 values for each padded column, for each block, nil if not wanted
	wantSums   bool

	packed, epMem []float32
	sumMem        []float64
	packSlices    int
	packPanel     func(p *product, s *sub, pa *panel, from, to int, dst []float32) // packs elements [from,to) of the reduction
	segs          []Segment                                                        // whose filters packPanel packs
	g             Geometry                                                         // of the data gradient
	runTask       func(task, worker int)
	packTask      func(task, worker int)
}

// Sizes that decide how work is cut up. They suit processors with a second-level cache of 512 KiB or more.
const (
	maxDepth    = 2304    // longest reduction at a time, in values: a panel of 32 columns takes 288 KiB
	blockBytes  = 320e3   // of the left operand that a block of pixels reads
	blockPixels = 192     // pixels of a block
	fewTasks    = 16      // below this, panels are split into groups as well
	taskFlops   = 1 << 21 // a task is not made smaller than this for the sake of more tasks
	packDepth   = 512     // elements of a reduction that one packing task handles
)

func (p *product) bind(e *Engine) {
	p.e = e
	p.runTask = p.run
	p.packTask = p.pack
}

// reset begins a product whose left operand is n images of h×w pixels.
func (p *product) reset(n, h, w int, accumulate bool) {
	p.n, p.h, p.w, p.accumulate = n, h, w, accumulate
	p.src, p.ctot, p.targets, p.panels, p.width, p.subs = p.src[:0], 0, p.targets[:0], p.panels[:0], 0, p.subs[:0]
	p.ep, p.sums, p.wantSums = nil, nil, false
}

func (p *product) addSource(data []float32, ld, n int) {
	p.src = append(p.src, source{data, ld, n})
	p.ctot += n
}

func (p *product) addTarget(data []float32, ld, n int) {
	k := p.e.kern
	for col := 0; col < n; {
		wide := 0
		if n-col < k.width[0] {
			wide = 1
		}
		w := k.width[wide]
		p.panels = append(p.panels, panel{target: len(p.targets), col: col, n: min(w, n-col), wide: wide, at: p.width})
		p.width += w
		col += w
	}
	p.targets = append(p.targets, target{data, ld, n})
}

// addSub returns a new sub-product whose memory for runs is reused.
func (p *product) addSub() *sub {
	if len(p.subs) < cap(p.subs) {
		p.subs = p.subs[:len(p.subs)+1]
	} else {
		p.subs = append(p.subs, sub{})
	}
	s := &p.subs[len(p.subs)-1]
	*s = sub{runs: s.runs[:0], chunks: s.chunks[:0]}
	return s
}

// compute plans the sub-products, packs the panels and runs all tasks.
func (p *product) compute() {
	packed, tasks, blocks, slab, tiles := 0, 0, 0, 0, 0
	deepest := 0
	for i := range p.subs {
		s := &p.subs[i]
		p.plan(s)
		s.packed = packed
		packed += p.width * s.depth
		tasks += s.blocks * s.groups
		s.tasks = tasks
		blocks = max(blocks, s.blocks)
		tiles = max(tiles, s.blockTiles)
		deepest = max(deepest, s.depth)
		for b := range s.blocks {
			slab = max(slab, p.slabSize(s, b))
		}
	}
	kern := p.e.kern
	for i := range p.e.locals {
		l := &p.e.locals[i]
		grow(&l.rows, tiles*kern.rows)
		grow(&l.outs, tiles*kern.rows)
		grow(&l.slab, slab)
	}
	grow(&p.packed, packed)
	if p.wantSums {
		p.sums = grow(&p.sumMem, 2*p.width*blocks)
		clear(p.sums)
	}
	p.packSlices = ceilDiv(deepest, packDepth)
	p.e.pool.Run(len(p.subs)*len(p.panels)*p.packSlices, p.packTask)
	p.e.pool.Run(tasks, p.runTask)
	clear(p.src)
	clear(p.targets)
}

// plan decides how a sub-product is read and cut into tasks.
func (p *product) plan(s *sub) {
	kern := p.e.kern
	inside := s.offH >= 0 && s.offW >= 0 && (s.rows-1)*s.stepH+s.offH+s.tapsH <= p.h && (s.cols-1)*s.stepW+s.offW+s.tapsW <= p.w
	one := p.src[0]
	s.direct = s.tapsH*s.tapsW == 0 || inside && len(p.src) == 1 && (s.tapsW == 1 || one.ld == one.n || one.n >= kern.width[0])
	s.depth = s.tapsH * s.tapsW * p.ctot
	p.layRuns(s)

	pixels := p.n * s.rows * s.cols
	s.tiles = ceilDiv(pixels, kern.rows)
	perPixel := 4 * p.ctot * min(s.stepH, max(s.tapsH, 1)) * p.slabCols(s) / s.cols
	s.blockTiles = max(1, min(int(blockBytes)/max(perPixel*kern.rows, 1), blockPixels/kern.rows))
	s.blocks = ceilDiv(s.tiles, s.blockTiles)
	s.blockTiles = ceilDiv(s.tiles, s.blocks)
	s.blocks = ceilDiv(s.tiles, s.blockTiles)
	s.groups = 1
	if s.blocks < fewTasks {
		flops := 2 * pixels * s.depth * p.width
		s.groups = max(1, min(ceilDiv(fewTasks, s.blocks), len(p.panels), flops/s.blocks/taskFlops))
	}
}

// layRuns lists the reduction: for each tap, the channels of its pixel; what lies side by side is one run. It is cut
// into chunks of at most maxDepth.
func (p *product) layRuns(s *sub) {
	ld, cols := p.ctot, p.slabCols(s)
	if s.direct {
		ld, cols = p.src[0].ld, p.w
	}
	s.runs, s.chunks = s.runs[:0], append(s.chunks[:0], chunk{})
	done, end := 0, -1 // elements so far; where the last run ended
	for i := range s.tapsH {
		for j := range s.tapsW {
			off, left := (i*cols+j)*ld, p.ctot
			for left > 0 {
				last := &s.chunks[len(s.chunks)-1]
				if done-last.at == maxDepth {
					s.chunks = append(s.chunks, chunk{from: len(s.runs), to: len(s.runs), at: done})
					last = &s.chunks[len(s.chunks)-1]
				}
				n := min(left, maxDepth-(done-last.at))
				if off == end && last.from < len(s.runs) {
					s.runs[len(s.runs)-1][1] += n
				} else {
					s.runs = append(s.runs, run{4 * off, n})
				}
				last.to = len(s.runs)
				off, left, done = off+n, left-n, done+n
				end = off
			}
		}
	}
}

// setEpilogue lays out scale, shift and floor of the segments' panels.
func (p *product) setEpilogue(segs []Segment) {
	any := false
	for i := range segs {
		any = any || segs[i].Scale != nil || segs[i].Shift != nil || segs[i].ReLU
	}
	if !any {
		return
	}
	p.ep = grow(&p.epMem, 3*p.width)
	for i := range p.panels {
		pa := &p.panels[i]
		s, w := &segs[pa.target], p.e.kern.width[pa.wide]
		ep := p.ep[3*pa.at:]
		for j := range w {
			ep[j], ep[w+j], ep[2*w+j] = 1, 0, float32(math.Inf(-1))
			if s.ReLU {
				ep[2*w+j] = 0
			}
			if k := pa.col + j; k < s.K {
				if s.Scale != nil {
					ep[j] = s.Scale[k]
				}
				if s.Shift != nil {
					ep[w+j] = s.Shift[k]
				}
			}
		}
	}
}

// pack is a task: it packs a slice of a panel.
func (p *product) pack(task, _ int) {
	slice := task % p.packSlices
	pa := &p.panels[task/p.packSlices%len(p.panels)]
	s := &p.subs[task/p.packSlices/len(p.panels)]
	from, to := slice*packDepth, min(s.depth, (slice+1)*packDepth)
	if from < to {
		w := p.e.kern.width[pa.wide]
		p.packPanel(p, s, pa, from, to, p.packed[s.packed+pa.at*s.depth+from*w:s.packed+pa.at*s.depth+to*w])
	}
}

// run is a task: it computes a group of panels for a block of pixels.
func (p *product) run(task, worker int) {
	i := 0
	for task >= p.subs[i].tasks {
		i++
	}
	s, l, kern := &p.subs[i], &p.e.locals[worker], p.e.kern
	if i > 0 {
		task -= p.subs[i-1].tasks
	}
	block, group := task/s.groups, task%s.groups
	from := block * s.blockTiles * kern.rows
	to := min(from+s.blockTiles*kern.rows, p.n*s.rows*s.cols)
	a := p.gather(s, from, to, l)
	ld := -1
	for pi := group * len(p.panels) / s.groups; pi < (group+1)*len(p.panels)/s.groups; pi++ {
		pa := &p.panels[pi]
		t := &p.targets[pa.target]
		if t.ld != ld {
			ld = t.ld
			p.locate(s, from, to, ld, l.outs)
		}
		p.runPanel(s, pa, block, to-from, a, at(&t.data[0], pa.col), l)
	}
}

// runPanel computes one panel of a block of n pixels.
func (p *product) runPanel(s *sub, pa *panel, block, n int, a, out *float32, l *local) {
	kern := p.e.kern
	w, tile := kern.width[pa.wide], kern.tile[pa.wide]
	var ep *float32
	var sums *float64
	if p.ep != nil {
		ep = &p.ep[3*pa.at]
	}
	if p.sums != nil {
		sums = &p.sums[2*(block*p.width+pa.at)]
	}
	full := 0 // tiles without ragged edges
	if pa.n == w {
		full = n / kern.rows
	}
	if full > 0 {
		for i := range s.chunks {
			c := &s.chunks[i]
			acc, cep, csums := 0, ep, sums
			if p.accumulate || i > 0 {
				acc = 1
			}
			if i < len(s.chunks)-1 {
				cep, csums = nil, nil
			}
			p.callTile(tile, s, c, a, l.rows, out, l.outs, full, p.panelAt(s, pa, c.at, w), cep, csums, acc)
		}
	}
	for t := full; t*kern.rows < n; t++ {
		for i := range s.chunks {
			c := &s.chunks[i]
			p.callTile(tile, s, c, a, l.rows[t*kern.rows:], &l.tile[0], l.tileOuts[pa.wide], 1, p.panelAt(s, pa, c.at, w), nil, nil, min(i, 1))
		}
		edge{width: w, ep: ep, sums: sums, accumulate: p.accumulate}.
			store(l.tile, w, min(kern.rows, n-t*kern.rows), 0, pa.n, out, l.outs[t*kern.rows:])
	}
}

func (p *product) callTile(tile tileKernel, s *sub, c *chunk, a *float32, rows []int, out *float32, outs []int, tiles int, b *float32, ep *float32, sums *float64, acc int) {
	var runs *run
	if c.to > c.from {
		runs = &s.runs[c.from]
	}
	tile(a, &rows[0], out, &outs[0], tiles, runs, c.to-c.from, b, ep, sums, acc)
}

// panelAt is element `at` of the reduction in a packed panel.
func (p *product) panelAt(s *sub, pa *panel, at, width int) *float32 {
	if s.depth == 0 {
		return nil
	}
	return &p.packed[s.packed+pa.at*s.depth+at*width]
}
