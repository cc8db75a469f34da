package conv

// BackwardData computes the gradient of the input, dx (N, H, W, C) with pixels lddx values apart,
// from the segments' output gradients Y: dx = (or +=, if accumulate) Σ over segments of Y ⋆ᵀ W. It
// writes all values of dx, also where no output reads the input.
//
// With stride (StrideH, StrideW), the pixels of each residue (h+PadTop mod StrideH, w+PadLeft mod
// StrideW) see their own subset of the kernel and are a product of their own. So the cost is the
// same as that of Forward.
func (e *Engine) BackwardData(g Geometry, segs []Segment, dx []float32, lddx int, accumulate bool) {
	g.check(dx, lddx, len(segs))
	for i := range segs {
		segs[i].check(g)
		checkLen("W", segs[i].W, segs[i].K*g.depth())
	}
	g, lddx = g.flat(lddx)
	if g.P == 1 { // the stride has no effect; make it one for which each pixel sees one tap only
		g.StrideH = max(g.StrideH, g.R)
	}
	if g.Q == 1 {
		g.StrideW = max(g.StrideW, g.S)
	}
	p := &e.product
	p.reset(g.N, g.P, g.Q, accumulate)
	for i := range segs {
		p.in.add(segs[i].Y, segs[i].LdY, segs[i].K)
	}
	p.addTarget(dx, lddx, g.C)
	for h := range min(g.StrideH, g.H) {
		for w := range min(g.StrideW, g.W) {
			p.addResidue(g, h, w)
			if s := &p.subs[len(p.subs)-1]; accumulate && s.tapsH*s.tapsW == 0 {
				p.subs = p.subs[:len(p.subs)-1] // no output reads these pixels: nothing to add
			}
		}
	}
	p.packPanel, p.segs, p.g = packTransposed, segs, g
	p.compute()
}

// addResidue adds the product for pixels h, h+StrideH, … × w, w+StrideW, ….
//
// With a = (h+PadTop) mod StrideH and b = (h+PadTop) div StrideH, row h+i·StrideH is read by output
// rows b+i−j with kernel row a+j·StrideH. Counting taps by rising output row, tap t is j =
// taps−1−t.
func (p *product) addResidue(g Geometry, h, w int) {
	s := p.addSub()
	s.rows, s.cols = ceilDiv(g.H-h, g.StrideH), ceilDiv(g.W-w, g.StrideW)
	s.stepH, s.stepW = 1, 1
	axis := func(pos, pad, stride, kernel int) (taps, off, first int) {
		a, b := (pos+pad)%stride, (pos+pad)/stride
		if a < kernel {
			taps = ceilDiv(kernel-a, stride)
		}
		return taps, b - (taps - 1), a + (taps-1)*stride
	}
	s.tapsH, s.offH, s.first[0] = axis(h, g.PadTop, g.StrideH, g.R)
	s.tapsW, s.offW, s.first[1] = axis(w, g.PadLeft, g.StrideW, g.S)
	if s.tapsH*s.tapsW == 0 { // nothing is read: keep all addresses inside
		s.stepH, s.stepW, s.offH, s.offW = 0, 0, 0, 0
	}
	s.outN, s.outOrigin, s.outH, s.outW = g.H*g.W, h*g.W+w, g.StrideH*g.W, g.StrideW
}

// packTransposed packs filters: the reduction runs over taps, segments and filters, its rows are
// runs of channels.
func packTransposed(p *product, s *sub, pa *panel, from, to int, dst []float32) {
	w := p.e.kern.width[pa.wide]
	for d := from; d < to; {
		tap, k := d/p.in.c, d%p.in.c
		r, c := s.first[0]-tap/s.tapsW*p.g.StrideH, s.first[1]-tap%s.tapsW*p.g.StrideW
		seg := 0
		for k >= p.segs[seg].K {
			k -= p.segs[seg].K
			seg++
		}
		n := min(p.segs[seg].K-k, to-d) // filters of this segment
		src, step := p.segs[seg].W[((k*p.g.R+r)*p.g.S+c)*p.g.C+pa.col:], p.g.R*p.g.S*p.g.C
		for i := range n {
			row := dst[i*w : i*w+w]
			copy(row[:pa.n], src[i*step:])
			clear(row[pa.n:])
		}
		dst = dst[n*w:]
		d += n
	}
}
