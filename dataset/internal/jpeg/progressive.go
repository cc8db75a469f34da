package jpeg

// block returns the coefficients of a block of a component.
func (c *component) block(y, x int) *[64]int16 {
	return (*[64]int16)(c.coefs[64*(y*c.stride+x):])
}

// blockDecoder decodes the part of a scan for one block.
type blockDecoder func(d *Decoder, c *component, b *[64]int16)

var one = func() (q [64]int32) {
	for i := range q {
		q[i] = 1
	}
	return q
}()

func huffmanSequential(d *Decoder, c *component, b *[64]int16) { d.sequentialBlock(c, b, &one) }

// huffmanDCFirst decodes the upper bits of a DC coefficient (T.81, G.1.2.1).
func huffmanDCFirst(d *Decoder, c *component, b *[64]int16) {
	size := int(d.symbol(&d.dc[c.dcTable&3]) & 15)
	c.pred += extend(d.take(size), size)
	b[0] = int16(c.pred << d.scan.al)
}

// huffmanDCRefine decodes the next bit of a DC coefficient.
func huffmanDCRefine(d *Decoder, _ *component, b *[64]int16) {
	b[0] |= int16(d.take(1) << d.scan.al)
}

// huffmanACFirst decodes the upper bits of a band of AC coefficients (G.1.2.2). In a run of blocks
// without any, it is called only for the first block.
func huffmanACFirst(d *Decoder, c *component, b *[64]int16) {
	h := &d.ac[c.acTable&3]
	for k := d.scan.ss; k <= d.scan.se; k++ {
		symbol := d.symbol(h)
		zeros, size := int(symbol>>4), int(symbol&15)
		if size == 0 && zeros < 15 {
			d.scan.endOfBand = 1<<zeros + int(d.take(zeros))
			return
		}
		k += zeros
		if size > 0 {
			b[natural[k]] = int16(extend(d.take(size), size) << d.scan.al)
		}
	}
}

// huffmanACRefine decodes the next bit of a band of AC coefficients (G.1.2.3).
func huffmanACRefine(d *Decoder, c *component, b *[64]int16) {
	h := &d.ac[c.acTable&3]
	k := d.scan.ss
	for d.scan.endOfBand == 0 && k <= d.scan.se {
		symbol := d.symbol(h)
		zeros, size := int(symbol>>4), symbol&15
		var v int16
		if size > 0 {
			v = -1
			if d.take(1) != 0 {
				v = 1
			}
		} else if zeros < 15 {
			d.scan.endOfBand = 1<<zeros + int(d.take(zeros))
			break
		}
		k = d.refine(b, k, zeros)
		if v != 0 {
			b[natural[k]] = v << d.scan.al
		}
		k++
	}
	if d.scan.endOfBand > 0 {
		d.refine(b, k, 64)
		d.scan.endOfBand--
	}
}

// refine decodes the next bit of the coefficients that are not zero, from the k-th on, until it has
// passed zeros zeros. It returns the position of the next zero, or the one after the band.
func (d *Decoder) refine(b *[64]int16, k, zeros int) int {
	bit := int16(1) << d.scan.al
	last := min(d.scan.se, 63)
	r := &d.bits
	acc, n := r.acc, r.n
	for ; k <= last; k++ {
		at := natural[k&127] & 63
		v := b[at]
		if v == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		if n == 0 {
			r.acc, r.n = acc, n
			d.fill()
			acc, n = r.acc, r.n
		}
		add := acc>>63 != 0 && v&bit == 0
		acc <<= 1
		n--
		switch {
		case !add:
		case v > 0:
			b[at] = v + bit
		default:
			b[at] = v - bit
		}
	}
	r.acc, r.n = acc, n
	return k
}

// startProgression checks a scan of a progressive file and records which bits of the coefficients
// it gives.
func (d *Decoder) startProgression() error {
	s := &d.scan
	switch {
	case s.ss == 0 && s.se != 0, s.ss > s.se, s.se > 63, s.ss > 0 && s.n > 1, s.ah != 0 && s.al != s.ah-1, s.al > 13:
		return d.fail("a scan of coefficients %d to %d, bits %d to %d, of %d components", s.ss, s.se, s.ah, s.al, s.n)
	}
	for _, c := range s.comps[:s.n] {
		for k := min(s.ss, 1); k < len(c.before); k++ {
			c.before[k] = 0
			if s.number > 1 {
				c.before[k] = c.precision[k]
			}
		}
		for k := s.ss; k <= s.se; k++ {
			c.precision[k] = int8(s.al)
		}
	}
	return nil
}
