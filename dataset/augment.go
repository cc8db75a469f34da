package dataset

import (
	"fmt"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/augment"
)

// Flip mirrors an image left to right with a probability of one half.
type Flip struct{}

// OutSize returns h×w.
func (Flip) OutSize(h, w int) (int, int, error) { return h, w, nil }

// Apply mirrors p's image or leaves it unchanged.
func (t Flip) Apply(p *Work, r *rand.Rand) {
	if !t.draw(r) {
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

// draw chooses whether to mirror.
func (Flip) draw(r *rand.Rand) bool { return r.Uint64()&1 == 1 }

// Jitter changes brightness, contrast and saturation, in random order, each by its own factor drawn
// from [1-x, 1+x]. It is torchvision's ColorJitter without hue, and stands for the "photometric
// distortions" (Howard, 2013) of the Inception papers. A setting of 0 leaves its property
// unchanged.
type Jitter struct{ Brightness, Contrast, Saturation float64 }

// OutSize returns h×w.
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
	for _, a := range t.draw(r) {
		a.Apply(p.Image.Pix, p.Image.C)
	}
}

// draw chooses the factors and their order.
func (t Jitter) draw(r *rand.Rand) (out [3]augment.Adjustment) {
	steps := [3]struct {
		x  float64
		op augment.Op
	}{
		{t.Brightness, augment.Brightness},
		{t.Contrast, augment.Contrast},
		{t.Saturation, augment.Saturation},
	}
	r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for i, s := range steps {
		if s.x > 0 {
			out[i] = augment.Adjustment{Op: s.op, Factor: float32(uniform(r, 1-s.x, 1+s.x))}
		}
	}
	return out
}

// Cutout covers a square of Size pixels at a random place, which may be partly outside the image,
// with one colour (DeVries, Taylor, 2017). The colour Mean of [Info] becomes 0 when the engine
// normalises.
type Cutout struct {
	Size   int
	Colour []float32 // in [0, 1], one for each channel; nil: black
}

// OutSize returns h×w.
func (t Cutout) OutSize(h, w int) (int, int, error) {
	if t.Size < 1 || t.Size > maxOutput {
		return 0, 0, fmt.Errorf("Cutout of %d pixels: a side is 1 to %d", t.Size, maxOutput)
	}
	return h, w, nil
}

// Apply covers a part of p's image.
func (t Cutout) Apply(p *Work, r *rand.Rand) {
	patch := t.draw(p.Image.H, p.Image.W, p.Image.C, r)
	patch.Fill(p.Image.Pix, p.Image.W, p.Image.C)
}

// draw chooses which part of an image of h×w pixels to cover.
func (t Cutout) draw(h, w, c int, r *rand.Rand) augment.Patch {
	y, x := r.IntN(h)-t.Size/2, r.IntN(w)-t.Size/2
	p := augment.Patch{Y0: max(y, 0), X0: max(x, 0), Y1: min(y+t.Size, h), X1: min(x+t.Size, w)}
	for i := range min(c, len(t.Colour)) {
		p.Colour[i] = uint8(min(max(t.Colour[i]*255+0.5, 0), 255))
	}
	return p
}
