package conv

// With few pixels, as in linear layers, each panel is used for a few tiles only, and reading the
// filters takes most of the time. Then the filters are not packed in advance: a task packs a short
// stretch of a few panels, which stays in the cache, and uses it at once.

const (
	fewPixels = 48  // largest number of output pixels
	fewPanels = 4   // panels of a task
	fewDepth  = 256 // elements of the reduction that are packed at a time
)

// fewTile returns the tile kernel that wastes fewer rows on n pixels, and its number of rows.
func (k *kernels) fewTile(n, wide int) (tile tileKernel, rows int) {
	if roundUp(n, k.lowRows) < roundUp(n, k.rows) {
		return k.low[wide], k.lowRows
	}
	return k.tile[wide], k.rows
}

func (p *product) reserveFew(s *sub) {
	w := p.e.kern.width[0]
	for i := range p.e.locals {
		l := &p.e.locals[i]
		grow(&l.filters, fewDepth*w)
		grow(&l.products, fewPanels*s.blockItems*w)
	}
}

// runFew computes panels for all n pixels. It keeps raw results in l.products and finishes them at
// the end.
func (p *product) runFew(s *sub, panels []panel, block, n int, a *float32, l *local) {
	kern := p.e.kern
	wide := kern.width[0]
	_, rows := kern.fewTile(n, 0)
	for i := range s.blockItems {
		l.outs[i] = 4 * i * wide
		if i >= n {
			l.rows[i] = l.rows[0] // the missing rows of a tile compute values that are not stored
		}
	}
	stride := s.blockItems * wide
	for ci := range s.chunks {
		c := &s.chunks[ci]
		end := s.depth
		if ci+1 < len(s.chunks) {
			end = s.chunks[ci+1].at
		}
		var runs *run
		if c.from < c.to {
			runs = &s.runs[c.from]
		}
		for i := range panels {
			pa := &panels[i]
			p.packPanel(p, s, pa, c.at, end, l.filters[:(end-c.at)*kern.width[pa.wide]])
			tile, _ := kern.fewTile(n, pa.wide)
			tile(a, &l.rows[0], &l.products[i*stride], &l.outs[0], ceilDiv(n, rows), runs, c.to-c.from, &l.filters[0], nil, nil, min(ci, 1))
		}
	}
	for i := range panels {
		pa := &panels[i]
		t := &p.targets[pa.target]
		s.locate(0, n, t.ld, l.outs)
		ep, sums := p.finish(pa, block)
		edge{width: kern.width[pa.wide], ep: ep, sums: sums, accumulate: p.accumulate}.
			store(l.products[i*stride:], wide, n, 0, pa.n, at(&t.data[0], pa.col), l.outs)
	}
}
