package dataset

import (
	"fmt"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/augment"
)

// maxOutput is the maximum side of an image that a transform makes.
const maxOutput = 1 << 14

// checkSide returns an error if a transform cannot make images of h×w pixels.
func checkSide(name string, h, w int) error {
	if h < 1 || w < 1 || h > maxOutput || w > maxOutput {
		return fmt.Errorf("%s to %d×%d pixels: sides are 1 to %d", name, h, w, maxOutput)
	}
	return nil
}

// resizeTo replaces p's image by its pixels in b, resized to h×w.
func (p *Work) resizeTo(b box, h, w int) {
	m, next := p.Image, p.Next(h, w)
	p.resample.Resample(next.Pix, h, w, m.C, m.Pix[(b.y*m.W+b.x)*m.C:], m.W*m.C, augment.Resized(b.h, h), augment.Resized(b.w, w))
	p.Image = next
}

// Resize resizes to H×W with antialiasing, whatever the aspect ratio.
type Resize struct{ H, W int }

// OutSize returns H×W.
func (t Resize) OutSize(_, _ int) (int, int, error) {
	return t.H, t.W, checkSide("Resize", t.H, t.W)
}

// Apply resizes p's image.
func (t Resize) Apply(p *Work, _ *rand.Rand) {
	if p.Image.H != t.H || p.Image.W != t.W {
		p.resizeTo(box{0, 0, p.Image.H, p.Image.W}, t.H, t.W)
	}
}

// ResizeShorter resizes with antialiasing so that the shorter side has Size pixels and the aspect
// ratio stays, as torchvision's Resize(Size).
type ResizeShorter struct{ Size int }

// OutSize returns Size and the longer side, which is rounded down.
func (t ResizeShorter) OutSize(h, w int) (int, int, error) {
	if err := checkSide("ResizeShorter", t.Size, t.Size); err != nil || h == 0 || w == 0 {
		return 0, 0, err
	}
	h, w = t.size(h, w)
	return h, w, nil
}

// size returns the new size. It limits the longer side, so that an image of one row does not become
// huge.
func (t ResizeShorter) size(h, w int) (int, int) {
	if h < w {
		return t.Size, min(t.Size*w/h, maxOutput)
	}
	return min(t.Size*h/w, maxOutput), t.Size
}

// Apply resizes p's image.
func (t ResizeShorter) Apply(p *Work, r *rand.Rand) {
	h, w := t.size(p.Image.H, p.Image.W)
	Resize{h, w}.Apply(p, r)
}
