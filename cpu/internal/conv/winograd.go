package conv

// 3×3 convolutions of stride 1 are computed as F(2×2, 3×3) of Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks" (2016), if the channels fill vectors. An output tile of 2×2 pixels
// is the transform of the product of a transformed 4×4 input tile and a transformed filter, with 16
// instead of 36 multiplications. In float32 the error is at most that of the direct sum, since each
// sum has a ninth of the terms.
//
// A task transforms the input of a block of tiles for all channels (planes V). Then, panel by
// panel, it multiplies each of the 16 planes with its plane of the filters (planes M) and
// transforms the result. Planes V and M stay in the cache.

const (
	winoTiles   = 48 // tiles of a block
	winoDepth   = 16 // smallest number of input and output channels for which it pays
	winoFlush   = 8  // tiles whose sums are added up in float32
	winoDeepest = 1024
)

// winoKernels are the transforms; see tools/avo/gemm/winograd.go. Distances are in bytes, n counts
// vectors.
type winoKernels struct {
	lanes      int
	input      func(dst *float32, plane int, src *float32, col, row int, n int)
	grad       func(dst *float32, plane int, src *float32, col, row int, n int)
	filter     func(dst, src *float32, plane int, n int)
	filterGrad func(dst *float32, tap int, src *float32, plane int, n int, accumulate int)
	output     func(m *float32, plane, step int, out *float32, outs *int, tiles int, ep *float32, sums *float64, width int, accumulate int)
}

// winoFor returns the transforms with which a sub-product can and should be computed, or nil.
func (p *product) winoFor(s *sub) *winoKernels {
	if s.tapsH != 3 || s.tapsW != 3 || s.stepH != 1 || s.stepW != 1 || s.rows < 2 || s.cols < 2 ||
		p.in.c < winoDepth || p.in.c > winoDeepest {
		return nil
	}
	for _, k := range p.e.kern.wino {
		fits := p.in.c%k.lanes == 0
		for i := range p.targets {
			fits = fits && p.targets[i].n%k.lanes == 0 && p.targets[i].n >= winoDepth
		}
		if fits {
			return k
		}
	}
	return nil
}

// planTiled sets the patches of transformed tiles.
func (s *sub) planTiled(in *view) {
	s.tiled = patches{rows: ceilDiv(s.rows, 2), cols: ceilDiv(s.cols, 2), tapsH: 4, tapsW: 4, stepH: 2, stepW: 2, offH: s.offH, offW: s.offW}
	s.tiled.direct = s.tiled.inside(in)
}

// reserveWino allocates the planes of a block and a panel's filters.
func (p *product) reserveWino(s *sub) {
	w := p.e.kern.width[0]
	for i := range p.e.locals {
		l := &p.e.locals[i]
		grow(&l.planes, 16*s.blockItems*p.in.c)
		grow(&l.products, 16*s.blockItems*w)
		grow(&l.filters, s.depth*w)
		grow(&l.pixels, 4*s.blockItems)
	}
}

// packWino packs the 16 planes of a panel: for each channel of the input, the panel's columns.
func (p *product) packWino(s *sub, pa *panel, dst []float32, l *local) {
	k, w := s.wino, p.e.kern.width[pa.wide]
	p.packPanel(p, s, pa, 0, s.depth, l.filters[:s.depth*w])
	k.filter(&dst[0], &l.filters[0], 4*p.in.c*w, p.in.c*w/k.lanes)
}

// runWino computes panels for the tiles from…to−1 of a block.
func (p *product) runWino(s *sub, panels []panel, block, from, to int, l *local) {
	kern, c, n := p.e.kern, p.in.c, to-from
	k := s.wino
	a := s.tiled.gather(&p.in, from, to, l)
	pixel, line := s.tiled.layout(&p.in)
	plane := s.blockItems * c
	for t := range n {
		k.input(&l.planes[t*c], 4*plane, at(a, l.rows[t]/4), 4*pixel, 4*line, c/k.lanes)
	}
	padded := roundUp(n, kern.rows)
	for t := range padded {
		l.rows[t] = 4 * min(t, n-1) * c
	}
	ld, width := -1, -1
	acc := 0
	if p.accumulate {
		acc = 1
	}
	reduction := run{0, c}
	l.run = reduction
	for i := range panels {
		pa := &panels[i]
		w := kern.width[pa.wide]
		if w != width {
			width = w
			for t := range padded {
				l.outs[t] = 4 * t * w
			}
		}
		t := &p.targets[pa.target]
		if t.ld != ld {
			ld = t.ld
			s.locateTiles(from, to, ld, l.pixels)
		}
		filters := p.packed[s.packed+pa.at*s.volume:]
		for xi := range 16 {
			kern.tile[pa.wide](&l.planes[xi*plane], &l.rows[0], &l.products[xi*s.blockItems*w], &l.outs[0], padded/kern.rows,
				&l.run, 1, &filters[xi*c*w], nil, nil, 0)
		}
		ep, sums := p.finish(pa, block)
		for first := 0; first < n; first += winoFlush {
			for j := 0; j < pa.n; j += k.lanes {
				vep, vsums := ep, sums
				if ep != nil {
					vep = at(ep, j)
				}
				if sums != nil {
					vsums = sumAt(sums, j)
				}
				k.output(&l.products[first*w+j], 4*s.blockItems*w, 4*w, at(&t.data[0], pa.col+j), &l.pixels[4*first], min(winoFlush, n-first), vep, vsums, w, acc)
			}
		}
	}
}

// locateTiles sets outs to the byte offsets of the four pixels of tiles from…to−1 in a target whose
// pixels are ld apart, and to −1 for pixels beyond the grid.
func (s *sub) locateTiles(from, to, ld int, outs []int) {
	image := s.tiled.rows * s.tiled.cols
	n, i, j := from/image, from%image/s.tiled.cols, from%s.tiled.cols
	for t := range to - from {
		for p := range 4 {
			row, col := 2*i+p/2, 2*j+p%2
			outs[4*t+p] = -1
			if row < s.rows && col < s.cols {
				outs[4*t+p] = 4 * (s.outOrigin + n*s.outN + row*s.outH + col*s.outW) * ld
			}
		}
		if j++; j == s.tiled.cols {
			j = 0
			if i++; i == s.tiled.rows {
				i = 0
				n++
			}
		}
	}
}
