package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// box is a rectangle of pixels: rows [y, y+h), columns [x, x+w).
type box struct{ y, x, h, w int }

// cropTo replaces p's image by its pixels in b. Pixels outside the image are black.
func (p *Work) cropTo(b box) {
	y, x, h, w := b.y, b.x, b.h, b.w
	src, dst := p.Image, p.Next(h, w)
	c := src.C
	x0, x1 := min(max(0, -x), w), max(min(w, src.W-x), 0) // columns of dst that lie within src
	for i := range h {
		row := dst.Pix[i*w*c:][:w*c]
		if y+i < 0 || y+i >= src.H || x0 >= x1 {
			clear(row)
			continue
		}
		clear(row[:x0*c])
		copy(row[x0*c:x1*c], src.Pix[((y+i)*src.W+x+x0)*c:])
		clear(row[x1*c:])
	}
	p.Image = dst
}

// CenterCrop cuts H×W pixels out of the middle. A smaller image gets black borders. It equals
// torchvision's CenterCrop.
type CenterCrop struct{ H, W int }

// OutSize returns H×W.
func (t CenterCrop) OutSize(_, _ int) (int, int, error) {
	return t.H, t.W, checkSide("CenterCrop", t.H, t.W)
}

// Apply crops p's image.
func (t CenterCrop) Apply(p *Work, _ *rand.Rand) { p.cropTo(t.box(p.Image.H, p.Image.W)) }

// box returns the cut out of an image of h×w pixels.
func (t CenterCrop) box(h, w int) box { return box{middle(h, t.H), middle(w, t.W), t.H, t.W} }

// middle returns the start of a centred cut of n out of size. It rounds as Python does. If size is
// less than n, the border before the image is half of the whole border, rounded down.
func middle(size, n int) int {
	if size < n {
		return -((n - size) / 2)
	}
	return int(math.RoundToEven(float64(size-n) / 2))
}

// RandomCrop puts Pad black pixels on each side and cuts out H×W pixels at a random place. With Pad
// 4 it is the usual augmentation for CIFAR (He et al., 2015, section 4.2).
type RandomCrop struct{ Pad, H, W int }

// OutSize returns H×W. It returns an error if images of h×w with their borders are smaller.
func (t RandomCrop) OutSize(h, w int) (int, int, error) {
	if err := checkSide("RandomCrop", t.H, t.W); err != nil {
		return 0, 0, err
	}
	if t.Pad < 0 || t.Pad > maxOutput {
		return 0, 0, fmt.Errorf("RandomCrop with a border of %d pixels", t.Pad)
	}
	if h > 0 && w > 0 && (h+2*t.Pad < t.H || w+2*t.Pad < t.W) {
		return 0, 0, fmt.Errorf("RandomCrop of %d×%d pixels out of %d×%d with a border of %d: resize first", t.H, t.W, h, w, t.Pad)
	}
	return t.H, t.W, nil
}

// Apply crops p's image.
func (t RandomCrop) Apply(p *Work, r *rand.Rand) { p.cropTo(t.draw(p.Image.H, p.Image.W, r)) }

// draw chooses the cut out of an image of h×w pixels.
func (t RandomCrop) draw(h, w int, r *rand.Rand) box {
	y := anywhere(r, h+2*t.Pad, t.H) - t.Pad
	x := anywhere(r, w+2*t.Pad, t.W) - t.Pad
	return box{y, x, t.H, t.W}
}

// anywhere returns a random start of a cut of n out of size, or the middle if n does not fit.
func anywhere(r *rand.Rand, size, n int) int {
	if size < n {
		return middle(size, n)
	}
	return r.IntN(size - n + 1)
}

// RandomResizedCrop cuts out a random 8 to 100 % of the image's area with an aspect ratio of 3/4 to
// 4/3, and resizes the cut to H×W with antialiasing. It is the training crop of GoogLeNet's paper
// (Szegedy et al., 2014, section 6), drawn as torchvision's RandomResizedCrop draws it.
type RandomResizedCrop struct{ H, W int }

// The ranges of RandomResizedCrop, and the number of tries to find a cut that fits before it takes
// the middle.
const (
	cropMinArea   = 0.08
	cropMaxAspect = 4.0 / 3
	cropTries     = 10
)

// OutSize returns H×W.
func (t RandomResizedCrop) OutSize(_, _ int) (int, int, error) {
	return t.H, t.W, checkSide("RandomResizedCrop", t.H, t.W)
}

// Apply crops and resizes p's image.
func (t RandomResizedCrop) Apply(p *Work, r *rand.Rand) {
	p.resizeTo(t.draw(p.Image.H, p.Image.W, r), t.H, t.W)
}

// draw chooses the cut out of an image of h×w pixels.
func (t RandomResizedCrop) draw(h, w int, r *rand.Rand) box {
	area := float64(h * w)
	for range cropTries {
		target := area * uniform(r, cropMinArea, 1)
		aspect := math.Exp(uniform(r, -math.Log(cropMaxAspect), math.Log(cropMaxAspect)))
		cw := int(math.RoundToEven(math.Sqrt(target * aspect)))
		ch := int(math.RoundToEven(math.Sqrt(target / aspect)))
		if 0 < cw && cw <= w && 0 < ch && ch <= h {
			return box{r.IntN(h - ch + 1), r.IntN(w - cw + 1), ch, cw}
		}
	}
	// Take the largest cut from the middle with an aspect ratio in range.
	ch, cw := h, w
	switch aspect := float64(w) / float64(h); {
	case aspect < 1/cropMaxAspect:
		ch = int(math.RoundToEven(float64(w) * cropMaxAspect))
	case aspect > cropMaxAspect:
		cw = int(math.RoundToEven(float64(h) * cropMaxAspect))
	}
	return box{(h - ch) / 2, (w - cw) / 2, ch, cw}
}
