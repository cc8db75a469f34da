// Package jpeg decodes JPEG files (ITU-T T.81) to the very pixels that libjpeg-turbo gives with its default settings, and so
// those that Pillow and torchvision train on: its integer inverse DCT, its interpolation of chroma, its fixed-point colours, its
// smoothing of progressive files whose last scans are missing.
//
// It reads what libjpeg-turbo reads: baseline, extended and progressive files of 8 bits, Huffman or arithmetic coding, restart
// intervals, sampling factors of 1 to 4, grey, YCbCr, RGB, CMYK and YCCK. Like it, it goes on behind damage where it can: bad codes
// are zeros, garbage between segments is passed over, lost restart markers are waited for. A file that ends early is an error.
//
// Time and memory are bounded by the image's size: a file has so many scans at most.
package jpeg

import (
	"fmt"
	"io"
	"sync"
)

// Header is what a file says before its first scan.
type Header struct {
	Width, Height int
	Components    int  // 1 (grey), 3 (colours) or 4 (colours and black)
	Progressive   bool // or else sequential

	memory int64
}

// Memory is how many bytes Decode takes, besides the pixels that it writes to and as far as the decoder does not have them yet.
func (h Header) Memory() int64 { return h.memory }

// Error is what is wrong with a file, and where.
type Error struct {
	Offset int // byte in the file
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns io.ErrUnexpectedEOF for files that end early.
func (e *Error) Unwrap() error { return e.Err }

// Position is the byte in the file.
func (e *Error) Position() int { return e.Offset }

// keptBytes is how much memory a decoder keeps for the next image: that of a progressive photograph of 5 megapixels, not that of the
// largest image there is.
const keptBytes = 16 << 20

// Decoder decodes one image after the other and reuses its memory. The zero value is ready for use; one goroutine at a time owns it.
type Decoder struct {
	data   []byte
	pos    int  // of the next byte
	marker byte // that was read and is still to be acted on, 0 for none

	header    Header
	sawFrame  bool
	arith     bool
	jfif      bool
	adobe     bool
	transform byte // of the Adobe marker
	restart   int  // MCUs between restart markers, 0 for none
	maxH      int
	maxV      int

	quant    [4][64]uint16 // in natural order
	hasQuant [4]bool
	dc, ac   [4]huffman
	arithDC  [16]conditioning
	arithAC  [16]uint8 // Kx

	comps   [4]component
	scan    scan
	bits    bitReader
	coder   arithmetic
	block   [64]int16
	scratch [64]int16
	lines   [4][]byte // rows at the image's width
	coefs   []int16   // of all components, where more than one scan gives them
	planes  []byte    // the rings of all components
	rgb     []byte    // a row of colours on its way to grey
}

// component is a plane of the image.
type component struct {
	id        byte
	h, v      int // sampling factors
	tq        int // quantization table
	index     int
	latched   bool       // whether q is set
	q         [64]int32  // quantization table, in natural order
	wide      int        // blocks that hold pixels, in a row
	high      int        // and in a column
	stride    int        // blocks in a row of coefs: wide, rounded up to whole MCUs
	rows      int        // and in a column
	width     int        // samples that hold pixels
	height    int        //
	dcTable   int        // of the scan
	acTable   int        //
	pred      int32      // of the DC coefficient
	context   int        // of the DC coefficient, in arithmetic coding
	coefs     []int16    // (rows, stride, 64), where more than one scan gives them
	precision [64]int8   // of each coefficient so far, in progressive files: bits that are missing, -1 for all
	before    [10]int8   // precision before the last scan
	plane     []byte     // a ring of rows of samples
	ring      int        // rows in it
	upsample  upsampling // to the image's size
}

// scan is the part of a file that follows one SOS marker.
type scan struct {
	comps  [4]*component
	n      int
	ss, se int // spectral selection
	ah, al int // successive approximation
	number int // from 1
	good   int // the last row of MCUs whose data are there

	togo      int  // MCUs until the next restart marker
	next      byte // its number
	empty     bool // the data are used up: what follows is zeros
	endOfBand int  // blocks of zeros to come
}

// headers has decoders that read headers only. Their tables are too large to be made anew for each
// file.
var headers = sync.Pool{New: func() any { return new(Decoder) }}

// ReadHeader reads a file up to its first scan.
func ReadHeader(data []byte) (Header, error) {
	d := headers.Get().(*Decoder)
	defer headers.Put(d)
	d.reset(data)
	defer d.shrink()
	if err := d.readHeader(); err != nil {
		return Header{}, err
	}
	return d.header, nil
}

// Decode writes the image to dst, which has room for Height rows of Width pixels of so many channels: 3 (red, green, blue) or 1,
// the luma of these. CMYK becomes RGB as in Pillow, without a colour profile.
func (d *Decoder) Decode(data []byte, channels int, dst []byte) error {
	if channels != 1 && channels != 3 {
		return fmt.Errorf("jpeg: %d channels: there are 1 and 3", channels)
	}
	d.reset(data)
	defer d.shrink()
	if err := d.readHeader(); err != nil {
		return err
	}
	if n := d.header.Width * d.header.Height * channels; len(dst) != n {
		return fmt.Errorf("jpeg: room for %d bytes of %d", len(dst), n)
	}
	if err := d.prepare(channels); err != nil {
		return err
	}
	out := output{d: d, dst: dst, channels: channels}
	if !d.buffered() {
		return d.decodeDirect(&out)
	}
	return d.decodeBuffered(&out)
}

// reset makes d ready for a file.
func (d *Decoder) reset(data []byte) {
	d.data, d.pos, d.marker = data, 0, 0
	d.header, d.sawFrame = Header{}, false
	d.hasQuant = [4]bool{}
	for i := range 4 {
		d.dc[i].defined, d.ac[i].defined = false, false
	}
	d.startImage()
}

// startImage forgets what an SOI marker ends.
func (d *Decoder) startImage() {
	d.jfif, d.adobe, d.transform, d.restart = false, false, 0, 0
	for i := range d.arithDC {
		d.arithDC[i], d.arithAC[i] = conditioning{0, 1}, 5
	}
}

// shrink lets go of the file, and of memory that is too much to keep.
func (d *Decoder) shrink() {
	d.data = nil
	if cap(d.coefs)*2 > keptBytes {
		d.coefs = nil
	}
	for i := range d.comps {
		d.comps[i].coefs = nil
	}
}

// buffered says whether the coefficients of the whole image have to be in memory: where several scans give them.
func (d *Decoder) buffered() bool { return d.header.Progressive || d.scan.n < d.header.Components }

// layout computes the components' sizes, once the frame and the first scan are known, and what memory they take.
func (d *Decoder) layout() error {
	h := &d.header
	comps := d.comps[:h.Components]
	d.maxH, d.maxV = 1, 1
	for i := range comps {
		c := &comps[i]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return d.fail("sampling factors of %d×%d: 1 to 4 are allowed", c.h, c.v)
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
	}
	var coefs, planes int64
	for i := range comps {
		c := &comps[i]
		c.wide, c.high = ceil(h.Width*c.h, 8*d.maxH), ceil(h.Height*c.v, 8*d.maxV)
		c.stride, c.rows = ceil(c.wide, c.h)*c.h, ceil(c.high, c.v)*c.v
		c.width, c.height = ceil(h.Width*c.h, d.maxH), ceil(h.Height*c.v, d.maxV)
		c.ring = 16 * c.v
		var err error
		if c.upsample, err = d.upsampling(c); err != nil {
			return err
		}
		coefs += 2 * 64 * int64(c.stride) * int64(c.rows)
		planes += int64(c.stride) * 8 * int64(c.ring)
	}
	h.memory = planes + int64(len(comps)+3)*int64(h.Width+8*d.maxH)
	if d.buffered() {
		h.memory += coefs
	}
	return nil
}

// prepare provides the memory for an image.
func (d *Decoder) prepare(channels int) error {
	comps := d.comps[:d.header.Components]
	var coefs, planes int
	for i := range comps {
		coefs += 64 * comps[i].stride * comps[i].rows
		planes += comps[i].stride * 8 * comps[i].ring
	}
	if cap(d.planes) < planes {
		d.planes = make([]byte, planes)
	}
	if d.buffered() {
		if cap(d.coefs) < coefs {
			d.coefs = make([]int16, coefs)
		} else {
			d.coefs = d.coefs[:coefs]
			clear(d.coefs)
		}
	}
	coefs, planes = 0, 0
	for i := range comps {
		c := &comps[i]
		n := c.stride * 8 * c.ring
		c.plane = d.planes[:cap(d.planes)][planes:][:n]
		planes += n
		if d.buffered() {
			n := 64 * c.stride * c.rows
			c.coefs = d.coefs[coefs:][:n]
			coefs += n
		}
		c.latched, c.q = false, [64]int32{}
		for k := range c.precision {
			c.precision[k] = -1
		}
		c.before = [10]int8{}
		if n := d.header.Width + 8*d.maxH; cap(d.lines[i]) < n {
			d.lines[i] = make([]byte, n)
		}
	}
	if n := 3 * d.header.Width; channels == 1 && cap(d.rgb) < n {
		d.rgb = make([]byte, n)
	}
	return nil
}

// fail is an error at the byte that was read last.
func (d *Decoder) fail(format string, args ...any) error {
	return &Error{Offset: d.pos, Err: fmt.Errorf(format, args...)}
}

// truncated is the error for a file that ends early.
func (d *Decoder) truncated() error {
	return &Error{Offset: len(d.data), Err: fmt.Errorf("the file ends early: %w", io.ErrUnexpectedEOF)}
}

func ceil(a, b int) int { return (a + b - 1) / b }
