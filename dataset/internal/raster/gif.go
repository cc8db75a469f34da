package raster

import (
	"encoding/binary"
)

// gifFile is a GIF up to the data of its first frame.
type gifFile struct {
	data        []byte
	w, h        int
	palette     palette
	greys       bool // the last palette has the greys in order, which Pillow ignores: colours come from the previous palette
	background  byte // index of pixels that the frame does not cover
	x, y        int
	fw, fh      int // size of the frame
	interlaced  bool
	codeBits    int
	at          int // of the first block of data
	transparent bool
}

// gifMemory is the size of the decoder's tables.
const gifMemory = 64 << 10

// ReadGIFHeader reads a GIF up to its first frame.
func ReadGIFHeader(data []byte) (Header, error) {
	g, err := readGIF(data)
	if err != nil {
		return Header{}, err
	}
	return Header{g.w, g.h, gifMemory + 4*int64(g.fw)}, nil
}

// DecodeGIF decodes the first frame of a GIF. Transparent pixels have the palette's colour. Pixels
// outside the frame have the colour of the transparent index, or of index 0.
func DecodeGIF(data []byte, dst *Canvas) error {
	g, err := readGIF(data)
	if err != nil {
		return err
	}
	return g.decode(dst)
}

func readGIF(data []byte) (*gifFile, error) {
	g := &gifFile{data: data, palette: greys()}
	if len(data) < 13 {
		return nil, truncated(len(data))
	}
	word := func(at int) int { return int(binary.LittleEndian.Uint16(data[at:])) }
	colours := func(at int, flags byte) int { // reads a palette
		if flags&0x80 == 0 {
			return at
		}
		g.greys = false
		n := 3 << (flags&7 + 1)
		rgb := data[min(at, len(data)):min(at+n, len(data))]
		if g.greys = isGreys(rgb); !g.greys {
			g.palette = palette{}
			g.palette.set(rgb)
		}
		return at + n
	}
	g.w, g.h = word(6), word(8)
	at := colours(13, data[10])
	for {
		if at >= len(data) {
			return nil, truncated(len(data))
		}
		kind := data[at]
		at++
		switch kind {
		case ';':
			return nil, fail(at, "no image in the file")
		case '!':
			if at+1 >= len(data) {
				return nil, truncated(len(data))
			}
			label := data[at]
			at++
			if n := int(data[at]); label == 0xf9 && n >= 4 && at+n < len(data) && data[at+1]&1 != 0 {
				g.transparent, g.background = true, data[at+4]
			}
			for at < len(data) && data[at] != 0 {
				at += 1 + int(data[at])
			}
			at++
		case ',':
			if at+10 > len(data) {
				return nil, truncated(len(data))
			}
			g.x, g.y, g.fw, g.fh = word(at), word(at+2), word(at+4), word(at+6)
			g.w, g.h = max(g.w, g.x+g.fw), max(g.h, g.y+g.fh)
			g.interlaced = data[at+8]&0x40 != 0
			at = colours(at+9, data[at+8])
			if at >= len(data) {
				return nil, truncated(len(data))
			}
			g.codeBits, g.at = int(data[at]), at+1
			if g.fw == 0 || g.fh == 0 || g.codeBits > 12 {
				return nil, fail(at, "a frame of %d×%d pixels in codes of %d bits", g.fw, g.fh, g.codeBits)
			}
			return g, nil
		}
	}
}

// isGreys reports whether each colour is the grey of its index.
func isGreys(rgb []byte) bool {
	for i, v := range rgb {
		if v != byte(i/3) {
			return false
		}
	}
	return true
}

// gifCodes is the maximum number of LZW codes.
const gifCodes = 1 << 12

func (g *gifFile) decode(dst *Canvas) error {
	if g.greys && dst.C == 1 {
		g.palette = greys()
	}
	dst.clear(g.palette[g.background])
	rows := &gifRows{g: g, dst: dst, rgb: make([]byte, 3*g.fw), step: 1}
	if g.interlaced {
		rows.step = 8
	}
	var (
		prefix       [gifCodes]uint16
		suffix       [gifCodes]byte
		text         [gifCodes + 1]byte // text of a code, written from the end
		clearCode    = 1 << g.codeBits
		size         = g.codeBits + 1
		next         = clearCode + 2
		last         = -1 // the previous code; -1 after a clear code
		first        byte // first byte of the last text
		bits, n, end int  // bits read ahead, their number, and the end of their block
	)
	at := g.at
	end = at
	for !rows.done {
		for n < size {
			if at == end {
				if at >= len(g.data) || at+1+int(g.data[at]) > len(g.data) {
					return truncated(len(g.data))
				}
				end = at + 1 + int(g.data[at])
				at++
				if at == end {
					return fail(at, "the image data end early")
				}
			}
			bits |= int(g.data[at]) << n
			at++
			n += 8
		}
		code := bits & (1<<size - 1)
		bits >>= size
		n -= size
		switch {
		case code == clearCode:
			size, next, last = g.codeBits+1, clearCode+2, -1
			continue
		case code == clearCode+1:
			return fail(at, "the image data end early")
		case last < 0 && code > clearCode, code > next, code >= gifCodes:
			return fail(at, "code %d before its time", code)
		}
		if last < 0 {
			first, last = byte(code), code
			rows.add([]byte{first})
			continue
		}
		from, c := len(text), code
		if c == next { // the previous text and its own first byte
			from--
			text[from] = first
			c = last
		}
		for c >= clearCode {
			from--
			text[from] = suffix[c]
			c = int(prefix[c])
			if from == 0 || c == clearCode || c == clearCode+1 {
				return fail(at, "a code of codes that are none")
			}
		}
		from--
		first = byte(c)
		text[from] = first
		if next < gifCodes {
			suffix[next], prefix[next] = first, uint16(last)
			if next == 1<<size-1 && size < 12 {
				size++
			}
			next++
		}
		last = code
		rows.add(text[from:])
	}
	return nil
}

// gifRows writes indices to their places in the image.
type gifRows struct {
	g    *gifFile
	dst  *Canvas
	rgb  []byte
	x, y int
	pass int
	step int
	done bool
}

// add writes the next pixels.
func (r *gifRows) add(indices []byte) {
	for _, i := range indices {
		copy(r.rgb[3*r.x:3*r.x+3], r.g.palette[i][:])
		if r.x++; r.x < r.g.fw {
			continue
		}
		r.dst.fill(r.g.y+r.y, r.g.x, 1, r.rgb)
		r.x = 0
		r.y += r.step
		for r.y >= r.g.fh {
			if !r.g.interlaced || r.pass == 3 {
				r.done = true
				return
			}
			r.pass++
			r.y, r.step = 8>>r.pass, 16>>r.pass
		}
	}
}
