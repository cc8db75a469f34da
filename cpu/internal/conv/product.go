package conv

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
	at     int // number of columns of all panels before, padded
}

// sub is a product with one set of taps: output pixel (n, p, q) of its grid reads patch (n, p, q).
// A forward convolution is one sub-product. The data gradient of a strided convolution has one
// sub-product for each residue of the position.
type sub struct {
	patches

	// output pixel (n, p, q) is pixel n·outN + outOrigin + p·outH + q·outW of the targets
	outN, outOrigin, outH, outW int

	first [2]int // filter row and column of tap (0,0); later taps are less by the stride (data gradient only)

	runs   []run   // the reduction
	chunks []chunk // the reduction, cut so that a panel stays in the cache
	depth  int     // its length

	wino  *winoKernels // not nil: computed in transformed tiles (winograd.go)
	tiled patches      // the 4×4 patches of the transformed tiles

	few bool // panels are packed by the tasks that use them (few.go)

	packed int // where its panels begin
	volume int // values of a panel for each column: depth, or 16 for each channel

	items, blockItems int // output pixels (or Winograd's tiles) in all and in a block, which is whole register tiles
	blocks, groups    int // its tasks: blocks of items × groups of panels
	tasks             int // number of tasks of this and all earlier sub-products
}

// chunk is part of a reduction: runs from…to−1, whose first element is number `at`.
type chunk struct{ from, to, at int }

// product computes targets = sources × panels for all its sub-products. Forward and BackwardData
// fill it in.
type product struct {
	e          *Engine
	in         view // the left operand
	targets    []target
	panels     []panel
	width      int // columns of all panels, padded
	subs       []sub
	accumulate bool
	wantSums   bool
	ep         []float32 // 3 values for each padded column; nil without epilogue
	sums       []float64 // 2 values for each padded column, for each block; nil if not wanted

	segs       []Segment                                                        // the segments whose filters packPanel packs
	g          Geometry                                                         // of the data gradient
	packPanel  func(p *product, s *sub, pa *panel, from, to int, dst []float32) // packs elements [from,to) of the reduction
	packSlices int

	packed, epMem     []float32
	sumMem            []float64
	runTask, packTask func(task, worker int)
}

func (p *product) bind(e *Engine) {
	p.e = e
	p.runTask = p.run
	p.packTask = p.pack
}

// reset begins a product whose left operand is n images of h×w pixels.
func (p *product) reset(n, h, w int, accumulate bool) {
	p.in.reset(n, h, w)
	p.accumulate = accumulate
	p.targets, p.panels, p.width, p.subs = p.targets[:0], p.panels[:0], 0, p.subs[:0]
	p.ep, p.sums, p.wantSums = nil, nil, false
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
	packed, tasks, blocks, slab, items, deepest := 0, 0, 0, 0, 0, 0
	for i := range p.subs {
		s := &p.subs[i]
		p.plan(s)
		s.packed = packed
		if !s.few {
			packed += p.width * s.volume
		}
		tasks += s.blocks * s.groups
		s.tasks = tasks
		blocks = max(blocks, s.blocks)
		items = max(items, s.blockItems)
		read := &s.patches
		if s.wino != nil {
			read = &s.tiled
			p.reserveWino(s)
		}
		if s.few {
			p.reserveFew(s)
		} else {
			deepest = max(deepest, s.depth)
		}
		for b := range s.blocks {
			slab = max(slab, read.slabSize(&p.in, b*s.blockItems, min(s.items, (b+1)*s.blockItems)))
		}
	}
	for i := range p.e.locals {
		l := &p.e.locals[i]
		grow(&l.rows, items)
		grow(&l.outs, items)
		grow(&l.slab, slab)
	}
	grow(&p.packed, packed)
	if p.wantSums {
		p.sums = grow(&p.sumMem, 2*p.width*blocks)
		clear(p.sums)
	}
	p.packSlices = ceilDiv(deepest, packDepth)
	p.e.move(len(p.subs)*len(p.panels)*p.packSlices, packed, p.packTask)
	p.e.pool.Run(tasks, p.runTask)
	clear(p.in.src)
	clear(p.targets)
	p.segs = nil
}

// pack is a task: it packs a slice of a panel.
func (p *product) pack(task, worker int) {
	slice := task % p.packSlices
	pa := &p.panels[task/p.packSlices%len(p.panels)]
	s := &p.subs[task/p.packSlices/len(p.panels)]
	if s.few {
		return
	}
	dst, w := p.packed[s.packed+pa.at*s.volume:], p.e.kern.width[pa.wide]
	if s.wino != nil {
		if slice == 0 {
			p.packWino(s, pa, dst, &p.e.locals[worker])
		}
		return
	}
	if from, to := slice*packDepth, min(s.depth, (slice+1)*packDepth); from < to {
		p.packPanel(p, s, pa, from, to, dst[from*w:to*w])
	}
}

// run is a task: it computes a group of panels for a block of items.
func (p *product) run(task, worker int) {
	i := 0
	for task >= p.subs[i].tasks {
		i++
	}
	s, l := &p.subs[i], &p.e.locals[worker]
	if i > 0 {
		task -= p.subs[i-1].tasks
	}
	block, group := task/s.groups, task%s.groups
	from := block * s.blockItems
	to := min(from+s.blockItems, s.items)
	panels := p.panels[group*len(p.panels)/s.groups : (group+1)*len(p.panels)/s.groups]
	if s.wino != nil {
		p.runWino(s, panels, block, from, to, l)
		return
	}
	a := s.gather(&p.in, from, to, l)
	if s.few {
		p.runFew(s, panels, block, to-from, a, l)
		return
	}
	for i := to - from; i%p.e.kern.rows != 0; i++ {
		l.rows[i] = l.rows[0] // the missing rows of a tile compute values that are not stored
	}
	ld := -1
	for pi := range panels {
		pa := &panels[pi]
		t := &p.targets[pa.target]
		if t.ld != ld {
			ld = t.ld
			s.locate(from, to, ld, l.outs)
		}
		p.runPanel(s, pa, block, to-from, a, at(&t.data[0], pa.col), l)
	}
}

// finish returns the epilogue of a panel and its sums for a block, or nil for each that does not
// exist.
func (p *product) finish(pa *panel, block int) (ep *float32, sums *float64) {
	if p.ep != nil {
		ep = &p.ep[3*pa.at]
	}
	if p.sums != nil {
		sums = &p.sums[2*(block*p.width+pa.at)]
	}
	return ep, sums
}

// runPanel computes one panel of a block of n pixels.
func (p *product) runPanel(s *sub, pa *panel, block, n int, a, out *float32, l *local) {
	kern := p.e.kern
	w := kern.width[pa.wide]
	ep, sums := p.finish(pa, block)
	full := 0 // tiles without ragged edges
	if pa.n == w {
		full = n / kern.rows
	}
	for i := range s.chunks {
		if full == 0 {
			break
		}
		acc, cep, csums := 0, ep, sums
		if p.accumulate || i > 0 {
			acc = 1
		}
		if i < len(s.chunks)-1 {
			cep, csums = nil, nil
		}
		p.callTile(s, pa, i, a, l.rows, out, l.outs, full, cep, csums, acc)
	}
	for t := full; t*kern.rows < n; t++ {
		for i := range s.chunks {
			p.callTile(s, pa, i, a, l.rows[t*kern.rows:], &l.tile[0], l.tileOuts[pa.wide], 1, nil, nil, min(i, 1))
		}
		edge{width: w, ep: ep, sums: sums, accumulate: p.accumulate}.
			store(l.tile, w, min(kern.rows, n-t*kern.rows), 0, pa.n, out, l.outs[t*kern.rows:])
	}
}

// callTile runs the tile kernel of a panel on one chunk of the reduction.
func (p *product) callTile(s *sub, pa *panel, chunk int, a *float32, rows []int, out *float32, outs []int, tiles int, ep *float32, sums *float64, acc int) {
	c := &s.chunks[chunk]
	var runs *run
	var b *float32
	if c.to > c.from {
		runs = &s.runs[c.from]
		b = &p.packed[s.packed+pa.at*s.volume+c.at*p.e.kern.width[pa.wide]]
	}
	p.e.kern.tile[pa.wide](a, &rows[0], out, &outs[0], tiles, runs, c.to-c.from, b, ep, sums, acc)
}
