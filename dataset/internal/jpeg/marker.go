package jpeg

import (
	"bytes"
	"errors"
)

// Markers (T.81, table B.1).
const (
	mTEM   = 0x01
	mSOF0  = 0xc0 // baseline
	mSOF1  = 0xc1 // extended sequential
	mSOF2  = 0xc2 // progressive
	mSOF9  = 0xc9 // extended sequential, arithmetic coding
	mSOF10 = 0xca // progressive, arithmetic coding
	mDHT   = 0xc4
	mDAC   = 0xcc
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDNL   = 0xdc
	mDRI   = 0xdd
	mAPP0  = 0xe0
	mAPP14 = 0xee
	mAPP15 = 0xef
	mCOM   = 0xfe
)

// maxSide is the largest width and height that libjpeg accepts.
const maxSide = 65500

// natural is the position in a block of each coefficient in zigzag order. Damaged data run past the
// end, to the last position.
var natural = func() (table [128]uint8) {
	x, y := 0, 0
	for k := range table {
		if k > 63 {
			table[k] = 63
			continue
		}
		table[k] = uint8(8*y + x)
		switch up := (x+y)%2 == 0; {
		case up && x == 7:
			y++
		case up && y == 0:
			x++
		case up:
			x, y = x+1, y-1
		case y == 7:
			x++
		case x == 0:
			y++
		default:
			x, y = x-1, y+1
		}
	}
	return table
}()

// readHeader reads up to the first scan and computes the image's layout. It accepts tables in
// streams of their own before the image.
func (d *Decoder) readHeader() error {
	if len(d.data) < 3 || d.data[0] != 0xff || d.data[1] != mSOI || d.data[2] != 0xff {
		return d.fail("does not begin with the marker of a JPEG and another one")
	}
	d.pos = 2
	for {
		end, err := d.readMarkers()
		if err != nil {
			return err
		}
		if !end {
			break
		}
		if d.sawFrame {
			return d.fail("ends without a scan")
		}
		if d.pos+2 > len(d.data) {
			return d.truncated()
		}
		if d.data[d.pos] != 0xff || d.data[d.pos+1] != mSOI {
			return d.fail("no image follows the tables")
		}
		d.pos += 2
		d.startImage()
	}
	return d.layout()
}

// readMarkers reads segments up to a scan's data or to the end of the image.
func (d *Decoder) readMarkers() (end bool, err error) {
	for {
		if d.marker == 0 {
			if err := d.nextMarker(); err != nil {
				return false, err
			}
		}
		m := d.marker
		d.marker = 0
		switch {
		case m == mSOF0, m == mSOF1, m == mSOF2, m == mSOF9, m == mSOF10:
			err = d.readFrame(m)
		case m == mDHT:
			err = d.segment(d.readHuffman)
		case m == mDAC:
			err = d.segment(d.readConditioning)
		case m == mDQT:
			err = d.segment(d.readQuant)
		case m == mDRI:
			err = d.segment(d.readRestart)
		case m == mSOS:
			return false, d.readScan()
		case m == mEOI:
			return true, nil
		case m >= mAPP0 && m <= mAPP15:
			err = d.readApp(m)
		case m == mCOM, m == mDNL:
			_, err = d.skip()
		case m >= mRST0 && m <= mRST7, m == mTEM && d.sawFrame:
		case m == mSOI:
			err = d.fail("an image begins within another one")
		case m > mSOF0 && m < mRST0:
			err = d.fail("coding SOF%d is not baseline, extended sequential or progressive DCT", m-mSOF0)
		default:
			err = d.fail("unknown marker 0x%02x", m)
		}
		if err != nil {
			return false, err
		}
	}
}

// nextMarker finds the next marker and skips everything before it.
func (d *Decoder) nextMarker() error {
	for {
		i := bytes.IndexByte(d.data[d.pos:], 0xff)
		if i < 0 {
			d.pos = len(d.data)
			return d.truncated()
		}
		d.pos += i
		for d.pos < len(d.data) && d.data[d.pos] == 0xff {
			d.pos++
		}
		if d.pos == len(d.data) {
			return d.truncated()
		}
		d.marker = d.data[d.pos]
		d.pos++
		if d.marker != 0 {
			return nil
		}
	}
}

// length reads the length of a segment's content.
func (d *Decoder) length() (int, error) {
	if d.pos+2 > len(d.data) {
		return 0, d.truncated()
	}
	n := int(d.data[d.pos])<<8 + int(d.data[d.pos+1]) - 2
	d.pos += 2
	return n, nil
}

// skip skips a segment and returns its content. A length that is too small counts as no content.
func (d *Decoder) skip() ([]byte, error) {
	n, err := d.length()
	if err != nil || n <= 0 {
		return nil, err
	}
	if d.pos+n > len(d.data) {
		return nil, d.truncated()
	}
	content := d.data[d.pos : d.pos+n]
	d.pos += n
	return content, nil
}

// segment reads a segment that must be correct to its last byte. read returns the rest that is too
// short to be read.
func (d *Decoder) segment(read func(content []byte) (rest []byte, ok bool)) error {
	start := d.pos
	n, err := d.length()
	if err != nil {
		return err
	}
	content := d.data[d.pos:min(d.pos+max(n, 0), len(d.data))]
	rest, ok := read(content)
	switch {
	case !ok, n < 0, len(rest) > 0 && len(content) == n:
		return bad(start, d.data[start-1])
	case len(content) < n:
		return d.truncated()
	}
	d.pos += n
	return nil
}

// bad returns the error for a segment with wrong content. The content begins at start.
func bad(start int, marker byte) error {
	what := "frame header"
	switch marker {
	case mDHT:
		what = "Huffman tables"
	case mDAC:
		what = "conditioning of the arithmetic coding"
	case mDQT:
		what = "quantization tables"
	case mDRI:
		what = "restart interval"
	case mSOS:
		what = "scan header"
	}
	return &Error{Offset: start, Err: errors.New("bad " + what)}
}

// readFrame reads the image's size and its components.
func (d *Decoder) readFrame(marker byte) error {
	if d.sawFrame {
		return d.fail("two frames")
	}
	start := d.pos
	s, err := d.skip()
	if err != nil {
		return err
	}
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return bad(start, marker)
	}
	h := Header{
		Height: int(s[1])<<8 | int(s[2]), Width: int(s[3])<<8 | int(s[4]),
		Components: int(s[5]), Progressive: marker == mSOF2 || marker == mSOF10,
	}
	switch {
	case s[0] != 8:
		return d.fail("%d bits a sample: 8 are read", s[0])
	case h.Width == 0 || h.Height == 0 || h.Width > maxSide || h.Height > maxSide:
		return d.fail("its header says %d×%d pixels", h.Width, h.Height)
	case h.Components != 1 && h.Components != 3 && h.Components != 4:
		return d.fail("%d components: 1, 3 and 4 are read", h.Components)
	}
	for i := range h.Components {
		c := &d.comps[i]
		f := s[6+3*i:]
		c.index, c.id, c.h, c.v, c.tq = i, f[0], int(f[1]>>4), int(f[1]&15), int(f[2])
	}
	d.header, d.sawFrame = h, true
	d.arith = marker == mSOF9 || marker == mSOF10
	d.scan.number = 0
	return nil
}

// readScan reads the components of a scan, and the part of their coefficients that it gives.
func (d *Decoder) readScan() error {
	if !d.sawFrame {
		return d.fail("a scan without a frame")
	}
	start := d.pos
	n, err := d.length()
	if err != nil {
		return err
	}
	if d.pos == len(d.data) {
		return d.truncated()
	}
	if count := d.data[d.pos]; count < 1 || count > 4 || n != 4+2*int(count) {
		return bad(start, mSOS)
	}
	d.pos = start
	s, err := d.skip()
	if err != nil {
		return err
	}
	next := scan{n: int(s[0]), number: d.scan.number + 1, good: d.scan.good}
	for i := range next.n {
		id, tables := s[1+2*i], s[2+2*i]
		for j := range d.header.Components {
			// As libjpeg does, take the first component of that name whose own place in the list is
			// free.
			if c := &d.comps[j]; c.id == id && next.comps[j] == nil {
				next.comps[i] = c
				c.dcTable, c.acTable = int(tables>>4), int(tables&15)
				break
			}
		}
		if next.comps[i] == nil {
			return bad(start, mSOS)
		}
		for j := range i {
			if next.comps[j] == next.comps[i] {
				return bad(start, mSOS)
			}
		}
	}
	p := s[1+2*next.n:]
	next.ss, next.se, next.ah, next.al = int(p[0]), int(p[1]), int(p[2]>>4), int(p[2]&15)
	d.scan = next
	return nil
}

func (d *Decoder) readQuant(s []byte) (rest []byte, ok bool) {
	for len(s) > 0 {
		wide, t := s[0]>>4 != 0, int(s[0]&15)
		n := 64
		if wide {
			n = 128
		}
		if t > 3 {
			return s, false
		}
		if len(s) < 1+n {
			break
		}
		q := &d.quant[t]
		for k := range 64 {
			if wide {
				q[natural[k]] = uint16(s[1+2*k])<<8 | uint16(s[2+2*k])
			} else {
				q[natural[k]] = uint16(s[1+k])
			}
		}
		d.hasQuant[t] = true
		s = s[1+n:]
	}
	return s, true
}

func (d *Decoder) readRestart(s []byte) (rest []byte, ok bool) {
	if len(s) == 2 {
		d.restart = int(s[0])<<8 | int(s[1])
	}
	return nil, len(s) == 2
}

// readApp reads the markers of JFIF and Adobe, which define the colours.
func (d *Decoder) readApp(marker byte) error {
	s, err := d.skip()
	if err != nil {
		return err
	}
	switch {
	case marker == mAPP0 && len(s) >= 14 && string(s[:5]) == "JFIF\x00":
		d.jfif = true
	case marker == mAPP14 && len(s) >= 12 && string(s[:5]) == "Adobe":
		d.adobe, d.transform = true, s[11]
	}
	return nil
}

// restartMarker reads the restart marker that is due. If it finds another marker, it resynchronises
// as libjpeg does: it skips a marker that was due up to two intervals earlier, ends the interval at
// one that is due up to two intervals later, and takes any other for the one that is due.
func (d *Decoder) restartMarker() error {
	if d.marker == 0 {
		if err := d.nextMarker(); err != nil {
			return err
		}
	}
	due := d.scan.next
	d.scan.next = (due + 1) & 7
	for {
		m := d.marker
		switch ahead := (m - mRST0 - due) & 7; {
		case m < mSOF0, m >= mRST0 && m <= mRST7 && ahead >= 6:
			if err := d.nextMarker(); err != nil {
				return err
			}
			continue
		case m < mRST0 || m > mRST7 || ahead == 1 || ahead == 2:
			return nil // the interval is empty
		}
		d.marker = 0
		return nil
	}
}

// countScans counts the scans in the file, starting in the data of the first, without decoding
// them.
func (d *Decoder) countScans() int {
	n, pos := 1, d.pos
	for {
		i := bytes.IndexByte(d.data[pos:], 0xff)
		if i < 0 || pos+i+1 >= len(d.data) {
			return n
		}
		pos += i + 1
		switch m := d.data[pos]; {
		case m == mSOS:
			n++
		case m == mEOI:
			return n
		}
	}
}
