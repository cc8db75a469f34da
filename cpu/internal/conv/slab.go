package conv

// slabCols is the width of a sub-product's slab.
func (p *product) slabCols(s *sub) int { return (s.cols-1)*s.stepW + max(s.tapsW, 1) }

// slabRows is the height of a slab for output rows from…to of an image.
func (p *product) slabRows(s *sub, from, to int) int { return (to-from)*s.stepH + s.tapsH }

// slabSize is the number of values that the slab of a block of pixels takes.
func (p *product) slabSize(s *sub, block int) int {
	if s.direct {
		return 0
	}
	from := block * s.blockTiles * p.e.kern.rows
	to := min(from+s.blockTiles*p.e.kern.rows, p.n*s.rows*s.cols)
	rows := 0
	for image := s.rows * s.cols; from < to; {
		last := min(to, (from/image+1)*image) - 1
		rows += p.slabRows(s, from%image/s.cols, last%image/s.cols)
		from = last + 1
	}
	return rows * p.slabCols(s) * p.ctot
}

// gather makes the left operand of pixels from…to−1 ready: it sets l.rows to their byte offsets from the returned
// address, and fills the slab if they are not read in place.
func (p *product) gather(s *sub, from, to int, l *local) *float32 {
	image := s.rows * s.cols
	origin, ld, cols := 0, p.ctot, p.slabCols(s)
	if s.direct {
		ld, cols = p.src[0].ld, p.w
	}
	i := 0
	for pix := from; pix < to; {
		n, end := pix/image, min(to, (pix/image+1)*image)
		row, lastRow := pix%image/s.cols, (end-1)%image/s.cols
		if s.direct {
			origin = ((n*p.h+row*s.stepH+s.offH)*p.w + s.offW) * ld
		}
		for r := row; r <= lastRow; r++ {
			q, qEnd := 0, s.cols
			if r == row {
				q = pix % s.cols
			}
			if r == lastRow {
				qEnd = (end-1)%s.cols + 1
			}
			off, step := 4*(origin+((r-row)*s.stepH*cols+q*s.stepW)*ld), 4*s.stepW*ld
			for out := l.rows[i : i+qEnd-q]; len(out) > 0; out = out[1:] {
				out[0] = off
				off += step
			}
			i += qEnd - q
		}
		if !s.direct {
			rows := p.slabRows(s, row, lastRow)
			p.fillSlab(s, n, row*s.stepH+s.offH, rows, l.slab[origin:origin+rows*cols*ld])
			origin += rows * cols * ld
		}
		pix = end
	}
	for ; i%p.e.kern.rows != 0; i++ {
		l.rows[i] = l.rows[0]
	}
	if s.direct {
		return &p.src[0].data[0]
	}
	return &l.slab[0]
}

// fillSlab copies rows top … top+rows−1 of image n to a slab; what lies outside the image is zero.
func (p *product) fillSlab(s *sub, n, top, rows int, slab []float32) {
	cols, c := p.slabCols(s), p.ctot
	left := min(max(-s.offW, 0), cols)        // columns of zeros on the left
	right := max(min(cols, p.w-s.offW), left) // where the zeros on the right begin
	for y := top; y < top+rows; y++ {
		line := slab[:cols*c]
		slab = slab[cols*c:]
		if y < 0 || y >= p.h {
			clear(line)
			continue
		}
		clear(line[:left*c])
		clear(line[right*c:])
		if left == right {
			continue
		}
		at, pix := 0, (n*p.h+y)*p.w+s.offW+left
		for i := range p.src {
			src := &p.src[i]
			copyPixels(line[left*c+at:right*c], c, src.data[pix*src.ld:], src.ld, src.n, right-left)
			at += src.n
		}
	}
}

// copyPixels copies n values of each of a row of pixels.
func copyPixels(dst []float32, ldd int, src []float32, lds, n, pixels int) {
	if ldd == n && lds == n {
		copy(dst[:n*pixels], src[:n*pixels])
		return
	}
	for i := range pixels {
		copy(dst[i*ldd:i*ldd+n], src[i*lds:i*lds+n])
	}
}

// locate sets outs to the byte offsets of the pixels from…to−1 in a target whose pixels are ld apart.
func (p *product) locate(s *sub, from, to, ld int, outs []int) {
	if s.outH == s.cols*s.outW && s.outN == s.rows*s.outH { // evenly spaced
		off, step := 4*(s.outOrigin+from*s.outW)*ld, 4*s.outW*ld
		for i := range outs[:to-from] {
			outs[i] = off
			off += step
		}
		return
	}
	image := s.rows * s.cols
	n, row, q := from/image, from%image/s.cols, from%s.cols
	for i := range outs[:to-from] {
		outs[i] = 4 * (s.outOrigin + n*s.outN + row*s.outH + q*s.outW) * ld
		if q++; q == s.cols {
			q = 0
			if row++; row == s.rows {
				row = 0
				n++
			}
		}
	}
}
