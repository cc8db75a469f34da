package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Flip mirrors an image left to right with a probability of one half.
type Flip struct{}

// OutSize is h×w.
func (Flip) OutSize(h, w int) (int, int, error) { return h, w, nil }

// Apply mirrors p's image or leaves it.
func (Flip) Apply(p *Work, r *rand.Rand) {
	if r.Uint64()&1 == 0 {
		return
	}
	m := p.Image
	for y := range m.H {
		row := m.Pix[y*m.W*m.C:][:m.W*m.C]
		for i, j := 0, len(row)-m.C; i < j; i, j = i+m.C, j-m.C {
			for c := range m.C {
				row[i+c], row[j+c] = row[j+c], row[i+c]
			}
		}
	}
}

// Jitter changes brightness, contrast and saturation, in random order, each by
// its own factor drawn from [1-x, 1+x]: torchvision's ColorJitter without hue,
// the "photometric distortions" (Howard, 2013) of the Inception papers. A
// setting of 0 leaves its property alone.
type Jitter struct{ Brightness, Contrast, Saturation float64 }

// OutSize is h×w.
func (t Jitter) OutSize(h, w int) (int, int, error) {
	for _, x := range []float64{t.Brightness, t.Contrast, t.Saturation} {
		if !(x >= 0 && x <= 1) {
			return 0, 0, fmt.Errorf("Jitter by %v: settings are 0 to 1", x)
		}
	}
	return h, w, nil
}

// Apply changes the colours of p's image.
func (t Jitter) Apply(p *Work, r *rand.Rand) {
	steps := [3]struct {
		x     float64
		apply func(m *Image, factor float64)
	}{
		{t.Brightness, brighten},
		{t.Contrast, contrast},
		{t.Saturation, saturate},
	}
	r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for _, s := range steps {
		if s.x > 0 {
			s.apply(p.Image, uniform(r, 1-s.x, 1+s.x))
		}
	}
}

// brighten blends m with black.
func brighten(m *Image, factor float64) {
	blend(m.Pix, 0, factor)
}

// contrast blends m with a grey area of its mean brightness.
func contrast(m *Image, factor float64) {
	var sum uint64
	if m.C == 3 {
		for i := 0; i+2 < len(m.Pix); i += 3 {
			sum += uint64(luma(m.Pix[i], m.Pix[i+1], m.Pix[i+2]))
		}
	} else {
		for _, v := range m.Pix {
			sum += uint64(v)
		}
	}
	n := uint64(m.H * m.W)
	blend(m.Pix, uint8((sum+n/2)/n), factor)
}

// blend sets each v to grey + factor·(v-grey), see toward.
func blend(pix []byte, grey uint8, factor float64) {
	var table [256]byte
	for v := range table {
		table[v] = toward(grey, uint8(v), float32(factor))
	}
	for i, v := range pix {
		pix[i] = table[v]
	}
}

// saturate blends each pixel of m with its own brightness.
func saturate(m *Image, factor float64) {
	if m.C != 3 {
		return
	}
	f := float32(factor)
	for i := 0; i+2 < len(m.Pix); i += 3 {
		pix := m.Pix[i : i+3 : i+3]
		grey := luma(pix[0], pix[1], pix[2])
		for c, v := range pix {
			pix[c] = toward(grey, v, f)
		}
	}
}

// toward is from + factor·(to-from), cut off to an integer and limited to a
// byte, as Pillow blends. The conversion keeps the product from being fused with
// the sum on machines that can.
func toward(from, to uint8, factor float32) uint8 {
	v := float32(from) + float32(factor*float32(int32(to)-int32(from)))
	return uint8(min(max(int32(v), 0), 255))
}

// Cutout covers a square of Size pixels at a random place, partly outside the
// image, with one colour (DeVries, Taylor, 2017). Mean in [Info] is the colour
// that becomes 0 when the engine normalises.
type Cutout struct {
	Size   int
	Colour []float32 // in [0, 1], as many as channels; none is black
}

// OutSize is h×w.
func (t Cutout) OutSize(h, w int) (int, int, error) {
	if t.Size < 1 || t.Size > maxOutput {
		return 0, 0, fmt.Errorf("Cutout of %d pixels: a side is 1 to %d", t.Size, maxOutput)
	}
	return h, w, nil
}

// Apply covers a part of p's image.
func (t Cutout) Apply(p *Work, r *rand.Rand) {
	m := p.Image
	var colour [3]byte
	for c := range min(m.C, len(t.Colour)) {
		colour[c] = uint8(min(max(t.Colour[c]*255+0.5, 0), 255))
	}
	y, x := r.IntN(m.H)-t.Size/2, r.IntN(m.W)-t.Size/2
	for i := max(y, 0); i < min(y+t.Size, m.H); i++ {
		for j := max(x, 0); j < min(x+t.Size, m.W); j++ {
			copy(m.Pix[(i*m.W+j)*m.C:][:m.C], colour[:])
		}
	}
}
