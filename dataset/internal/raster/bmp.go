package raster

import (
	"encoding/binary"
	"fmt"
	"math"
)

// bmpFile is a BMP up to its pixels.
type bmpFile struct {
	data        []byte
	w, h        int
	bits        int
	compression uint32
	topDown     bool
	palette     palette
	masks       [3]uint32 // of red, green and blue, in 16 and 32 bits
	at          int       // of the pixels
}

// Compressions of BMP.
const (
	bmpRaw    = 0
	bmpRLE8   = 1
	bmpRLE4   = 2
	bmpFields = 3
)

// ReadBMPHeader reads a BMP up to its pixels.
func ReadBMPHeader(data []byte) (Header, error) {
	b, err := readBMP(data)
	if err != nil {
		return Header{}, err
	}
	h := Header{b.w, b.h, 4 * int64(b.w)}
	if b.runs() {
		h.Memory += int64(b.w) * int64(b.h)
	}
	return h, nil
}

// DecodeBMP decodes a BMP: of 1, 4, 8, 16, 24 and 32 bits, run-length coded or not, with the
// headers of Windows and OS/2.
func DecodeBMP(data []byte, dst *Canvas) error {
	b, err := readBMP(data)
	if err != nil {
		return err
	}
	if b.runs() {
		return b.decodeRuns(dst)
	}
	return b.decode(dst)
}

func (b *bmpFile) runs() bool { return b.compression == bmpRLE8 || b.compression == bmpRLE4 }

func readBMP(data []byte) (*bmpFile, error) {
	b := &bmpFile{data: data}
	if len(data) < 26 {
		return nil, truncated(len(data))
	}
	word := func(at int) int { return int(binary.LittleEndian.Uint16(data[at:])) }
	long := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	b.at = int(long(10))
	size := int(long(14))
	end := 14 + size // end of the header
	colours, entry, bitsAt := 0, 4, 28
	switch size {
	case 12:
		b.w, b.h, b.bits, entry, bitsAt = word(18), word(20), word(24), 3, 24
	case 40, 52, 56, 64, 108, 124:
		if len(data) < end {
			return nil, truncated(len(data))
		}
		w, h := long(18), long(22)
		if b.topDown = h >= 0xff000000; b.topDown {
			h = -h
		}
		if w > math.MaxInt32 || h > math.MaxInt32 {
			return nil, fail(18, "its header says %d×%d pixels", w, h)
		}
		b.w, b.h, b.bits, b.compression = int(w), int(h), word(28), long(30)
		if n := long(46); n <= 1<<16 {
			colours = int(n)
		} else if b.bits <= 8 {
			return nil, fail(46, "a palette of %d colours", n)
		}
		if b.compression == bmpFields {
			at := 54 // after a header of 40 bytes, or within a longer one
			if size == 40 {
				end += 12
			}
			if len(data) < at+12 {
				return nil, truncated(len(data))
			}
			b.masks = [3]uint32{long(at), long(at + 4), long(at + 8)}
		}
	default:
		return nil, fail(14, "a header of %d bytes is none that is known", size)
	}
	if b.w == 0 || b.h == 0 {
		return nil, fail(18, "its header says %d×%d pixels", b.w, b.h)
	}
	if err := b.check(); err != nil {
		return nil, &Error{bitsAt, err}
	}
	if b.bits <= 8 {
		if colours == 0 {
			colours = 1 << b.bits
		}
		if b.at == 14+size {
			b.at += entry * colours
		}
		if len(data) < end {
			return nil, truncated(len(data))
		}
		for i, s := 0, data[end:]; i < min(colours, 256) && len(s) >= 3; i++ {
			b.palette[i] = [3]byte{s[2], s[1], s[0]}
			s = s[min(entry, len(s)):]
		}
		end += entry * colours
	}
	if b.at == 0 {
		b.at = end
	}
	return b, nil
}

// check returns an error if pixels of this kind are not supported, and sets the default masks.
func (b *bmpFile) check() error {
	kind := fmt.Errorf("%d bits a pixel in compression %d are not read", b.bits, b.compression)
	switch b.bits {
	case 1, 4, 8:
		if b.compression != bmpRaw && (b.compression != bmpRLE8 || b.bits != 8) && (b.compression != bmpRLE4 || b.bits != 4) {
			return kind
		}
		return nil
	case 16, 24, 32:
	default:
		return kind
	}
	switch b.compression {
	case bmpRaw:
		b.masks = [3]uint32{0xff0000, 0xff00, 0xff}
		if b.bits == 16 {
			b.masks = [3]uint32{0x7c00, 0x3e0, 0x1f}
		}
		return nil
	case bmpFields:
	default:
		return kind
	}
	if b.bits == 32 && b.masks == [3]uint32{} {
		b.masks = [3]uint32{0xff0000, 0xff00, 0xff}
	}
	for _, known := range map[int][][3]uint32{
		16: {{0xf800, 0x7e0, 0x1f}, {0x7c00, 0x3e0, 0x1f}},
		24: {{0xff0000, 0xff00, 0xff}},
		32: {{0xff0000, 0xff00, 0xff}, {0xff000000, 0xff0000, 0xff00}, {0xff000000, 0xff00, 0xff}, {0xff, 0xff00, 0xff0000}},
	}[b.bits] {
		if known == b.masks {
			return nil
		}
	}
	return fmt.Errorf("red, green and blue in the bits %#x of %d are not read", b.masks, b.bits)
}

// row returns the image's row for the n-th row of the file.
func (b *bmpFile) row(n int) int {
	if b.topDown {
		return n
	}
	return b.h - 1 - n
}

func (b *bmpFile) decode(dst *Canvas) error {
	stride := (b.w*b.bits + 31) / 32 * 4
	used := (b.w*b.bits + 7) / 8
	rgb := make([]byte, 3*b.w)
	indices := make([]byte, b.w)
	for n := range b.h {
		at := b.at + n*stride
		if at < 0 || at+used > len(b.data) {
			return truncated(len(b.data))
		}
		s := b.data[at : at+used]
		switch b.bits {
		case 1, 4, 8:
			unpack(indices, s, b.w, b.bits)
			for i, v := range indices {
				copy(rgb[3*i:3*i+3], b.palette[v][:])
			}
		case 16:
			for i := range b.w {
				v := uint32(binary.LittleEndian.Uint16(s[2*i:]))
				for j, mask := range b.masks {
					low := mask & -mask
					rgb[3*i+j] = uint8(v & mask / low * 255 / (mask / low))
				}
			}
		case 24:
			for i := range b.w {
				rgb[3*i], rgb[3*i+1], rgb[3*i+2] = s[3*i+2], s[3*i+1], s[3*i]
			}
		case 32:
			for i := range b.w {
				v := binary.LittleEndian.Uint32(s[4*i:])
				for j, mask := range b.masks {
					rgb[3*i+j] = uint8(v & mask / (mask & -mask))
				}
			}
		}
		dst.fill(b.row(n), 0, 1, rgb)
	}
	return nil
}

// decodeRuns decodes run-length coded indices. They must fill the image; pixels that codes skip
// have index 0.
func (b *bmpFile) decodeRuns(dst *Canvas) error {
	all := b.w * b.h
	pix := make([]byte, 0, all)
	add := func(n int, v ...byte) { // appends n indices by repeating v
		for i := range min(n, all-len(pix)) {
			pix = append(pix, v[i%len(v)])
		}
	}
	nibbles := func(v byte) []byte {
		if b.compression == bmpRLE4 {
			return []byte{v >> 4, v & 15}
		}
		return []byte{v}
	}
	x, at := 0, b.at
read:
	for len(pix) < all && at+2 <= len(b.data) {
		n, v := int(b.data[at]), b.data[at+1]
		at += 2
		switch {
		case n > 0:
			n = max(0, min(n, b.w-x))
			add(n, nibbles(v)...)
			x += n
		case v == 0: // end of the row
			add((b.w-len(pix)%b.w)%b.w, 0)
			x = 0
		case v == 1: // end of the image
			break read
		case v == 2: // a move to the right and up
			if at+2 > len(b.data) {
				break read
			}
			add(int(b.data[at])+int(b.data[at+1])*b.w, 0)
			x = len(pix) % b.w
			at += 2
		default: // literal indices
			n = min(int(v), all-len(pix))
			bytes := n
			if b.compression == bmpRLE4 {
				bytes = (n + 1) / 2
			}
			if at+bytes > len(b.data) {
				break read
			}
			for i, c := range b.data[at : at+bytes] {
				if b.compression == bmpRLE4 {
					add(min(2, n-2*i), nibbles(c)...)
				} else {
					add(1, c)
				}
			}
			x += int(v)
			at += bytes
			at += at % 2
		}
	}
	if len(pix) < all {
		return fail(min(at, len(b.data)), "the runs end after %d of %d pixels: %w", len(pix), all, errShort)
	}
	rgb := make([]byte, 3*b.w)
	for n := range b.h {
		for i, v := range pix[n*b.w:][:b.w] {
			copy(rgb[3*i:3*i+3], b.palette[v][:])
		}
		dst.fill(b.row(n), 0, 1, rgb)
	}
	return nil
}
