package raster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// webpFile is the first frame of a WebP.
type webpFile struct {
	data   []byte
	w, h   int // of the canvas
	x, y   int // of the frame
	fw, fh int // its size
	lossy  bool
	at     int // position of its data
	n      int // length of its data
}

// ReadWebPHeader reads a WebP up to the data of its first frame.
func ReadWebPHeader(data []byte) (Header, error) {
	f, err := readWebP(data)
	if err != nil {
		return Header{}, err
	}
	// A lossless image takes four bytes a pixel, twice that if colours come from a table. A lossy
	// one takes whole macroblocks of luma and chroma.
	memory := 9 * int64(f.fw) * int64(f.fh)
	if f.lossy {
		memory = 2 * int64(f.fw+31) * int64(f.fh+31)
	}
	return Header{f.w, f.h, memory + 1<<20}, nil
}

// DecodeWebP decodes the first frame of a WebP, at its place on black.
func DecodeWebP(data []byte, dst *Canvas) error {
	f, err := readWebP(data)
	if err != nil {
		return err
	}
	return f.decode(dst)
}

func readWebP(data []byte) (*webpFile, error) {
	if len(data) < 20 {
		return nil, truncated(len(data))
	}
	f := &webpFile{data: data}
	end := 8 + int(binary.LittleEndian.Uint32(data[4:]))
	if end > len(data) {
		return nil, truncated(len(data))
	}
	if err := f.chunks(12, end, false); err != nil {
		return nil, err
	}
	if f.n == 0 {
		return nil, fail(len(data), "no image in the file")
	}
	if f.w == 0 {
		f.w, f.h = f.fw, f.fh
	}
	if f.x+f.fw > f.w || f.y+f.fh > f.h {
		return nil, fail(f.at, "a frame of %d×%d pixels at (%d, %d) in an image of %d×%d", f.fw, f.fh, f.x, f.y, f.w, f.h)
	}
	return f, nil
}

// chunks looks for image data between two positions in the file or in a frame of it. It skips
// frames within frames, because a file of nested frames would need a call for each.
func (f *webpFile) chunks(at, end int, frame bool) error {
	triple := func(at int) int {
		return int(f.data[at]) | int(f.data[at+1])<<8 | int(f.data[at+2])<<16
	}
	for at+8 <= end && f.n == 0 {
		name, n := string(f.data[at:at+4]), int(binary.LittleEndian.Uint32(f.data[at+4:]))
		at += 8
		if at+n > end {
			return truncated(len(f.data))
		}
		switch {
		case name == "VP8X" && n >= 10:
			f.w, f.h = triple(at+4)+1, triple(at+7)+1
		case name == "ANMF" && n >= 16 && !frame:
			f.x, f.y = 2*triple(at), 2*triple(at+3)
			if err := f.chunks(at+16, at+n, true); err != nil {
				return err
			}
		case name == "VP8 ":
			s := f.data[at : at+n]
			if n < 10 || s[3] != 0x9d || s[4] != 0x01 || s[5] != 0x2a {
				return fail(at, "no key frame")
			}
			size := binary.LittleEndian.Uint32(s[6:])
			f.fw, f.fh = int(size&0x3fff), int(size>>16&0x3fff)
			f.lossy, f.at, f.n = true, at, n
		case name == "VP8L":
			s := f.data[at : at+n]
			if n < 5 || s[0] != 0x2f {
				return fail(at, "no lossless frame")
			}
			size := binary.LittleEndian.Uint32(s[1:])
			f.fw, f.fh = int(size&0x3fff)+1, int(size>>14&0x3fff)+1
			f.at, f.n = at, n
		}
		at += n + n%2
	}
	return nil
}

func (f *webpFile) decode(dst *Canvas) error {
	if f.fw < f.w || f.fh < f.h {
		dst.clear([3]byte{})
	}
	in := bytes.NewReader(f.data[f.at : f.at+f.n])
	var err error
	if f.lossy {
		err = f.decodeLossy(in, dst)
	} else {
		err = f.decodeLossless(in, dst)
	}
	if err != nil {
		return &Error{f.at + f.n - in.Len(), err}
	}
	return nil
}

func (f *webpFile) decodeLossless(in *bytes.Reader, dst *Canvas) error {
	img, err := vp8l.Decode(in)
	if err != nil {
		return noEOF(err)
	}
	m, ok := img.(*image.NRGBA)
	if !ok || m.Rect.Dx() != f.fw || m.Rect.Dy() != f.fh {
		return errors.New("the frame has another size than its header says")
	}
	rgb := make([]byte, 3*f.fw)
	for y := range f.fh {
		row := m.Pix[y*m.Stride:][:4*f.fw]
		for i := range f.fw {
			copy(rgb[3*i:3*i+3], row[4*i:])
		}
		dst.fill(f.y+y, f.x, 1, rgb)
	}
	return nil
}

func (f *webpFile) decodeLossy(in *bytes.Reader, dst *Canvas) error {
	d := vp8.NewDecoder()
	d.Init(in, f.n)
	if _, err := d.DecodeFrameHeader(); err != nil {
		return noEOF(err)
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return noEOF(err)
	}
	if m.Rect.Dx() != f.fw || m.Rect.Dy() != f.fh {
		return errors.New("the frame has another size than its header says")
	}
	rgb := make([]byte, 3*f.fw)
	cw, ch := (f.fw+1)/2, (f.fh+1)/2
	u, v := make([]byte, 2*cw), make([]byte, 2*cw)
	for y := range f.fh {
		near, far := y/2, y/2-1
		if y%2 == 1 {
			far = y/2 + 1
		}
		far = min(max(far, 0), ch-1)
		interpolate(u, m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw])
		interpolate(v, m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw])
		for i, l := range m.Y[y*m.YStride:][:f.fw] {
			light := int32(l) * 19077 >> 8
			b, r := int32(u[i]), int32(v[i])
			rgb[3*i] = studio(light + r*26149>>8 - 14234)
			rgb[3*i+1] = studio(light - b*6419>>8 - r*13320>>8 + 8708)
			rgb[3*i+2] = studio(light + b*33050>>8 - 17685)
		}
		dst.fill(f.y+y, f.x, 1, rgb)
	}
	return nil
}

// interpolate computes a row of chroma of double width from the nearer row and the other one. The
// nearest sample has a weight of 9/16. Rounding is in libwebp's order.
func interpolate(dst, near, far []byte) {
	n := len(near)
	far, dst = far[:n], dst[:2*n]
	dst[0] = uint8((3*int32(near[0]) + int32(far[0]) + 2) >> 2)
	dst[2*n-1] = uint8((3*int32(near[n-1]) + int32(far[n-1]) + 2) >> 2)
	for i := 1; i < n; i++ {
		n0, n1, f0, f1 := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
		sum := n0 + n1 + f0 + f1 + 8
		dst[2*i-1] = uint8((n0 + (sum+2*(n1+f0))>>3) >> 1)
		dst[2*i] = uint8((n1 + (sum+2*(n0+f1))>>3) >> 1)
	}
}

// studio returns v / 64, limited to a byte.
func studio(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }

// noEOF replaces io.EOF by an error about an early end.
func noEOF(err error) error {
	if err == io.EOF {
		return errShort
	}
	return err
}
