package jpeg

import (
	"github.com/tributary-ml/tributary/augment"
)

// upsampling describes how a component is scaled to the image's size.
type upsampling struct {
	kind upsampler
	h, v int // scaling factors
}

type upsampler uint8

const (
	replicated upsampler = iota // each sample h·v times
	fullSize
	doubleWide // interpolated between neighbours in a row
	doubleHigh // interpolated between neighbours in a column
	doubleBoth
)

// upsampling returns libjpeg's choice: components of half the size are interpolated, unless they
// are too narrow.
func (d *Decoder) upsampling(c *component) (u upsampling, err error) {
	if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
		return u, d.fail("sampling factors of %d×%d beside %d×%d: a component's must divide the largest", c.h, c.v, d.maxH, d.maxV)
	}
	u.h, u.v = d.maxH/c.h, d.maxV/c.v
	switch {
	case u.h == 1 && u.v == 1:
		u.kind = fullSize
	case u.h == 2 && u.v == 1 && c.width > 2:
		u.kind = doubleWide
	case u.h == 1 && u.v == 2:
		u.kind = doubleHigh
	case u.h == 2 && u.v == 2 && c.width > 2:
		u.kind = doubleBoth
	}
	return u, nil
}

// row returns row y of the component's samples, as far as they have pixels.
func (c *component) row(y int) []byte {
	return c.plane[y%c.ring*8*c.stride:][:c.width]
}

// upsampled returns row y of the image in one component. The result may use the memory of line.
func (c *component) upsampled(y int, line []byte) []byte {
	u := &c.upsample
	line = line[:cap(line)]
	switch u.kind {
	case fullSize:
		return c.row(y)
	case doubleWide:
		doubleRow(line, c.row(y))
	case doubleHigh, doubleBoth:
		// The nearer row has three times the weight of the other one. At the edges the other one is
		// the same row.
		near, far, bias := y/2, y/2+1, int32(2)
		if y%2 == 0 {
			far, bias = y/2-1, 1
		}
		far = min(max(far, 0), c.height-1)
		if u.kind == doubleHigh {
			blendRows(line, c.row(near), c.row(far), bias)
		} else {
			doubleRows(line, c.row(near), c.row(far))
		}
	default:
		replicate(line, c.row(y/u.v), u.h)
	}
	return line
}

// doubleRow interpolates a row to double width, with weights of 3/4 for a sample and 1/4 for its
// neighbour. Halves are rounded up and down in turn.
func doubleRow(dst, src []byte) {
	n := len(src)
	dst = dst[:2*n]
	dst[0], dst[2*n-1] = src[0], src[n-1]
	for i := 1; i < n; i++ {
		a, b := int32(src[i-1]), int32(src[i])
		dst[2*i-1] = uint8((3*a + b + 2) >> 2)
		dst[2*i] = uint8((3*b + a + 1) >> 2)
	}
}

// blendRows interpolates between two rows.
func blendRows(dst, near, far []byte, bias int32) {
	far = far[:len(near)]
	dst = dst[:len(near)]
	for i, v := range near {
		dst[i] = uint8((3*int32(v) + int32(far[i]) + bias) >> 2)
	}
}

// doubleRows interpolates between two rows, and to double width.
func doubleRows(dst, near, far []byte) {
	n := len(near)
	far = far[:n]
	dst = dst[:2*n]
	last := 3*int32(near[0]) + int32(far[0])
	dst[0] = uint8((4*last + 8) >> 4)
	for i := 1; i < n; i++ {
		this := 3*int32(near[i]) + int32(far[i])
		dst[2*i-1] = uint8((3*last + this + 7) >> 4)
		dst[2*i] = uint8((3*this + last + 8) >> 4)
		last = this
	}
	dst[2*n-1] = uint8((4*last + 7) >> 4)
}

// replicate repeats each sample n times.
func replicate(dst, src []byte, n int) {
	for i, v := range src {
		for j := range dst[n*i:][:n] {
			dst[n*i+j] = v
		}
	}
}

// output is the state of writing an image.
type output struct {
	d        *Decoder
	dst      []byte
	channels int
	next     int // next row
}

// emit writes the rows that a row of MCUs completes. Rows that need samples of the next row of MCUs
// are written later.
func (o *output) emit(row int) {
	d := o.d
	h := &d.header
	to := (row+1)*8*d.maxV - d.maxV
	if to+d.maxV >= h.Height {
		to = h.Height
	}
	for ; o.next < to; o.next++ {
		var rows [4][]byte
		for i := range h.Components {
			rows[i] = d.comps[i].upsampled(o.next, d.lines[i])[:h.Width]
		}
		dst := o.dst[o.next*h.Width*o.channels:][:h.Width*o.channels]
		rgb := dst
		if o.channels == 1 {
			if h.Components == 1 {
				copy(dst, rows[0])
				continue
			}
			rgb = d.rgb[:3*h.Width]
		}
		d.colour(rgb, &rows)
		if o.channels == 1 {
			for i := range dst {
				dst[i] = augment.Luma(rgb[3*i], rgb[3*i+1], rgb[3*i+2])
			}
		}
	}
}

// colour converts a row of the components to red, green and blue.
func (d *Decoder) colour(rgb []byte, rows *[4][]byte) {
	switch {
	case d.header.Components == 1:
		for i, v := range rows[0] {
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = v, v, v
		}
		return
	case !d.ycc():
		for i, v := range rows[0] {
			rgb[3*i], rgb[3*i+1], rgb[3*i+2] = v, rows[1][i], rows[2][i]
		}
		if d.header.Components == 4 {
			// Pillow takes four components for inverted amounts of ink, whether there is an Adobe
			// marker or not.
			for i, v := range rgb {
				rgb[i] = 255 - v
			}
		}
	default:
		fromYCC(rgb, rows[0], rows[1], rows[2])
	}
	if d.header.Components == 4 {
		for i, k := range rows[3] {
			for j := 3 * i; j < 3*i+3; j++ {
				rgb[j] = subtract(uint32(k), uint32(rgb[j]))
			}
		}
	}
}

// ycc reports whether the first three components are luma and chroma.
func (d *Decoder) ycc() bool {
	if d.header.Components == 4 {
		return d.adobe && d.transform != 0
	}
	c := &d.comps
	switch {
	case d.jfif:
		return true
	case d.adobe:
		return d.transform != 0
	}
	return c[0].id != 'R' || c[1].id != 'G' || c[2].id != 'B'
}

// fromYCC converts colours by JFIF's formula, with 16 fraction bits.
func fromYCC(rgb, luma, cb, cr []byte) {
	n := len(luma)
	cb, cr, rgb = cb[:n], cr[:n], rgb[:3*n]
	for i, l := range luma {
		y := int32(l)<<16 + 1<<15
		b, r := int32(cb[i])-128, int32(cr[i])-128
		p := rgb[3*i:][:3]
		p[0] = shift16(y + 91881*r)
		p[1] = shift16(y - 22554*b - 46802*r)
		p[2] = shift16(y + 116130*b)
	}
}

// shift16 returns v / 2^16, limited to a byte.
func shift16(v int32) uint8 {
	if uint32(v)&0xff000000 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31))
}

// subtract returns what is left of light k after ink absorbs its share of 255, rounded as in
// Pillow.
func subtract(k, ink uint32) uint8 {
	t := ink*k + 128
	return uint8(k - (t>>8+t)>>8)
}
