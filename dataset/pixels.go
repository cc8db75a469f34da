package dataset

import (
	"image"
	"image/color"
)

// setPixels copies img to dst with c channels, 1 or 3. Transparency is dropped,
// not blended; 16 bits become the upper 8; grey of a JPEG is its luma plane.
func setPixels(dst *Image, img image.Image, c int) {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if c == 1 && setGrey(dst, img) {
		return
	}
	dst.Reshape(h, w, 3)
	var fill func(y int, row []byte)
	switch img := img.(type) {
	case *image.YCbCr:
		fill = func(y int, row []byte) { rowYCbCr(row, img, y) }
	case *image.NYCbCrA:
		fill = func(y int, row []byte) { rowYCbCr(row, &img.YCbCr, y) }
	case *image.Gray:
		fill = func(y int, row []byte) {
			for x, v := range img.Pix[y*img.Stride:][:w] {
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		}
	case *image.NRGBA:
		fill = func(y int, row []byte) { rowRGBA(row, img.Pix[y*img.Stride:][:4*w]) }
	case *image.RGBA:
		if img.Opaque() { // always, from PNG and JPEG
			fill = func(y int, row []byte) { rowRGBA(row, img.Pix[y*img.Stride:][:4*w]) }
		}
	case *image.Paletted:
		fill = paletteRows(img)
	}
	if fill == nil {
		fill = genericRows(img)
	}
	for y := range h {
		fill(y, dst.Pix[3*w*y:][:3*w])
	}
	if c == 1 {
		lumaOf(dst.Pix, dst.Pix)
		dst.Reshape(h, w, 1)
	}
}

// setGrey copies images that have a plane of brightness, and says whether img
// does.
func setGrey(dst *Image, img image.Image) bool {
	var plane []byte
	var stride int
	switch img := img.(type) {
	case *image.Gray:
		plane, stride = img.Pix, img.Stride
	case *image.YCbCr:
		plane, stride = img.Y, img.YStride
	case *image.NYCbCrA:
		plane, stride = img.Y, img.YStride
	default:
		return false
	}
	b := img.Bounds()
	dst.Reshape(b.Dy(), b.Dx(), 1)
	for y := range dst.H {
		copy(dst.Pix[y*dst.W:][:dst.W], plane[y*stride:])
	}
	return true
}

// rowRGBA drops the fourth byte of each pixel.
func rowRGBA(row, pix []byte) {
	for i, j := 0, 0; j+3 < len(pix); i, j = i+3, j+4 {
		row[i], row[i+1], row[i+2] = pix[j], pix[j+1], pix[j+2]
	}
}

// rowYCbCr converts row y by JFIF's formula, in the fixed-point arithmetic of
// color.YCbCrToRGB. Decoders place images at the origin, so that a pixel's
// chroma is at x divided by the subsampling.
func rowYCbCr(row []byte, img *image.YCbCr, y int) {
	var shift uint
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422:
		shift = 1
	case image.YCbCrSubsampleRatio410, image.YCbCrSubsampleRatio411:
		shift = 2
	}
	luma := img.Y[y*img.YStride:][:len(row)/3]
	at := img.COffset(img.Rect.Min.X, img.Rect.Min.Y+y)
	cb, cr := img.Cb[at:], img.Cr[at:]
	for x, l := range luma {
		yy := int32(l) * 0x10101
		cb1, cr1 := int32(cb[x>>shift])-128, int32(cr[x>>shift])-128
		row[3*x] = clamp16(yy + 91881*cr1)
		row[3*x+1] = clamp16(yy - 22554*cb1 - 46802*cr1)
		row[3*x+2] = clamp16(yy + 116130*cb1)
	}
}

// clamp16 is v / 2^16 limited to a byte.
func clamp16(v int32) uint8 {
	if uint32(v)&0xff000000 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31)) // 0 below, 255 above
}

// paletteRows looks pixels up in the palette. Indices beyond it are black.
func paletteRows(img *image.Paletted) func(y int, row []byte) {
	var table [256][3]byte
	for i, c := range img.Palette[:min(256, len(img.Palette))] {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		table[i] = [3]byte{n.R, n.G, n.B}
	}
	return func(y int, row []byte) {
		for x, v := range img.Pix[y*img.Stride:][:len(row)/3] {
			copy(row[3*x:3*x+3], table[v][:])
		}
	}
}

// genericRows reads any image by its methods: CMYK and 16-bit ones.
func genericRows(img image.Image) func(y int, row []byte) {
	b := img.Bounds()
	at := func(x, y int) color.RGBA64 { return color.RGBA64Model.Convert(img.At(x, y)).(color.RGBA64) }
	if fast, ok := img.(image.RGBA64Image); ok {
		at = fast.RGBA64At
	}
	return func(y int, row []byte) {
		for x := range len(row) / 3 {
			c := at(b.Min.X+x, b.Min.Y+y)
			row[3*x], row[3*x+1], row[3*x+2] = straight(c.R, c.A), straight(c.G, c.A), straight(c.B, c.A)
		}
	}
}

// straight undoes the multiplication of v with alpha and keeps the upper byte.
func straight(v, alpha uint16) uint8 {
	if alpha == 0 || alpha == 0xffff {
		return uint8(v >> 8)
	}
	return uint8(min(uint32(v)*0xffff/uint32(alpha), 0xffff) >> 8)
}
