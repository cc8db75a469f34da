package augment

// Op is a way to change colours.
type Op uint8

// The ways to change colours, each by a factor that changes nothing at 1: torchvision's
// adjust_brightness, adjust_contrast and adjust_saturation.
const (
	None       Op = iota
	Brightness    // blend with black
	Contrast      // blend with a grey area of the image's mean brightness
	Saturation    // blend each pixel with its own brightness; grey images do not change
)

// Adjustment changes an image's colours by a factor from 0 to 2.
type Adjustment struct {
	Op     Op
	Factor float32
}

// Apply changes the colours of an image of c channels, 1 or 3.
func (a Adjustment) Apply(pix []byte, c int) {
	switch a.Op {
	case Brightness:
		blend(pix, 0, a.Factor)
	case Contrast:
		blend(pix, mean(pix, c), a.Factor)
	case Saturation:
		saturate(pix, c, a.Factor)
	}
}

// mean returns the brightness of an image, rounded.
func mean(pix []byte, c int) uint8 {
	var sum uint64
	if c == 3 {
		for i := 0; i+2 < len(pix); i += 3 {
			sum += uint64(Luma(pix[i], pix[i+1], pix[i+2]))
		}
	} else {
		for _, v := range pix {
			sum += uint64(v)
		}
	}
	n := uint64(len(pix) / c)
	return uint8((sum + n/2) / n)
}

// blend sets each v to grey + factor·(v-grey); see toward.
func blend(pix []byte, grey uint8, factor float32) {
	var table [256]byte
	for v := range table {
		table[v] = toward(grey, uint8(v), factor)
	}
	for i, v := range pix {
		pix[i] = table[v]
	}
}

// saturate blends each pixel with its own brightness.
func saturate(pix []byte, c int, factor float32) {
	if c != 3 {
		return
	}
	for i := 0; i+2 < len(pix); i += 3 {
		pixel := pix[i : i+3 : i+3]
		grey := Luma(pixel[0], pixel[1], pixel[2])
		for j, v := range pixel {
			pixel[j] = toward(grey, v, factor)
		}
	}
}

// toward returns from + factor·(to-from), truncated to an integer and limited to a byte, as Pillow
// blends. The conversion to float32 keeps machines from fusing the product with the sum.
func toward(from, to uint8, factor float32) uint8 {
	v := float32(from) + float32(factor*float32(int32(to)-int32(from)))
	return uint8(min(max(int32(v), 0), 255))
}

// Luma returns the brightness of a colour with the weights of ITU-R BT.601, rounded as in Pillow
// and libjpeg.
func Luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}
