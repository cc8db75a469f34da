// Package raster decodes image formats other than JPEG to the pixels of Pillow's convert("RGB") or
// convert("L"), which torchvision's loader uses. Transparency is dropped, not blended. Colour
// profiles and gamma are ignored. Grey of 16 bits is clipped at 255, not scaled. Of animations only
// the first frame is decoded.
//
// Every format has a function that reads the header, which says how much memory decoding needs, and
// one that decodes to the caller's memory.
package raster

import (
	"fmt"
	"io"

	"github.com/tributary-ml/tributary/augment"
)

// Header is what a file says before its pixels.
type Header struct {
	Width, Height int
	Memory        int64 // bytes that decoding needs besides the pixels that it writes
}

// Canvas is the memory for a decoded image: H rows of W pixels of C interleaved channels, 3 (red,
// green, blue) or 1, their luma.
type Canvas struct {
	Pix     []byte
	W, H, C int
}

// fill writes pixels to row y, from column x on, step columns apart. rgb has three bytes for each.
func (c *Canvas) fill(y, x, step int, rgb []byte) {
	at := (y*c.W + x) * c.C
	if c.C == 3 && step == 1 {
		copy(c.Pix[at:], rgb)
		return
	}
	for ; len(rgb) > 0; rgb = rgb[3:] {
		if c.C == 3 {
			copy(c.Pix[at:at+3], rgb)
		} else {
			c.Pix[at] = augment.Luma(rgb[0], rgb[1], rgb[2])
		}
		at += step * c.C
	}
}

// clear makes all pixels one colour.
func (c *Canvas) clear(colour [3]byte) {
	for at := range c.W * c.H {
		if c.C == 3 {
			copy(c.Pix[3*at:3*at+3], colour[:])
		} else {
			c.Pix[at] = augment.Luma(colour[0], colour[1], colour[2])
		}
	}
}

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

func fail(at int, format string, args ...any) error {
	return &Error{at, fmt.Errorf(format, args...)}
}

// truncated returns the error for a file of n bytes that ends early.
func truncated(n int) error {
	return fail(n, "the file ends early: %w", io.ErrUnexpectedEOF)
}

// palette has colours by index. Colours that a file does not define are black, as in Pillow.
type palette [256][3]byte

// greys returns the palette of greys, for files without a palette.
func greys() (p palette) {
	for i := range p {
		p[i] = [3]byte{byte(i), byte(i), byte(i)}
	}
	return p
}

// set sets the first colours from bytes of red, green and blue.
func (p *palette) set(rgb []byte) {
	for i := range min(len(rgb)/3, len(p)) {
		copy(p[i][:], rgb[3*i:])
	}
}

// unpack expands a row of n samples of 1, 2, 4 or 8 bits to bytes.
func unpack(dst, src []byte, n, bits int) {
	if bits == 8 {
		copy(dst[:n], src)
		return
	}
	mask := byte(1)<<bits - 1
	for i := range n {
		at := i * bits
		dst[i] = src[at/8] >> (8 - bits - at%8) & mask
	}
}

// grey writes each value three times.
func grey(rgb, values []byte) {
	for i, v := range values {
		rgb[3*i], rgb[3*i+1], rgb[3*i+2] = v, v, v
	}
}
