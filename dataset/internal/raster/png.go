package raster

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// zlibMemory is the memory that decompression needs: its window and tables.
const zlibMemory = 64 << 10

// pngFile is a PNG up to its image data.
type pngFile struct {
	data       []byte
	w, h       int
	depth      int
	colour     byte
	interlaced bool
	palette    palette
	frame      [4]int // x, y, width and height of the image data
	at         int    // of the first chunk of image data
}

// Colour types of PNG.
const (
	pngGrey      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGreyAlpha = 4
	pngRGBAlpha  = 6
)

// pngSamples is the number of samples in a pixel, by colour type.
var pngSamples = [...]int{pngGrey: 1, pngRGB: 3, pngPalette: 1, pngGreyAlpha: 2, pngRGBAlpha: 4}

// pngDepths are the possible bits of a sample, by colour type.
var pngDepths = [...][]int{pngGrey: {1, 2, 4, 8, 16}, pngRGB: {8, 16}, pngPalette: {1, 2, 4, 8}, pngGreyAlpha: {8, 16}, pngRGBAlpha: {8, 16}}

// pngLengths are the minimum lengths of the chunks that are read.
var pngLengths = map[string]int{"IHDR": 13, "gAMA": 4, "cHRM": 32, "sRGB": 1, "pHYs": 9, "acTL": 8, "fcTL": 26}

const pngMagic = "\x89PNG\r\n\x1a\n"

// ReadPNGHeader reads a PNG up to its image data.
func ReadPNGHeader(data []byte) (Header, error) {
	p, err := readPNG(data)
	if err != nil {
		return Header{}, err
	}
	return Header{p.w, p.h, 2*int64(p.rowBytes(p.w)+1) + 3*int64(p.w) + zlibMemory}, nil
}

// DecodePNG decodes a PNG. Of an animated PNG it decodes the first frame, at its place on black.
func DecodePNG(data []byte, dst *Canvas) error {
	p, err := readPNG(data)
	if err != nil {
		return err
	}
	return p.decode(dst)
}

// chunk reads the chunk at a position.
func (p *pngFile) chunk(at int) (name string, content []byte, err error) {
	if len(p.data) < at+8 {
		return "", nil, truncated(len(p.data))
	}
	n := int(binary.BigEndian.Uint32(p.data[at:]))
	name = string(p.data[at+4 : at+8])
	for _, c := range []byte(name) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			return "", nil, fail(at+4, "a chunk named %q", name)
		}
	}
	if content = p.data[at+8:]; len(content) > n {
		content = content[:n]
	}
	return name, content, nil
}

func readPNG(data []byte) (*pngFile, error) {
	p := &pngFile{data: data}
	if !bytes.HasPrefix(data, []byte(pngMagic)) {
		return nil, fail(0, "does not begin as a PNG")
	}
	for at := len(pngMagic); ; {
		name, s, err := p.chunk(at)
		if err != nil {
			return nil, err
		}
		if name == "IDAT" {
			p.at = at
			break
		}
		if name == "IEND" {
			return nil, fail(at, "ends without image data")
		}
		n := int(binary.BigEndian.Uint32(data[at:]))
		if len(data) < at+12+n {
			return nil, truncated(len(data))
		}
		if binary.BigEndian.Uint32(data[at+8+n:]) != crc32.ChecksumIEEE(data[at+4:at+8+n]) {
			return nil, fail(at+8+n, "wrong checksum of the chunk %s", name)
		}
		if n < pngLengths[name] {
			return nil, fail(at, "a chunk %s of %d bytes", name, n)
		}
		if err := p.read(name, s, at); err != nil {
			return nil, err
		}
		at += 12 + n
	}
	if p.interlaced { // Pillow puts an interlaced frame into the top left corner
		p.frame[0], p.frame[1] = 0, 0
	}
	if p.w == 0 || p.h == 0 {
		return nil, fail(p.at, "its header says %d×%d pixels", p.w, p.h)
	}
	return p, nil
}

// read reads the needed values of a chunk.
func (p *pngFile) read(name string, s []byte, at int) error {
	number := func(i int) int { return int(binary.BigEndian.Uint32(s[i:])) }
	switch name {
	case "IHDR":
		p.w, p.h, p.depth, p.colour, p.interlaced = number(0), number(4), int(s[8]), s[9], s[12] != 0
		p.frame = [4]int{0, 0, p.w, p.h}
		ok := false
		if int(p.colour) < len(pngDepths) {
			for _, d := range pngDepths[p.colour] {
				ok = ok || d == p.depth
			}
		}
		if !ok || s[11] != 0 {
			return fail(at+16, "colour type %d of %d bits, filter method %d", p.colour, p.depth, s[11])
		}
	case "PLTE":
		p.palette = palette{}
		p.palette.set(s)
	case "fcTL":
		p.frame = [4]int{number(12), number(16), number(4), number(8)}
		if f := p.frame; f[0]+f[2] > p.w || f[1]+f[3] > p.h {
			return fail(at, "a frame of %d×%d pixels at (%d, %d) in an image of %d×%d", f[2], f[3], f[0], f[1], p.w, p.h)
		}
	}
	return nil
}

// bits returns the size of a pixel in bits.
func (p *pngFile) bits() int { return p.depth * pngSamples[p.colour] }

// rowBytes returns the size of a row of w pixels in bytes.
func (p *pngFile) rowBytes(w int) int { return (w*p.bits() + 7) / 8 }

// pngData reads the content of chunks of image data one after another. It ignores their checksums,
// as Pillow does.
type pngData struct {
	p    *pngFile
	at   int // of the chunk being read
	rest []byte
	size int // of that chunk's content
}

func (r *pngData) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		name, s, err := r.p.chunk(r.at)
		if err != nil {
			return 0, err
		}
		if name != "IDAT" {
			return 0, truncated(r.at)
		}
		r.rest, r.size = s, len(s)
		r.at += 12 + int(binary.BigEndian.Uint32(r.p.data[r.at:]))
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// ReadByte implements io.ByteReader, so that the decompressor does not read ahead.
func (r *pngData) ReadByte() (byte, error) {
	if len(r.rest) == 0 {
		var b [1]byte
		_, err := r.Read(b[:])
		return b[0], err
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c, nil
}

// position returns how far the data have been read.
func (r *pngData) position() int { return max(min(r.at-4, len(r.p.data))-len(r.rest), 0) }

// The passes of Adam7: first column and row, and the steps.
var adam7 = [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}

func (p *pngFile) decode(dst *Canvas) error {
	var black [3]byte
	if p.colour == pngPalette {
		black = p.palette[0]
	}
	dst.clear(black)
	in := &pngData{p: p, at: p.at}
	z, err := zlib.NewReader(in)
	if err != nil {
		return p.fault(in, err)
	}
	defer z.Close()
	passes := [][4]int{{0, 0, 1, 1}}
	if p.interlaced {
		passes = adam7[:]
	}
	n := p.rowBytes(p.frame[2])
	row, above := make([]byte, n+1), make([]byte, n+1)
	rgb := make([]byte, 3*p.frame[2])
	for _, pass := range passes {
		w := (p.frame[2] - pass[0] + pass[2] - 1) / pass[2]
		if w <= 0 {
			continue
		}
		row, above = row[:p.rowBytes(w)+1], above[:p.rowBytes(w)+1]
		clear(above)
		for y := pass[1]; y < p.frame[3]; y += pass[3] {
			got, err := io.ReadFull(z, row)
			if got == 0 && errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil // whole rows may be missing
			}
			if err != nil {
				return p.fault(in, err)
			}
			if !unfilter(row, above, max(p.bits()/8, 1)) {
				return fail(in.position(), "a row with filter %d", row[0])
			}
			p.colours(rgb[:3*w], row[1:], w)
			dst.fill(p.frame[1]+y, p.frame[0]+pass[0], pass[2], rgb[:3*w])
			row, above = above, row
		}
	}
	// The data's checksum counts only if it exists and lies in the chunk in which the last row
	// ends, because Pillow reads no further.
	var more [1]byte
	_, err = z.Read(more[:])
	switch {
	case err == nil, err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	case errors.Is(err, zlib.ErrChecksum) && in.size-len(in.rest) <= checksumBytes:
		return nil
	}
	return p.fault(in, err)
}

// checksumBytes is the size of the checksum of compressed data.
const checksumBytes = 4

// fault returns the error for an error of the decompressor.
func (p *pngFile) fault(in *pngData, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return fail(in.position(), "the image data end early: %w", io.ErrUnexpectedEOF)
	}
	return &Error{in.position(), err}
}

// unfilter undoes the filter of a row, which its first byte selects. n is the number of bytes of a
// pixel. It returns false for an unknown filter.
func unfilter(row, above []byte, n int) bool {
	filter, cur, up := row[0], row[1:], above[1:]
	up = up[:len(cur)]
	switch filter {
	case 0:
	case 1:
		for i := n; i < len(cur); i++ {
			cur[i] += cur[i-n]
		}
	case 2:
		for i, v := range up {
			cur[i] += v
		}
	case 3:
		for i := range min(n, len(cur)) {
			cur[i] += up[i] / 2
		}
		for i := n; i < len(cur); i++ {
			cur[i] += uint8((int(cur[i-n]) + int(up[i])) / 2)
		}
	case 4:
		for i := range min(n, len(cur)) {
			cur[i] += up[i]
		}
		for i := n; i < len(cur); i++ {
			cur[i] += paeth(cur[i-n], up[i], up[i-n])
		}
	default:
		return false
	}
	return true
}

// paeth returns the neighbour that is nearest to left + up - corner.
func paeth(left, up, corner byte) byte {
	a, b, c := int(left), int(up), int(corner)
	pa, pb, pc := max(b-c, c-b), max(a-c, c-a), max(a+b-2*c, 2*c-a-b)
	switch {
	case pa <= pb && pa <= pc:
		return left
	case pb <= pc:
		return up
	}
	return corner
}

// colours converts w pixels of a row to red, green and blue. Samples of 16 bits lose their lower 8
// bits, except that grey is clipped.
func (p *pngFile) colours(rgb, row []byte, w int) {
	wide := p.depth / 8 // bytes of a sample
	switch {
	case p.colour == pngPalette:
		for i := range w {
			at := i * p.depth
			copy(rgb[3*i:3*i+3], p.palette[row[at/8]>>(8-p.depth-at%8)&(1<<p.depth-1)][:])
		}
	case p.colour == pngGrey && p.depth < 8:
		scale := 255 / (byte(1)<<p.depth - 1)
		for i := range w {
			at := i * p.depth
			v := row[at/8] >> (8 - p.depth - at%8) & (1<<p.depth - 1) * scale
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = v, v, v
		}
	case p.colour == pngGrey && p.depth == 16:
		for i := range w {
			v := row[2*i+1]
			if row[2*i] > 0 {
				v = 255
			}
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = v, v, v
		}
	case p.colour == pngGrey:
		grey(rgb, row[:w])
	case p.colour == pngGreyAlpha:
		for i := range w {
			v := row[2*wide*i]
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = v, v, v
		}
	default:
		n := pngSamples[p.colour] * wide
		if n == 3 {
			copy(rgb, row)
			return
		}
		for i := range w {
			s := row[n*i:][:n]
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = s[0], s[wide], s[2*wide]
		}
	}
}
