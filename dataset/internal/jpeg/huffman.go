package jpeg

import "encoding/binary"

// lookBits is the maximum length of codes that one table lookup decodes.
const lookBits = 10

// huffman is a table of Huffman codes.
type huffman struct {
	defined bool // the file defines it
	built   bool // the fields below are computed from the counts and symbols
	counts  [16]uint8
	symbols [256]uint8

	// look has an entry for each sequence of lookBits bits: the number of bits to consume (bits
	// 0–7), or 0 for longer codes; the number of preceding zeros (8–11); and the size of the
	// coefficient that follows (12–15), or 0 if the coefficient is among the consumed bits and is
	// in bits 16–31.
	look [1 << lookBits]uint32
	// codes has only the code of each sequence: its length (bits 8–12), or 0 for longer codes, and
	// its symbol (0–7).
	codes [1 << lookBits]uint16
	// A code of n+1 bits, shifted to the top of 16 bits, is below limit[n]. Its symbol is symbols[c
	// + offset[n]].
	limit  [16]uint32
	offset [16]int32
	order  uint8 // the largest symbol
}

// readHuffman reads the tables of a DHT segment. A table that equals the previous image's table is
// not built again.
func (d *Decoder) readHuffman(s []byte) (rest []byte, ok bool) {
	for len(s) > 16 {
		t, n := s[0], 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if n > 256 || t&15 > 3 || t>>4 > 1 {
			return s, false
		}
		if len(s) < 17+n {
			break
		}
		h := &d.dc[t&15]
		if t>>4 == 1 {
			h = &d.ac[t&15]
		}
		h.define(s[1:17], s[17:17+n])
		s = s[17+n:]
	}
	return s, true
}

// define sets the table's codes: the number of codes of each length, and their symbols.
func (h *huffman) define(counts, symbols []byte) {
	if h.built && string(h.counts[:]) == string(counts) && string(h.symbols[:len(symbols)]) == string(symbols) {
		h.defined = true
		return
	}
	h.defined, h.built = true, false
	copy(h.counts[:], counts)
	clear(h.symbols[copy(h.symbols[:], symbols):])
}

// build prepares the table for decoding (T.81, annex C and F.2.2.3). It returns false if such codes
// do not exist.
func (h *huffman) build() bool {
	if h.built {
		return true
	}
	clear(h.look[:])
	clear(h.codes[:])
	h.order = 0
	code, at := uint32(0), 0
	for n := range 16 {
		count := int(h.counts[n])
		h.offset[n] = int32(at) - int32(code)
		h.limit[n] = 0
		if count > 0 && code+uint32(count) >= 1<<(n+1) { // no code consists of ones only
			return false
		}
		for range count {
			symbol := h.symbols[at]
			h.order = max(h.order, symbol)
			if n < lookBits {
				h.lookup(code, n+1, symbol)
			}
			code++
			at++
		}
		if count > 0 {
			h.limit[n] = code << (15 - n)
		}
		code <<= 1
	}
	h.built = true
	return true
}

// lookup fills in the entries for a code of n bits.
func (h *huffman) lookup(code uint32, n int, symbol uint8) {
	zeros, size := uint32(symbol>>4), int(symbol&15)
	rest := lookBits - n
	first := code << rest
	for low := range uint32(1) << rest {
		entry := uint32(n) | zeros<<8 | uint32(size)<<12
		if size <= rest {
			v := extend(int32(low>>(rest-size)), size)
			entry = uint32(n+size) | zeros<<8 | uint32(uint16(v))<<16
		}
		h.look[first|low] = entry
		h.codes[first|low] = uint16(n)<<8 | uint16(symbol)
	}
}

// extend returns the coefficient that n bits stand for (T.81, figure F.12).
func extend(v int32, n int) int32 {
	if n > 0 && v < 1<<(n-1) {
		v += 1 - 1<<n
	}
	return v
}

// bitReader is the position in a scan's data.
type bitReader struct {
	acc uint64 // the next bits, from the highest bit on
	n   int    // their number
	pad int    // zeros appended after the data's end; those still in acc are its last bits
}

// fill reads bytes until acc has more than 56 bits. After the data's end it adds zeros.
func (d *Decoder) fill() {
	b := &d.bits
	for b.n <= 56 {
		c, ok := d.dataByte()
		if !ok {
			b.pad += 8
		}
		b.acc |= uint64(c) << (56 - b.n)
		b.n += 8
	}
}

// dataByte reads a byte of a scan's data. It returns false at a marker and at the file's end.
func (d *Decoder) dataByte() (c byte, ok bool) {
	if d.marker != 0 || d.pos >= len(d.data) {
		return 0, false
	}
	c = d.data[d.pos]
	d.pos++
	if c != 0xff {
		return c, true
	}
	for d.pos < len(d.data) && d.data[d.pos] == 0xff {
		d.pos++
	}
	if d.pos == len(d.data) {
		return 0, false
	}
	m := d.data[d.pos]
	d.pos++
	if m == 0 {
		return 0xff, true
	}
	d.marker = m
	return 0, false
}

// overrun reports whether bits after the data's end were consumed.
func (b *bitReader) overrun() bool { return b.pad > b.n }

// take returns the next n bits, 0 to 16, as a number.
func (d *Decoder) take(n int) int32 {
	b := &d.bits
	if b.n < n {
		d.fill()
	}
	v := int32(b.acc >> 1 >> (63 - n))
	b.acc <<= n
	b.n -= n
	return v
}

// symbol decodes the next code. It returns 0 for a sequence of bits that is no code.
func (d *Decoder) symbol(h *huffman) uint8 {
	b := &d.bits
	if b.n < 17 {
		d.fill()
	}
	n, symbol := 0, uint8(0)
	if e := h.codes[b.acc>>(64-lookBits)]; e != 0 {
		n, symbol = int(e>>8), uint8(e)
	} else {
		n, symbol = h.find(b.acc)
	}
	b.acc <<= n & 63
	b.n -= n
	return symbol
}

// find returns the length and the symbol of the code at the beginning of acc.
func (h *huffman) find(acc uint64) (n int, symbol uint8) {
	next := uint32(acc >> 48)
	for n, limit := range h.limit {
		if next < limit {
			return n + 1, h.symbols[uint8(int32(next>>(15-n))+h.offset[n])]
		}
	}
	return 17, 0
}

// startHuffman prepares the tables of a scan.
func (d *Decoder) startHuffman() error {
	for _, c := range d.scan.comps[:d.scan.n] {
		c.pred = 0
		if d.codesDC() {
			if err := d.useTable(&d.dc, c.dcTable, 15); err != nil {
				return err
			}
		}
		if d.codesAC() {
			if err := d.useTable(&d.ac, c.acTable, 255); err != nil {
				return err
			}
		}
	}
	return nil
}

// useTable prepares a table and checks that its symbols are at most most.
func (d *Decoder) useTable(tables *[4]huffman, i int, most uint8) error {
	if i > 3 || !tables[i].defined {
		return d.fail("Huffman table %d is missing", i)
	}
	if !tables[i].build() || tables[i].order > most {
		return d.fail("bad Huffman table %d", i)
	}
	return nil
}

// sequentialBlock decodes the coefficients of a block, times q, into b, which must be zero. It
// returns the position of the last one in zigzag order and the sum of their magnitudes.
func (d *Decoder) sequentialBlock(c *component, b *[64]int16, q *[64]int32) (last, sum int) {
	dc, ac := &d.dc[c.dcTable&3], &d.ac[c.acTable&3]
	data, pos := d.data, d.pos
	acc, n := d.bits.acc, d.bits.n
	end := len(data) - 8 // last position at which eight bytes can be read
	if d.marker != 0 {
		end = -1
	}

	// n is at least 32 before each code, and a code and the bits that follow it have at most 32.
	if n < 32 {
		d.bits.acc, d.bits.n, d.pos = acc, n, pos
		d.fill()
		acc, n, pos = d.bits.acc, d.bits.n, d.pos
		if d.marker != 0 {
			end = -1
		}
	}
	e := dc.look[acc>>(64-lookBits)]
	var v int32
	if size := int(e & 0xff); size != 0 && e&0xf000 == 0 {
		v = int32(e) >> 16
		acc <<= size & 63
		n -= size
	} else {
		size, symbol := dc.find(acc)
		acc <<= size & 63
		n -= size
		if s := int(symbol & 15); s > 0 {
			v = extend(int32(acc>>(64-s)), s)
			acc <<= s & 63
			n -= s
		}
	}
	c.pred += v
	product := int(int16(c.pred)) * int(q[0])
	b[0] = int16(product)
	sum = max(product, -product)

	for k := 1; k < 64; k++ {
		if n < 32 {
			// Read eight bytes at once if none of them is 0xff.
			var x uint64
			quick := pos <= end
			if quick {
				x = binary.BigEndian.Uint64(data[pos:])
				quick = x&0x8080808080808080&(x&0x7f7f7f7f7f7f7f7f+0x0101010101010101) == 0
			}
			if quick {
				acc |= x >> (n & 63)
				pos += (63 - n) >> 3
				n |= 56
			} else {
				d.bits.acc, d.bits.n, d.pos = acc, n, pos
				d.fill()
				acc, n, pos = d.bits.acc, d.bits.n, d.pos
				if d.marker != 0 {
					end = -1
				}
			}
		}
		e := ac.look[acc>>(64-lookBits)]
		size := int(e & 0xff)
		v := int32(e) >> 16
		zeros := int(e >> 8 & 15)
		if s := int(e >> 12 & 15); s != 0 {
			acc <<= size & 63
			n -= size
			v = extend(int32(acc>>((64-s)&63)), s)
			size = s
		} else if size == 0 {
			var symbol uint8
			size, symbol = ac.find(acc)
			zeros = int(symbol >> 4)
			if s := int(symbol & 15); s != 0 {
				acc <<= size & 63
				n -= size
				v = extend(int32(acc>>((64-s)&63)), s)
				size = s
			}
		}
		acc <<= size & 63
		n -= size
		if v == 0 { // no coefficient is zero
			if zeros != 15 {
				break
			}
			k += 15
			continue
		}
		k += zeros
		at := natural[k&127] & 63
		product := int(v) * int(q[at])
		b[at] = int16(product)
		sum += max(product, -product)
		last = k
	}
	d.bits.acc, d.bits.n, d.pos = acc, n, pos
	return last, sum
}
