// Package jpeg decodes JPEG files (ITU-T T.81) to exactly the pixels of libjpeg-turbo with its
// default settings, which are the pixels that Pillow and torchvision train on. It has
// libjpeg-turbo's integer inverse DCT, its interpolation of chroma, its fixed-point colours, and
// its smoothing of progressive files whose last scans are missing.
//
// It reads what libjpeg-turbo reads: baseline, extended and progressive files of 8 bits, Huffman or
// arithmetic coding, restart intervals, sampling factors of 1 to 4, grey, YCbCr, RGB, CMYK and
// YCCK. Like libjpeg-turbo it continues after damage if possible: bad codes count as zeros, garbage
// between segments is skipped, and it resynchronises at restart markers. A file that ends early is
// an error.
//
// The image's size bounds time and memory, because the number of scans in a file is limited.
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
	Progressive   bool // otherwise sequential

	memory int64
}

// Memory returns the number of bytes that Decode allocates at most, besides the pixels that it
// writes to.
func (h Header) Memory() int64 { return h.memory }

// Error says what is wrong with a file, and where.
type Error struct {
	Offset int // byte in the file
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns io.ErrUnexpectedEOF for files that end early.
func (e *Error) Unwrap() error { return e.Err }

// Position returns the index of the byte in the file.
func (e *Error) Position() int { return e.Offset }

// keptBytes is the memory that a decoder keeps for the next image: enough for a progressive
// photograph of 5 megapixels, but not for the largest images.
const keptBytes = 16 << 20

// Decoder decodes one image after another and reuses its memory. The zero value is ready for use.
// Only one goroutine may use it at a time.
type Decoder struct {
	data   []byte
	pos    int  // position of the next byte
	marker byte // marker that was read but not handled yet; 0: none

	header    Header
	sawFrame  bool
	arith     bool
	jfif      bool
	adobe     bool
	transform byte // colour transform in the Adobe marker
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
	coefs   []int16   // of all components, if several scans give them
	planes  []byte    // the ring buffers of all components
	rgb     []byte    // a row of colours to be converted to grey
}

// component is a plane of the image.
type component struct {
	id        byte
	h, v      int // sampling factors
	tq        int // quantization table
	index     int
	latched   bool       // q is set
	q         [64]int32  // quantization table, in natural order
	wide      int        // blocks with pixels in a row
	high      int        // blocks with pixels in a column
	stride    int        // blocks in a row of coefs: wide rounded up to whole MCUs
	rows      int        // blocks in a column of coefs
	width     int        // samples with pixels in a row
	height    int        // samples with pixels in a column
	dcTable   int        // of the scan
	acTable   int        // of the scan
	pred      int32      // prediction of the DC coefficient
	context   int        // context of the DC coefficient in arithmetic coding
	coefs     []int16    // (rows, stride, 64), if several scans give them
	precision [64]int8   // of each coefficient so far, in progressive files: missing bits, or -1 if all are missing
	before    [10]int8   // precision before the last scan
	plane     []byte     // ring buffer of rows of samples
	ring      int        // rows in it
	upsample  upsampling // scaling to the image's size
}

// scan is the part of a file that follows one SOS marker.
type scan struct {
	comps  [4]*component
	n      int
	ss, se int // spectral selection
	ah, al int // successive approximation
	number int // from 1
	good   int // the last row of MCUs with data

	togo      int  // MCUs until the next restart marker
	next      byte // number of that marker
	empty     bool // the data have ended: all further coefficients are zeros
	endOfBand int  // remaining blocks of zeros
}

// headers is a pool of decoders that read only headers. Their tables are too large to be allocated
// for each file.
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

// Decode writes the image to dst, which must have room for Height rows of Width pixels of the given
// number of channels: 3 (red, green, blue), or 1, their luma. CMYK becomes RGB as in Pillow,
// without a colour profile.
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

// reset prepares d for a file.
func (d *Decoder) reset(data []byte) {
	d.data, d.pos, d.marker = data, 0, 0
	d.header, d.sawFrame = Header{}, false
	d.hasQuant = [4]bool{}
	for i := range 4 {
		d.dc[i].defined, d.ac[i].defined = false, false
	}
	d.startImage()
}

// startImage resets the state that an SOI marker resets.
func (d *Decoder) startImage() {
	d.jfif, d.adobe, d.transform, d.restart = false, false, 0, 0
	for i := range d.arithDC {
		d.arithDC[i], d.arithAC[i] = conditioning{0, 1}, 5
	}
}

// shrink releases the file, and memory that is too large to keep.
func (d *Decoder) shrink() {
	d.data = nil
	if cap(d.coefs)*2 > keptBytes {
		d.coefs = nil
	}
	for i := range d.comps {
		d.comps[i].coefs = nil
	}
}

// buffered reports whether the coefficients of the whole image must be in memory, because several
// scans give them.
func (d *Decoder) buffered() bool { return d.header.Progressive || d.scan.n < d.header.Components }

// layout computes the components' sizes and their memory, once the frame and the first scan are
// known.
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

// prepare allocates the memory for an image.
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

// fail returns an error at the current position.
func (d *Decoder) fail(format string, args ...any) error {
	return &Error{Offset: d.pos, Err: fmt.Errorf(format, args...)}
}

// truncated returns the error for a file that ends early.
func (d *Decoder) truncated() error {
	return &Error{Offset: len(d.data), Err: fmt.Errorf("the file ends early: %w", io.ErrUnexpectedEOF)}
}

func ceil(a, b int) int { return (a + b - 1) / b }
