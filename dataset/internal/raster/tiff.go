package raster

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// Tags of TIFF.
const (
	tagWidth        = 256
	tagHeight       = 257
	tagBits         = 258
	tagCompression  = 259
	tagPhotometric  = 262
	tagFillOrder    = 266
	tagStrips       = 273
	tagOrientation  = 274
	tagSamples      = 277
	tagStripRows    = 278
	tagStripBytes   = 279
	tagPlanar       = 284
	tagFaxOptions   = 292
	tagPredictor    = 317
	tagColours      = 320
	tagTileWidth    = 322
	tagTileHeight   = 323
	tagTiles        = 324
	tagTileBytes    = 325
	tagExtraSamples = 338
	tagFormat       = 339
)

// Limits on what is read from a file before its memory is known, so that tags and chunks that share
// the same bytes again and again cost neither much memory nor much time.
const (
	tiffSide    = 1 << 24 // side of the image
	tiffChunks  = 1 << 20 // number of strips or tiles
	tiffValues  = 1 << 12 // values of any other tag
	tiffPadding = 1 << 28 // pixels of tiles outside the image, in addition to three times the image's pixels
	tiffReads   = 1 << 26 // bytes read from a file, in addition to eight times its size
)

// Photometric interpretations.
const (
	tiffWhiteIsZero = 0
	tiffBlackIsZero = 1
	tiffRGB         = 2
	tiffPalette     = 3
	tiffCMYK        = 5
)

// Compressions of TIFF.
const (
	tiffRaw        = 1
	tiffGroup3     = 3
	tiffGroup4     = 4
	tiffLZW        = 5
	tiffDeflate    = 8
	tiffPackBits   = 32773
	tiffOldDeflate = 32946
)

// tiffFile is the first image of a TIFF.
type tiffFile struct {
	data        []byte
	order       binary.ByteOrder
	w, h        int // as stored
	orientation int // 1 to 8
	depth       int // bits of a sample
	samples     int // in a pixel
	photometric int
	alpha       bool // alpha is multiplied into the colours
	compression int
	reversed    bool // the bits of each byte are reversed
	predictor   bool // samples are differences
	planar      bool // each sample has a plane of its own
	group3      bool // two-dimensional coding in compression 3
	palette     palette
	offsets     []int // of the chunks, by plane and row
	counts      []int // sizes of the chunks in bytes
	cw, ch      int   // size of a chunk in pixels
	tiled       bool  // chunks at the edges have the full size
}

// ReadTIFFHeader reads the tags of a TIFF's first image.
func ReadTIFFHeader(data []byte) (Header, error) {
	t, err := readTIFF(data)
	if err != nil {
		return Header{}, err
	}
	w, h := t.size()
	return Header{w, h, t.memory()}, nil
}

// DecodeTIFF decodes a TIFF's first image: strips or tiles, in one plane or several, of grey, RGB,
// CMYK or indices, in 1, 2, 4, 8 or 16 bits, uncompressed or with LZW, deflate, PackBits or fax
// coding. It turns the image by its orientation.
func DecodeTIFF(data []byte, dst *Canvas) error {
	t, err := readTIFF(data)
	if err != nil {
		return err
	}
	return t.decode(dst)
}

// size returns the size of the image after it is turned.
func (t *tiffFile) size() (w, h int) {
	if t.orientation >= 5 {
		return t.h, t.w
	}
	return t.w, t.h
}

// planes returns the number of chunks at each place.
func (t *tiffFile) planes() int {
	if t.planar {
		return t.samples
	}
	return 1
}

// rowBytes returns the size of a row of a chunk.
func (t *tiffFile) rowBytes() int {
	n := t.cw * t.depth
	if !t.planar {
		n *= t.samples
	}
	return (n + 7) / 8
}

// memory returns the memory for decoding: a chunk of every plane, twice in case a decompressor
// reads reversed data, and some rows.
func (t *tiffFile) memory() int64 {
	return 2*int64(t.rowBytes())*int64(t.ch)*int64(t.planes()) + int64(t.cw)*int64(t.samples+3) + zlibMemory
}

// values reads the numbers of a tag.
func (t *tiffFile) values(entry []byte) ([]int, error) {
	kind, n := t.order.Uint16(entry[2:]), int(t.order.Uint32(entry[4:]))
	size := map[uint16]int{1: 1, 3: 2, 4: 4}[kind]
	most := tiffValues
	switch t.order.Uint16(entry) {
	case tagStrips, tagStripBytes, tagTiles, tagTileBytes:
		most = tiffChunks
	}
	if size == 0 || n > most {
		return nil, nil // no needed tag has such values
	}
	s := entry[8:12]
	if n*size > 4 {
		at := int(t.order.Uint32(s))
		if at+n*size > len(t.data) {
			return nil, truncated(len(t.data))
		}
		s = t.data[at:]
	}
	v := make([]int, n)
	for i := range v {
		switch kind {
		case 1:
			v[i] = int(s[i])
		case 3:
			v[i] = int(t.order.Uint16(s[2*i:]))
		case 4:
			v[i] = int(t.order.Uint32(s[4*i:]))
		}
	}
	return v, nil
}

func readTIFF(data []byte) (*tiffFile, error) {
	t := &tiffFile{data: data, order: binary.LittleEndian}
	if len(data) < 8 {
		return nil, truncated(len(data))
	}
	if data[0] == 'M' {
		t.order = binary.BigEndian
	}
	at := int(t.order.Uint32(data[4:]))
	if at+2 > len(data) {
		return nil, truncated(len(data))
	}
	n := int(t.order.Uint16(data[at:]))
	if at+2+12*n > len(data) {
		return nil, truncated(len(data))
	}
	tags := map[int][]int{}
	for i := range n {
		entry := data[at+2+12*i:][:12]
		tag := int(t.order.Uint16(entry))
		if tag < tagWidth || tag > tagFormat || tags[tag] != nil {
			continue
		}
		v, err := t.values(entry)
		if err != nil {
			return nil, err
		}
		tags[tag] = v
	}
	if err := t.set(tags); err != nil {
		return nil, &Error{at, err}
	}
	return t, nil
}

// set sets the fields from the tags.
func (t *tiffFile) set(tags map[int][]int) error {
	first := func(tag, otherwise int) int {
		if v := tags[tag]; len(v) > 0 {
			return v[0]
		}
		return otherwise
	}
	t.w, t.h = first(tagWidth, 0), first(tagHeight, 0)
	if t.w < 1 || t.h < 1 || t.w > tiffSide || t.h > tiffSide {
		return fmt.Errorf("its tags say %d×%d pixels", t.w, t.h)
	}
	if t.orientation = first(tagOrientation, 1); t.orientation < 1 || t.orientation > 8 {
		t.orientation = 1
	}
	t.depth, t.samples = first(tagBits, 1), first(tagSamples, 1)
	for _, b := range tags[tagBits] {
		if b != t.depth {
			return fmt.Errorf("samples of %d and %d bits in one pixel are not read", t.depth, b)
		}
	}
	for _, f := range tags[tagFormat] {
		if f != 1 {
			return fmt.Errorf("samples of the format %d, which are not numbers from 0 on, are not read", f)
		}
	}
	t.photometric, t.compression = first(tagPhotometric, 0), first(tagCompression, tiffRaw)
	t.reversed, t.planar = first(tagFillOrder, 1) == 2, first(tagPlanar, 1) == 2 && t.samples > 1
	t.predictor = first(tagPredictor, 1) == 2
	t.group3 = first(tagFaxOptions, 0)&1 != 0
	t.alpha = first(tagExtraSamples, 0) == 1
	if err := t.check(first(tagPredictor, 1)); err != nil {
		return err
	}
	if t.photometric == tiffPalette {
		colours := tags[tagColours]
		n := len(colours) / 3
		for i := range min(n, 256) {
			t.palette[i] = [3]byte{byte(colours[i] >> 8), byte(colours[n+i] >> 8), byte(colours[2*n+i] >> 8)}
		}
	}
	t.cw, t.ch = t.w, min(first(tagStripRows, t.h), t.h)
	t.offsets, t.counts = tags[tagStrips], tags[tagStripBytes]
	if t.offsets == nil {
		t.cw, t.ch, t.tiled = first(tagTileWidth, 0), first(tagTileHeight, 0), true
		t.offsets, t.counts = tags[tagTiles], tags[tagTileBytes]
	}
	const most = 1 << 16 // maximum side of a tile
	if t.cw < 1 || t.ch < 1 || t.tiled && (t.cw > most || t.ch > most) {
		return fmt.Errorf("strips or tiles of %d×%d pixels", t.cw, t.ch)
	}
	across, down := (t.w+t.cw-1)/t.cw, (t.h+t.ch-1)/t.ch
	if n := len(t.offsets); n < across*down*t.planes() || t.compression != tiffRaw && len(t.counts) < n {
		return fmt.Errorf("%d strips or tiles of %d", min(n, len(t.counts)), across*down*t.planes())
	}
	if pixels := across * t.cw * down * t.ch; t.tiled && pixels > 4*t.w*t.h+tiffPadding {
		return fmt.Errorf("tiles of %d×%d pixels, far too large for an image of %d×%d", t.cw, t.ch, t.w, t.h)
	}
	if t.compression != tiffRaw {
		read := 0
		for _, n := range t.counts[:across*down*t.planes()] {
			read += min(n, len(t.data))
		}
		if read > 8*len(t.data)+tiffReads {
			return fmt.Errorf("strips or tiles of %d bytes in a file of %d", read, len(t.data))
		}
	}
	return nil
}

// check returns an error if pixels of this kind are not supported.
func (t *tiffFile) check(predictor int) error {
	needed := map[int]int{tiffWhiteIsZero: 1, tiffBlackIsZero: 1, tiffRGB: 3, tiffPalette: 1, tiffCMYK: 4}[t.photometric]
	small := t.depth == 1 || t.depth == 2 || t.depth == 4
	switch {
	case needed == 0:
		return fmt.Errorf("colours of the kind %d are not read: grey, RGB, CMYK and palettes are", t.photometric)
	case !small && t.depth != 8 && t.depth != 16, small && (needed > 1 || t.samples > 1), t.photometric == tiffPalette && t.depth == 16,
		t.photometric == tiffWhiteIsZero && t.depth == 16 && t.order == binary.BigEndian:
		return fmt.Errorf("%d samples of %d bits for colours of the kind %d are not read", t.samples, t.depth, t.photometric)
	case t.samples < needed || t.samples > needed+3:
		return fmt.Errorf("%d samples in a pixel of %d colours", t.samples, needed)
	case predictor != 1 && (predictor != 2 || t.depth < 8):
		return fmt.Errorf("the predictor %d for %d bits is not read", predictor, t.depth)
	}
	switch t.compression {
	case tiffRaw, tiffLZW, tiffDeflate, tiffOldDeflate, tiffPackBits:
		return nil
	case tiffGroup3, tiffGroup4:
		if t.depth == 1 && t.samples == 1 && (t.compression == tiffGroup4 || !t.group3) {
			return nil
		}
	}
	return fmt.Errorf("the compression %d is not read", t.compression)
}

func (t *tiffFile) decode(dst *Canvas) error {
	planes := make([][]byte, t.planes())
	samples := make([]byte, t.cw*t.samples)
	rgb := make([]byte, 3*t.cw)
	across, down := (t.w+t.cw-1)/t.cw, (t.h+t.ch-1)/t.ch
	n := t.rowBytes()
	for cy := range down {
		for cx := range across {
			rows := min(t.ch, t.h-cy*t.ch)
			for p := range planes {
				var err error
				if planes[p], err = t.chunk((p*down+cy)*across+cx, rows, planes[p]); err != nil {
					return err
				}
			}
			w := min(t.cw, t.w-cx*t.cw)
			for y := range rows {
				for p, s := range planes {
					t.unpack(samples, s[y*n:][:n], p)
				}
				t.colours(rgb, samples, w)
				t.place(dst, cy*t.ch+y, cx*t.cw, rgb[:3*w])
			}
		}
	}
	return nil
}

// chunk returns the rows of a strip or a tile. It reads them to buf, or returns the file's bytes.
func (t *tiffFile) chunk(i, rows int, buf []byte) ([]byte, error) {
	need := t.rowBytes() * rows
	at := t.offsets[i]
	end := len(t.data)
	if i < len(t.counts) && t.compression != tiffRaw {
		end = min(end, at+t.counts[i])
	}
	if at > end {
		return nil, truncated(len(t.data))
	}
	data := t.data[at:end]
	if t.compression == tiffRaw {
		if len(data) < need {
			return nil, truncated(len(t.data))
		}
		data = data[:need]
	}
	if t.reversed {
		data = bytes.Clone(data)
		for i, c := range data {
			data[i] = bits.Reverse8(c)
		}
	}
	if t.compression == tiffRaw && !t.predictor {
		return data, nil
	}
	if cap(buf) < need || t.compression == tiffRaw {
		buf = make([]byte, need)
	}
	buf = buf[:need]
	if err := t.expand(buf, data, rows); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errShort
		}
		return nil, fail(at, "a strip or tile: %w", err)
	}
	if t.predictor {
		t.integrate(buf)
	}
	return buf, nil
}

// expand undoes the compression of a chunk.
func (t *tiffFile) expand(dst, data []byte, rows int) error {
	var in io.Reader
	switch t.compression {
	case tiffRaw:
		copy(dst, data)
		return nil
	case tiffPackBits:
		return packBits(dst, data)
	case tiffLZW:
		z := lzw.NewReader(bytes.NewReader(data), lzw.MSB, 8)
		defer z.Close()
		in = z
	case tiffDeflate, tiffOldDeflate:
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		defer z.Close()
		in = z
	case tiffGroup3, tiffGroup4:
		form := ccitt.Group3
		if t.compression == tiffGroup4 {
			form = ccitt.Group4
		}
		// TIFF codes white as 0, the reader as 1.
		in = ccitt.NewReader(bytes.NewReader(data), ccitt.MSB, form, t.cw, rows, &ccitt.Options{Invert: true})
	}
	_, err := io.ReadFull(in, dst)
	return err
}

// packBits expands Apple's run-length coding.
func packBits(dst, data []byte) error {
	for len(dst) > 0 {
		if len(data) < 2 {
			return errShort
		}
		n := int(int8(data[0]))
		data = data[1:]
		switch {
		case n >= 0:
			n = min(n+1, len(dst))
			if len(data) < n {
				return errShort
			}
			copy(dst, data[:n])
			data = data[n:]
		case n == -128:
			continue
		default:
			n = min(1-n, len(dst))
			for i := range dst[:n] {
				dst[i] = data[0]
			}
			data = data[1:]
		}
		dst = dst[n:]
	}
	return nil
}

// integrate sums up the differences in a chunk's rows.
func (t *tiffFile) integrate(buf []byte) {
	step := t.samples
	if t.planar {
		step = 1
	}
	n := t.rowBytes()
	for ; len(buf) >= n; buf = buf[n:] {
		row := buf[:n]
		if t.depth == 8 {
			for i := step; i < n; i++ {
				row[i] += row[i-step]
			}
			continue
		}
		for i := 2 * step; i+1 < n; i += 2 {
			t.order.PutUint16(row[i:], t.order.Uint16(row[i:])+t.order.Uint16(row[i-2*step:]))
		}
	}
}

// unpack writes a row's samples as bytes. Samples of 16 bits become their upper 8 bits, except that
// grey is clipped, as in Pillow.
func (t *tiffFile) unpack(samples, s []byte, plane int) {
	n, step := t.cw*t.samples, 1
	if t.planar {
		n, step = t.cw, t.samples
		samples = samples[plane:]
	}
	switch {
	case t.depth < 8:
		unpack(samples, s, n, t.depth)
	case t.depth == 8 && step == 1:
		copy(samples[:n], s)
	default:
		for i := range n {
			v := s[i*t.depth/8]
			if t.depth == 16 {
				wide := t.order.Uint16(s[2*i:])
				v = byte(wide >> 8)
				if t.photometric <= tiffBlackIsZero {
					v = byte(min(wide, 255))
				}
			}
			samples[i*step] = v
		}
	}
}

// colours converts the samples of w pixels to red, green and blue.
func (t *tiffFile) colours(rgb, samples []byte, w int) {
	for i := range w {
		s, p := samples[i*t.samples:][:t.samples], rgb[3*i:][:3]
		switch t.photometric {
		case tiffPalette:
			copy(p, t.palette[s[0]][:])
		case tiffRGB:
			copy(p, s)
			if t.alpha && len(s) > 3 {
				straighten(p, s[3])
			}
		case tiffCMYK:
			for j := range p {
				p[j] = inked(s[j], 255-s[3])
			}
		default:
			v := s[0]
			if t.depth < 8 {
				v *= 255 / (1<<t.depth - 1)
			}
			if t.photometric == tiffWhiteIsZero && t.depth < 16 {
				v = 255 - v
			}
			p[0], p[1], p[2] = v, v, v
		}
	}
}

// straighten undoes the multiplication of colours with alpha.
func straighten(p []byte, alpha byte) {
	for i, v := range p {
		switch alpha {
		case 0:
			p[i] = 0
		case 255:
		default:
			p[i] = byte(min(255*int(v)/int(alpha), 255))
		}
	}
}

// inked returns what is left of light after ink absorbs its share of 255, rounded as in Pillow.
func inked(ink, light byte) byte {
	t := uint32(ink)*uint32(light) + 128
	return light - byte((t>>8+t)>>8)
}

// place writes pixels of row y, from column x on, to where the orientation puts them.
func (t *tiffFile) place(dst *Canvas, y, x int, rgb []byte) {
	if t.orientation == 1 {
		dst.fill(y, x, 1, rgb)
		return
	}
	for ; len(rgb) > 0; rgb = rgb[3:] {
		u, v := x, y
		if o := t.orientation; o == 2 || o == 3 || o == 7 || o == 8 {
			u = t.w - 1 - x
		}
		if o := t.orientation; o == 3 || o == 4 || o == 6 || o == 7 {
			v = t.h - 1 - y
		}
		if t.orientation >= 5 {
			u, v = v, u
		}
		dst.fill(v, u, 1, rgb[:3])
		x++
	}
}
