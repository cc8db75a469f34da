package turbojpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// maxScans limits the scans of a progressive file, because each takes as long as a whole image.
// libjpeg's own encoder makes 10.
const maxScans = 64

// Header is what a file says about its image.
type Header struct {
	Width, Height int
	Components    int // 1: grey; 3: colour
}

// RefusedError says why a file is not for the library.
type RefusedError struct{ reason string }

func (e *RefusedError) Error() string { return "not for libjpeg-turbo: " + e.reason }

func refuse(format string, args ...any) error {
	return &RefusedError{fmt.Sprintf(format, args...)}
}

// The markers that are read.
const (
	mTEM   = 0x01
	mSOF0  = 0xc0 // sequential
	mSOF1  = 0xc1 // sequential, extended
	mSOF2  = 0xc2 // progressive
	mDHT   = 0xc4
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDRI   = 0xdd
	mAPP0  = 0xe0
	mAPP15 = 0xef
	mCOM   = 0xfe
)

// ReadHeader reads all of a file's markers. It returns a [*RefusedError] unless the file is
// complete and every version of the library decodes it to the same pixels. That requires 8 bits,
// Huffman coding, grey or three components, chroma whole or halved (4:4:4, 4:2:2, 4:2:0), and in a
// progressive image every coefficient to its last bit. Because it reads the whole file, a decoder
// that stops below a piece reports the same errors as one that decodes everything.
func ReadHeader(data []byte) (Header, error) {
	var w walk
	if len(data) < 4 || data[0] != 0xff || data[1] != mSOI {
		return Header{}, errors.New("not a JPEG: it does not begin with ff d8")
	}
	data = data[2:]
	for {
		// A marker is ff, possibly more of them as filling, and a byte with its kind.
		if len(data) > 0 && data[0] != 0xff {
			return w.Header, refuse("there is no marker where one should be")
		}
		for len(data) > 1 && data[1] == 0xff {
			data = data[1:]
		}
		if len(data) < 2 {
			return w.Header, refuse("it is cut")
		}
		marker := data[1]
		data = data[2:]
		if marker == mEOI {
			return w.Header, w.complete()
		}
		if len(data) < 2 {
			return w.Header, refuse("it is cut")
		}
		n := int(binary.BigEndian.Uint16(data))
		if n < 2 || n > len(data) {
			return w.Header, refuse("a segment of %d bytes in %d", n, len(data))
		}
		if err := w.segment(marker, data[2:n]); err != nil {
			return w.Header, err
		}
		data = data[n:]
		if marker == mSOS {
			data = data[entropyCoded(data):]
		}
	}
}

// entropyCoded returns the length of entropy-coded data, up to a marker that is no restart marker.
func entropyCoded(data []byte) int {
	at := 0
	for {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			return len(data)
		}
		at += i
		switch next := data[at+1]; {
		case next == 0 || next >= mRST0 && next <= mRST7:
			at += 2
		case next == 0xff:
			at++
		default:
			return at
		}
	}
}

// walk is what has been read of the markers.
type walk struct {
	Header
	kind                  byte        // the frame's marker, 0 before it
	ids                   [3]byte     // of the components
	seen                  [3]bool     // components of a sequential image that have had their scan
	known                 [3][64]int8 // for each coefficient of a progressive image 1 + its lowest known bit; 0: no bit is known
	huffman, quantization bool        // tables exist
	scans                 int
}

// segment reads one segment.
func (w *walk) segment(marker byte, p []byte) error {
	switch {
	case marker == mSOF0 || marker == mSOF1 || marker == mSOF2:
		return w.frame(marker, p)
	case marker == mSOS:
		return w.scan(p)
	case marker == mDHT:
		w.huffman = true
		return nil
	case marker == mDQT:
		w.quantization = true
		return nil
	case marker == mDRI || marker >= mAPP0 && marker <= mAPP15 || marker == mCOM:
		return nil
	}
	return refuse("it has a marker ff %02x", marker)
}

// frame reads the header of a frame.
func (w *walk) frame(marker byte, p []byte) error {
	if w.kind != 0 || len(p) < 6 || len(p) != 6+3*int(p[5]) {
		return refuse("its frame's header is damaged")
	}
	w.kind = marker
	w.Height, w.Width, w.Components = int(binary.BigEndian.Uint16(p[1:])), int(binary.BigEndian.Uint16(p[3:])), int(p[5])
	switch {
	case p[0] != 8:
		return refuse("samples of %d bits", p[0])
	case w.Height == 0 || w.Width == 0:
		return refuse("its header says %d×%d pixels", w.Width, w.Height)
	case w.Components != 1 && w.Components != 3:
		return refuse("%d components", w.Components)
	}
	for i := range w.Components {
		id, sampling := p[6+3*i], p[7+3*i]
		w.ids[i] = id
		switch {
		case i > 0 && sampling == 0x11:
		case i == 0 && (sampling == 0x11 || w.Components == 3 && (sampling == 0x21 || sampling == 0x22)):
		default:
			return refuse("component %d is sampled %d×%d", i+1, sampling>>4, sampling&15)
		}
		for j := range i {
			if w.ids[j] == id {
				return refuse("two components are called %d", id)
			}
		}
	}
	return nil
}

// scan reads the header of a scan.
func (w *walk) scan(p []byte) error {
	if w.scans++; w.scans > maxScans {
		return refuse("more than %d scans", maxScans)
	}
	if w.kind == 0 || len(p) < 1 || p[0] < 1 || p[0] > 3 || len(p) != 4+2*int(p[0]) {
		return refuse("the header of scan %d is damaged", w.scans)
	}
	if !w.huffman || !w.quantization {
		return refuse("it has no tables")
	}
	n := int(p[0])
	first, last, bits := int(p[1+2*n]), int(p[2+2*n]), int8(p[3+2*n]&15)
	if w.kind == mSOF2 && (last > 63 || first > last) {
		return refuse("scan %d is of coefficients %d to %d", w.scans, first, last)
	}
	for i := range n {
		c := bytes.IndexByte(w.ids[:w.Components], p[1+2*i])
		switch {
		case c < 0:
			return refuse("scan %d is of a component %d, which there is not", w.scans, p[1+2*i])
		case w.kind == mSOF2:
			for k := first; k <= last; k++ {
				w.known[c][k] = 1 + bits
			}
		case w.seen[c]:
			return refuse("component %d has two scans", c+1)
		}
		w.seen[c] = true
	}
	return nil
}

// complete returns an error if a decoder would have to guess any data.
func (w *walk) complete() error {
	if w.kind == 0 {
		return refuse("it has no frame")
	}
	for c := range w.Components {
		if !w.seen[c] {
			return refuse("component %d has no scan", c+1)
		}
		for k, known := range w.known[c] {
			if w.kind == mSOF2 && known != 1 {
				return refuse("coefficient %d of component %d is not there to its last bit", k, c+1)
			}
		}
	}
	return nil
}
