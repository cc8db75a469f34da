package jpeg

// conditioning is a parameter of the arithmetic coding of DC coefficients: the bounds of small and
// of large differences (T.81, F.1.4.4.1.2).
type conditioning struct{ small, large uint8 }

// readConditioning reads a DAC segment.
func (d *Decoder) readConditioning(s []byte) (rest []byte, ok bool) {
	for ; len(s) > 1; s = s[2:] {
		switch t, v := s[0], s[1]; {
		case t < 16:
			c := conditioning{v & 15, v >> 4}
			if c.small > c.large {
				return s, false
			}
			d.arithDC[t] = c
		case t < 32:
			d.arithAC[t-16] = v
		default:
			return s, false
		}
	}
	return s, true
}

// estimate is a state of the probability estimation: the share of the less probable symbol, and the
// next state after either symbol.
type estimate struct {
	qe       uint16
	lps, mps uint8
	change   uint8 // 1 if the symbols change places
}

// estimates is table D.3 of T.81, followed by a state of even chances that never changes (T.851).
var estimates = [114]estimate{
	{0x5a1d, 1, 1, 1}, {0x2586, 14, 2, 0}, {0x1114, 16, 3, 0}, {0x080b, 18, 4, 0}, {0x03d8, 20, 5, 0}, {0x01da, 23, 6, 0},
	{0x00e5, 25, 7, 0}, {0x006f, 28, 8, 0}, {0x0036, 30, 9, 0}, {0x001a, 33, 10, 0}, {0x000d, 35, 11, 0}, {0x0006, 9, 12, 0},
	{0x0003, 10, 13, 0}, {0x0001, 12, 13, 0}, {0x5a7f, 15, 15, 1}, {0x3f25, 36, 16, 0}, {0x2cf2, 38, 17, 0}, {0x207c, 39, 18, 0},
	{0x17b9, 40, 19, 0}, {0x1182, 42, 20, 0}, {0x0cef, 43, 21, 0}, {0x09a1, 45, 22, 0}, {0x072f, 46, 23, 0}, {0x055c, 48, 24, 0},
	{0x0406, 49, 25, 0}, {0x0303, 51, 26, 0}, {0x0240, 52, 27, 0}, {0x01b1, 54, 28, 0}, {0x0144, 56, 29, 0}, {0x00f5, 57, 30, 0},
	{0x00b7, 59, 31, 0}, {0x008a, 60, 32, 0}, {0x0068, 62, 33, 0}, {0x004e, 63, 34, 0}, {0x003b, 32, 35, 0}, {0x002c, 33, 9, 0},
	{0x5ae1, 37, 37, 1}, {0x484c, 64, 38, 0}, {0x3a0d, 65, 39, 0}, {0x2ef1, 67, 40, 0}, {0x261f, 68, 41, 0}, {0x1f33, 69, 42, 0},
	{0x19a8, 70, 43, 0}, {0x1518, 72, 44, 0}, {0x1177, 73, 45, 0}, {0x0e74, 74, 46, 0}, {0x0bfb, 75, 47, 0}, {0x09f8, 77, 48, 0},
	{0x0861, 78, 49, 0}, {0x0706, 79, 50, 0}, {0x05cd, 48, 51, 0}, {0x04de, 50, 52, 0}, {0x040f, 50, 53, 0}, {0x0363, 51, 54, 0},
	{0x02d4, 52, 55, 0}, {0x025c, 53, 56, 0}, {0x01f8, 54, 57, 0}, {0x01a4, 55, 58, 0}, {0x0160, 56, 59, 0}, {0x0125, 57, 60, 0},
	{0x00f6, 58, 61, 0}, {0x00cb, 59, 62, 0}, {0x00ab, 61, 63, 0}, {0x008f, 61, 32, 0}, {0x5b12, 65, 65, 1}, {0x4d04, 80, 66, 0},
	{0x412c, 81, 67, 0}, {0x37d8, 82, 68, 0}, {0x2fe8, 83, 69, 0}, {0x293c, 84, 70, 0}, {0x2379, 86, 71, 0}, {0x1edf, 87, 72, 0},
	{0x1aa9, 87, 73, 0}, {0x174e, 72, 74, 0}, {0x1424, 72, 75, 0}, {0x119c, 74, 76, 0}, {0x0f6b, 74, 77, 0}, {0x0d51, 75, 78, 0},
	{0x0bb6, 77, 79, 0}, {0x0a40, 77, 48, 0}, {0x5832, 80, 81, 1}, {0x4d1c, 88, 82, 0}, {0x438e, 89, 83, 0}, {0x3bdd, 90, 84, 0},
	{0x34ee, 91, 85, 0}, {0x2eae, 92, 86, 0}, {0x299a, 93, 87, 0}, {0x2516, 86, 71, 0}, {0x5570, 88, 89, 1}, {0x4ca9, 95, 90, 0},
	{0x44d9, 96, 91, 0}, {0x3e22, 97, 92, 0}, {0x3824, 99, 93, 0}, {0x32b4, 99, 94, 0}, {0x2e17, 93, 86, 0}, {0x56a8, 95, 96, 1},
	{0x4f46, 101, 97, 0}, {0x47e5, 102, 98, 0}, {0x41cf, 103, 99, 0}, {0x3c3d, 104, 100, 0}, {0x375e, 99, 93, 0}, {0x5231, 105, 102, 0},
	{0x4c0f, 106, 103, 0}, {0x4639, 107, 104, 0}, {0x415e, 103, 99, 0}, {0x5627, 105, 106, 1}, {0x50e7, 108, 107, 0}, {0x4b85, 109, 103, 0},
	{0x5597, 110, 109, 0}, {0x504f, 111, 107, 0}, {0x5a10, 110, 111, 1}, {0x5522, 112, 109, 0}, {0x59eb, 112, 111, 1},
	{0x5a1d, evenChances, evenChances, 0},
}

const evenChances = 113

// bin is a state with the more probable symbol in its lowest bit.
type bin uint8

// arithmetic is the state of the arithmetic decoder (T.81, annex D).
type arithmetic struct {
	c      uint32 // the code, relative to the interval's base: 16 bits, and the bits read ahead
	a      uint32 // the interval
	ct     int    // bits of the last byte that are still to be shifted in
	broken bool   // an impossible code came: the rest of the interval, up to the next restart marker, is skipped
	dc     [16][64]bin
	ac     [16][256]bin
	even   bin
}

// codesDC reports whether the scan codes DC coefficients other than as single bits.
func (d *Decoder) codesDC() bool { return !d.header.Progressive || d.scan.ss == 0 && d.scan.ah == 0 }

func (d *Decoder) codesAC() bool { return !d.header.Progressive || d.scan.ss > 0 }

// restartArithmetic starts an interval.
func (d *Decoder) restartArithmetic() {
	e := &d.coder
	for _, c := range d.scan.comps[:d.scan.n] {
		if d.codesDC() {
			e.dc[c.dcTable] = [64]bin{}
			c.pred, c.context = 0, 0
		}
		if d.codesAC() {
			e.ac[c.acTable] = [256]bin{}
		}
	}
	e.broken, e.even = false, evenChances<<1
	e.c, e.a, e.ct = 0, 0x10000, 0
	for range 2 {
		e.c = e.c<<8 | uint32(d.arithmeticByte())
	}
}

// arithmeticByte reads a byte of the data. Zeros at the end of the data are left out of the file,
// so it returns zeros there.
func (d *Decoder) arithmeticByte() byte {
	c, ok := d.dataByte()
	if !ok && d.marker == 0 {
		d.bits.pad++ // the file has ended
	}
	return c
}

// decide decodes a decision (T.81, D.2). The interval's base stays zero, and the code is scaled by
// the bits read ahead.
func (d *Decoder) decide(s *bin) int {
	e := &d.coder
	state := &estimates[*s>>1]
	symbol := *s & 1
	qe := uint32(state.qe)
	e.a -= qe
	if top := e.a << e.ct; e.c < top {
		if e.a >= 0x8000 {
			return int(symbol)
		}
		if e.a < qe {
			*s = bin(state.lps)<<1 | symbol ^ bin(state.change)
			symbol ^= 1
		} else {
			*s = bin(state.mps)<<1 | symbol
		}
	} else {
		e.c -= top
		if e.a < qe {
			*s = bin(state.mps)<<1 | symbol
		} else {
			*s = bin(state.lps)<<1 | symbol ^ bin(state.change)
			symbol ^= 1
		}
		e.a = qe
	}
	for e.a < 0x8000 {
		if e.ct == 0 {
			e.c = e.c<<8 | uint32(d.arithmeticByte())
			e.ct = 8
		}
		e.ct--
		e.a <<= 1
	}
	return int(symbol)
}

// magnitude decodes the value after its category, whose highest bit is m (T.81, figure F.24).
func (d *Decoder) magnitude(m int, s *bin, negative int) int32 {
	v := m
	for m >>= 1; m > 0; m >>= 1 {
		if d.decide(s) != 0 {
			v |= m
		}
	}
	v++
	if negative != 0 {
		v = -v
	}
	return int32(v)
}

// category decodes a magnitude's category, starting at bin at. It returns the category's highest
// bit and its last bin (figure F.23).
func (d *Decoder) category(m int, bins []bin, at int) (int, int, bool) {
	for d.decide(&bins[at]) != 0 {
		if m <<= 1; m == 0x8000 {
			d.coder.broken = true
			return 0, 0, false
		}
		at++
	}
	return m, at, true
}

// arithmeticDC decodes the difference of a DC coefficient (T.81, F.2.4.1).
func (d *Decoder) arithmeticDC(c *component) bool {
	bins := &d.coder.dc[c.dcTable&15]
	at := c.context
	if d.decide(&bins[at]) == 0 {
		c.context = 0
		return true
	}
	negative := d.decide(&bins[at+1])
	at += 2 + negative
	m := d.decide(&bins[at])
	if m != 0 {
		var ok bool
		if m, at, ok = d.category(m, bins[:], 20); !ok {
			return false
		}
	}
	switch cond := d.arithDC[c.dcTable&15]; {
	case m < 1<<cond.small>>1:
		c.context = 0
	case m > 1<<cond.large>>1:
		c.context = 12 + 4*negative
	default:
		c.context = 4 + 4*negative
	}
	c.pred = (c.pred + d.magnitude(m, &bins[at+14], negative)) & 0xffff
	return true
}

// arithmeticAC decodes the coefficients from to last, shifted left by shift (T.81, F.2.4.2).
func (d *Decoder) arithmeticAC(c *component, b *[64]int16, from, last, shift int) {
	bins := &d.coder.ac[c.acTable&15]
	for k := from; k <= last; k++ {
		at := 3 * (k - 1)
		if d.decide(&bins[at]) != 0 {
			return
		}
		for d.decide(&bins[at+1]) == 0 {
			at += 3
			if k++; k > last {
				d.coder.broken = true
				return
			}
		}
		negative := d.decide(&d.coder.even)
		at += 2
		m := d.decide(&bins[at])
		if m != 0 && d.decide(&bins[at]) != 0 {
			at = 217
			if k <= int(d.arithAC[c.acTable&15]) {
				at = 189
			}
			var ok bool
			if m, at, ok = d.category(2, bins[:], at); !ok {
				return
			}
		}
		b[natural[k]] = int16(d.magnitude(m, &bins[at+14], negative) << shift)
	}
}

func arithmeticSequential(d *Decoder, c *component, b *[64]int16) {
	if !d.arithmeticDC(c) {
		return
	}
	b[0] = int16(c.pred)
	d.arithmeticAC(c, b, 1, 63, 0)
}

func arithmeticDCFirst(d *Decoder, c *component, b *[64]int16) {
	if d.arithmeticDC(c) {
		b[0] = int16(c.pred << d.scan.al)
	}
}

func arithmeticDCRefine(d *Decoder, _ *component, b *[64]int16) {
	b[0] |= int16(d.decide(&d.coder.even) << d.scan.al)
}

func arithmeticACFirst(d *Decoder, c *component, b *[64]int16) {
	d.arithmeticAC(c, b, d.scan.ss, d.scan.se, d.scan.al)
}

// arithmeticACRefine decodes the next bit of a band of AC coefficients (T.81, G.1.3.3).
func arithmeticACRefine(d *Decoder, c *component, b *[64]int16) {
	bins := &d.coder.ac[c.acTable&15]
	bit := int16(1) << d.scan.al
	known := d.scan.se // the last coefficient that is not zero
	for known > 0 && b[natural[known]] == 0 {
		known--
	}
	for k := d.scan.ss; k <= d.scan.se; k++ {
		at := 3 * (k - 1)
		if k > known && d.decide(&bins[at]) != 0 {
			return
		}
		for {
			if v := &b[natural[k]]; *v != 0 {
				if d.decide(&bins[at+2]) != 0 {
					if *v < 0 {
						*v -= bit
					} else {
						*v += bit
					}
				}
				break
			} else if d.decide(&bins[at+1]) != 0 {
				*v = bit
				if d.decide(&d.coder.even) != 0 {
					*v = -bit
				}
				break
			}
			at += 3
			if k++; k > d.scan.se {
				d.coder.broken = true
				return
			}
		}
	}
}
