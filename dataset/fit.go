package dataset

import (
	"fmt"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/augment"
)

// Fit brings images to H×W pixels without randomness, as for test images. If Resize is not 0, the
// shorter side is resized to Resize pixels and the middle is cut out, as by torchvision's Resize
// and CenterCrop and by timm's evaluation transform. Pixels of the cut outside the resized image
// are black. If Resize is 0, the whole image is resized, whatever its aspect ratio.
type Fit struct {
	H, W, Resize  int
	Interpolation augment.Interpolation
}

// OutSize returns H×W.
func (t Fit) OutSize(_, _ int) (int, int, error) {
	if t.Resize < 0 || t.Resize > maxOutput {
		return 0, 0, fmt.Errorf("Fit with a shorter side of %d pixels: sides are 1 to %d", t.Resize, maxOutput)
	}
	return t.H, t.W, checkSide("Fit", t.H, t.W)
}

// resized returns the size to which an image of h×w pixels is resized before the middle is cut out.
// The longer side is rounded down.
func (t Fit) resized(h, w int) (int, int) {
	switch {
	case t.Resize == 0:
		return t.H, t.W
	case h < w:
		return t.Resize, int(int64(t.Resize) * int64(w) / int64(h))
	}
	return int(int64(t.Resize) * int64(h) / int64(w)), t.Resize
}

// draft adds the effect of t on an image of h×w pixels to a draft.
func (t Fit) draft(d *draft) bool {
	h, w := d.size()
	oh, ow := t.resized(h, w)
	return d.resize(oh, ow) && d.crop(CenterCrop{t.H, t.W}.box(oh, ow))
}

// draws reports whether a recipe can express the effect of t on an image of h×w pixels. Devices
// resize with a triangle filter, columns first.
func (t Fit) draws(h, w int) bool {
	oh, ow := t.resized(h, w)
	return t.Interpolation.Filter == augment.Bilinear && !t.Interpolation.RowsFirst(h, w, oh, ow)
}

// Apply resizes and cuts p's image. It computes only the pixels of the cut.
func (t Fit) Apply(p *Work, _ *rand.Rand) {
	m := p.Image
	if m.H == t.H && m.W == t.W && t.Resize == 0 {
		return
	}
	d := newDraft(m.H, m.W, m.C)
	t.draft(d)
	d.rows.filter, d.cols.filter = t.Interpolation.Filter, t.Interpolation.Filter
	r, from := d.recipe(1)
	next := p.Next(t.H, t.W)
	resample := p.resample.Resample
	if oh, ow := t.resized(m.H, m.W); t.Interpolation.RowsFirst(m.H, m.W, oh, ow) {
		resample = p.resample.ResampleRows
	}
	resample(next.Pix, t.H, t.W, m.C, m.Pix[(from.y*m.W+from.x)*m.C:], m.W*m.C, r.Rows, r.Cols)
	p.Image = next
}
