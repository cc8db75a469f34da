package jpeg

import (
	"errors"
	"io"
)

// A scan costs time for every block of the image, even for blocks without data. A file may have
// maxScans scans, as many as libjpeg-turbo's own tools allow, but together they may visit at most
// maxVisits blocks. Every file may have minScans: encoders make 10 to 20.
const (
	maxScans  = 500
	minScans  = 64
	maxVisits = 1 << 27
)

// readAhead is the number of bytes that Pillow reads at a time.
const readAhead = 1 << 16

// scanLimit returns the maximum number of scans in the file.
func (d *Decoder) scanLimit() int {
	blocks := 0
	for _, c := range d.comps[:d.header.Components] {
		blocks += c.wide * c.high
	}
	return min(max(maxVisits/blocks, minScans), maxScans)
}

// startScan prepares d for the data of a scan.
func (d *Decoder) startScan() error {
	s := &d.scan
	blocks := 0
	for _, c := range s.comps[:s.n] {
		blocks += c.h * c.v
		if c.latched {
			continue
		}
		if c.tq > 3 || !d.hasQuant[c.tq] {
			return d.fail("quantization table %d is missing", c.tq)
		}
		for i, q := range d.quant[c.tq] {
			c.q[i] = int32(q)
		}
		c.latched = true
	}
	if s.n > 1 && blocks > 10 {
		return d.fail("%d blocks in a unit: at most 10 are allowed", blocks)
	}
	if d.header.Progressive {
		if err := d.startProgression(); err != nil {
			return err
		}
	}
	s.next, s.empty, s.endOfBand, s.togo = 0, false, 0, d.restart
	d.coder.broken = false
	d.bits = bitReader{}
	if d.arith {
		d.restartArithmetic()
		return nil
	}
	if !d.header.Progressive {
		d.standardTables()
	}
	return d.startHuffman()
}

// restartInterval reads a restart marker if one is due, and counts down to the next one.
func (d *Decoder) restartInterval() error {
	s := &d.scan
	if d.restart == 0 {
		return nil
	}
	if s.togo == 0 {
		d.bits = bitReader{}
		if err := d.restartMarker(); err != nil {
			return err
		}
		for _, c := range s.comps[:s.n] {
			c.pred = 0
		}
		s.togo, s.endOfBand = d.restart, 0
		if d.arith {
			d.restartArithmetic()
		} else if d.marker == 0 {
			s.empty = false
		}
	}
	s.togo--
	return nil
}

// ended reports whether bits after the data's end were consumed. Then the rest of the interval is
// zeros, or the file ends early, which is an error.
func (d *Decoder) ended() (bool, error) {
	if !d.bits.overrun() {
		return false, nil
	}
	if d.marker == 0 {
		return true, d.truncated()
	}
	return true, nil
}

// hopeless reports whether the scan has no more data at all.
func (d *Decoder) hopeless() bool {
	return d.scan.empty && (d.restart == 0 || d.marker >= mSOF0 && (d.marker < mRST0 || d.marker > mRST7))
}

// decodeDirect decodes a file of one scan, one row of MCUs at a time.
func (d *Decoder) decodeDirect(out *output) error {
	if err := d.startScan(); err != nil {
		return err
	}
	for row := range ceil(d.header.Height, 8*d.maxV) {
		if err := d.directRow(row); err != nil {
			return err
		}
		out.emit(row)
	}
	// The rest of the file may be missing. It must not be wrong up to the point to which Pillow has
	// read the file by now.
	d.data = d.data[:min(ceil(max(d.pos, 1), readAhead)*readAhead, len(d.data))]
	end, err := d.readMarkers()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	case err == nil && !end:
		return d.fail("a second scan of all components")
	}
	return err
}

// directRow decodes a row of MCUs to the components' rings.
func (d *Decoder) directRow(row int) error {
	s := &d.scan
	if s.n == 1 { // an MCU is a block
		c := s.comps[0]
		for y := row * c.v; y < min((row+1)*c.v, c.high); y++ {
			for x := range c.wide {
				if err := d.directMCU(c, x, y, 1, 1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for x := range ceil(d.header.Width, 8*d.maxH) {
		if err := d.directMCU(nil, x, row, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// directMCU decodes an MCU: a single block of c, or blocks of all components.
func (d *Decoder) directMCU(c *component, x, y, w, h int) error {
	if err := d.restartInterval(); err != nil {
		return err
	}
	s := &d.scan
	if c != nil {
		d.directBlock(c, x, y)
	} else {
		for _, c := range s.comps[:s.n] {
			for v := range c.v {
				for u := range c.h {
					d.directBlock(c, x*c.h+u, y*c.v+v)
				}
			}
		}
	}
	return d.checkEnd()
}

// directBlock decodes a block and transforms it, unless it lies outside the image.
func (d *Decoder) directBlock(c *component, x, y int) {
	b := &d.block
	last, sum := 0, 0
	switch {
	case d.scan.empty:
	case d.arith:
		if !d.coder.broken {
			arithmeticSequential(d, c, b)
		}
		last, sum = dequantize(b, &c.q)
	default:
		last, sum = d.sequentialBlock(c, b, &c.q)
	}
	if x < c.wide && y < c.high {
		c.transform(b, x, y, last, sum)
	}
	if last == 0 {
		b[0] = 0
	} else {
		*b = [64]int16{}
	}
}

// dequantize multiplies the coefficients by q. last is 0 if only the DC coefficient is not zero,
// otherwise the position of another one. sum is the sum of the magnitudes.
func dequantize(b *[64]int16, q *[64]int32) (last, sum int) {
	for y := 0; y < 64; y += 8 {
		row, q := (*[8]int16)(b[y:]), (*[8]int32)(q[y:])
		if *row == [8]int16{} {
			continue
		}
		for x, v := range row {
			if v != 0 {
				product := int(v) * int(q[x])
				row[x] = int16(product)
				sum += max(product, -product)
				last = y + x
			}
		}
	}
	return last, sum
}

// transform writes a block's samples to the component's ring.
func (c *component) transform(b *[64]int16, x, y, last, sum int) {
	stride := 8 * c.stride
	dst := c.plane[8*y%c.ring*stride+8*x:]
	switch {
	case sum > exactSum:
		inverseWide(b, dst, stride)
	case last == 0:
		fillBlock(b[0], dst, stride)
	default:
		inverse(b, dst, stride)
	}
}

// decodeBuffered decodes a file of several scans: first all scans, then the rows.
func (d *Decoder) decodeBuffered(out *output) error {
	limit := d.scanLimit()
	if n := d.countScans(); n > limit {
		return d.fail("%d scans: an image of this size has at most %d", n, limit)
	}
	d.scan.good = 0
	for {
		if d.scan.number > limit {
			return d.fail("more than %d scans", limit)
		}
		if err := d.startScan(); err != nil {
			return err
		}
		if err := d.bufferScan(); err != nil {
			return err
		}
		end, err := d.readMarkers()
		if err != nil {
			return err
		}
		if end {
			break
		}
	}
	smooth := d.smooths()
	for row := range ceil(d.header.Height, 8*d.maxV) {
		for i := range d.header.Components {
			c := &d.comps[i]
			d.transformRow(c, row, smooth)
		}
		out.emit(row)
	}
	return nil
}

// transformRow transforms a component's blocks in a row of MCUs.
func (d *Decoder) transformRow(c *component, row int, smooth bool) {
	b := &d.scratch
	for y := row * c.v; y < min((row+1)*c.v, c.high); y++ {
		for x := range c.wide {
			*b = *c.block(y, x)
			if smooth {
				d.smooth(c, b, row, y, x)
			}
			last, sum := dequantize(b, &c.q)
			c.transform(b, x, y, last, sum)
		}
	}
}

// decoderOf returns the function that decodes a block of the scan.
func (d *Decoder) decoderOf() blockDecoder {
	which := 0 // sequential
	if s := &d.scan; d.header.Progressive {
		which = 1
		if s.ss > 0 {
			which = 3
		}
		if s.ah > 0 {
			which++
		}
	}
	if d.arith {
		return [...]blockDecoder{arithmeticSequential, arithmeticDCFirst, arithmeticDCRefine, arithmeticACFirst, arithmeticACRefine}[which]
	}
	return [...]blockDecoder{huffmanSequential, huffmanDCFirst, huffmanDCRefine, huffmanACFirst, huffmanACRefine}[which]
}

// bufferScan decodes a scan's coefficients.
func (d *Decoder) bufferScan() error {
	s := &d.scan
	decode := d.decoderOf()
	if s.n == 1 {
		return d.bufferComponent(s.comps[0], decode)
	}
	for row := range ceil(d.header.Height, 8*d.maxV) {
		for x := range ceil(d.header.Width, 8*d.maxH) {
			if d.hopeless() {
				return nil
			}
			if !s.empty {
				s.good = row
			}
			if err := d.restartInterval(); err != nil {
				return err
			}
			for _, c := range s.comps[:s.n] {
				for v := range c.v {
					for u := range c.h {
						if !s.empty && !d.coder.broken {
							decode(d, c, c.block(row*c.v+v, x*c.h+u))
						}
					}
				}
			}
			if err := d.checkEnd(); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkEnd notes the end of the interval's data.
func (d *Decoder) checkEnd() (err error) {
	if !d.scan.empty {
		d.scan.empty, err = d.ended()
	}
	return err
}

// bufferComponent decodes the scan of a single component, whose MCUs are blocks.
func (d *Decoder) bufferComponent(c *component, decode blockDecoder) error {
	s := &d.scan
	first := d.header.Progressive && s.ss > 0 && s.ah == 0 && !d.arith
	for y := range c.high {
		for x := 0; x < c.wide; x++ {
			if d.hopeless() {
				return nil
			}
			if !s.empty {
				s.good = y / c.v
			}
			if err := d.restartInterval(); err != nil {
				return err
			}
			switch {
			case s.empty || d.coder.broken:
			case first && s.endOfBand > 0:
				// Skip blocks without coefficients of this band, within this row and interval.
				n := min(s.endOfBand, c.wide-x)
				if d.restart > 0 {
					n = min(n, s.togo+1)
					s.togo -= n - 1
				}
				s.endOfBand -= n
				x += n - 1
			default:
				decode(d, c, c.block(y, x))
				if first && s.endOfBand > 0 {
					s.endOfBand--
				}
				if err := d.checkEnd(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
