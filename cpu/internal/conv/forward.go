package conv

// Forward computes segs[i].Y = epilogue(x ⋆ segs[i].W) and the segments' Sums, for sibling
// convolutions of an input (N, H, W, C) whose pixels are ld values apart.
//
// Cost: 2·N·P·Q·R·S·C·ΣK floating-point operations.
func (e *Engine) Forward(g Geometry, x []float32, ldx int, segs []Segment) {
	g.check(x, ldx, len(segs))
	sums := false
	for i := range segs {
		s := &segs[i]
		s.check(g)
		checkLen("W", s.W, s.K*g.depth())
		if s.Scale != nil {
			checkLen("Scale", s.Scale, s.K)
		}
		if s.Shift != nil {
			checkLen("Shift", s.Shift, s.K)
		}
		if s.Sums != nil {
			checkLen("Sums", s.Sums, 2*s.K)
			sums = true
		}
	}
	g, ldx = g.flat(ldx)
	p := &e.product
	p.reset(g.N, g.H, g.W, false)
	p.in.add(x, ldx, g.C)
	for i := range segs {
		p.addTarget(segs[i].Y, segs[i].LdY, segs[i].K)
	}
	s := p.addSub()
	s.rows, s.cols, s.tapsH, s.tapsW = g.P, g.Q, g.R, g.S
	s.stepH, s.stepW, s.offH, s.offW = g.StrideH, g.StrideW, -g.PadTop, -g.PadLeft
	s.outN, s.outH, s.outW = g.P*g.Q, g.Q, 1
	p.setEpilogue(segs)
	p.wantSums = sums
	p.packPanel, p.segs = packForward, segs
	p.compute()
	if sums {
		p.reduceSums(segs)
	}
}

// packForward packs filters: element d of the reduction is value d of each filter.
func packForward(p *product, s *sub, pa *panel, from, to int, dst []float32) {
	kern := p.e.kern
	w, filters := kern.width[pa.wide], p.segs[pa.target].W[pa.col*s.depth:]
	done := 0 // elements that blocks of 8×8 have packed
	if kern.transpose8 != nil {
		done = (to - from) &^ 7
	}
	for j := 0; j < w; j += 8 {
		n := min(8, pa.n-j) // filters that exist
		first := 0
		if n == 8 && done > 0 {
			kern.transpose8(&dst[j], w, &filters[j*s.depth+from], s.depth, done/8)
			first = done
		}
		for jj := j; jj < min(j+8, w); jj++ {
			if jj >= pa.n {
				for d := range to - from {
					dst[d*w+jj] = 0
				}
				continue
			}
			for d, v := range filters[jj*s.depth+from+first : jj*s.depth+to] {
				dst[(first+d)*w+jj] = v
			}
		}
	}
}

// reduceSums adds the blocks' sums in the order of the blocks.
func (p *product) reduceSums(segs []Segment) {
	blocks := p.subs[0].blocks
	for i := range p.panels {
		pa := &p.panels[i]
		out, w := segs[pa.target].Sums, p.e.kern.width[pa.wide]
		if out == nil {
			continue
		}
		k := segs[pa.target].K
		for j := range pa.n {
			var sum, square float64
			for b := range blocks {
				at := 2 * (b*p.width + pa.at)
				sum += p.sums[at+j]
				square += p.sums[at+w+j]
			}
			out[pa.col+j], out[k+pa.col+j] = sum, square
		}
	}
}
