package dataset

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/augment"
)

// draft records what transforms do to an image. It becomes a recipe.
type draft struct {
	rows, cols        draftAxis
	resized           bool
	adjust            [3]augment.Adjustment
	patch             augment.Patch
	coloured, covered bool
	c                 int
}

// newDraft returns the draft of a decoded image without transforms.
func newDraft(h, w, c int) *draft {
	return &draft{rows: draftAxis{cut: whole(h)}, cols: draftAxis{cut: whole(w)}, c: c}
}

// draftAxis is one axis of a draft: a cut of the decoded image and, after a resize of the cut to
// size positions, a window of those.
type draftAxis struct {
	cut, window span
	size        int
	filter      augment.Filter
}

// span is n positions of a longer axis, starting at at, mirrored or not. Positions outside [from,
// to) are black.
type span struct {
	at, n    int
	mirror   bool
	from, to int
}

func whole(n int) span { return span{n: n, to: n} }

// sub returns the n positions from at on in s.
func (s span) sub(at, n int) span {
	if s.mirror {
		at = s.n - at - n
	}
	s.at, s.n = s.at+at, n
	s.from, s.to = max(s.from, s.at), min(s.to, s.at+n)
	return s
}

// shrunk returns s, which lies within an image, in the image at 1/n of its size.
func (s span) shrunk(n int) span {
	at, length := s.at/n, s.n/n
	return span{at: at, n: length, mirror: s.mirror, from: at, to: at + length}
}

// now returns the axis of the current image.
func (d *draft) now(a *draftAxis) *span {
	if d.resized {
		return &a.window
	}
	return &a.cut
}

// size returns the size of the current image.
func (d *draft) size() (h, w int) { return d.now(&d.rows).n, d.now(&d.cols).n }

// crop cuts out b. It returns false if no recipe can express that.
func (d *draft) crop(b box) bool {
	rows, cols := d.now(&d.rows), d.now(&d.cols)
	*rows, *cols = rows.sub(b.y, b.h), cols.sub(b.x, b.w)
	return !d.coloured && !d.covered
}

// resize resizes to h×w. It returns false if no recipe can express that: an image is resized at
// most once. A resize to the present size does nothing.
func (d *draft) resize(h, w int) bool {
	if nh, nw := d.size(); nh == h && nw == w {
		return true
	}
	if d.resized || d.coloured || d.covered {
		return false
	}
	d.resized = true
	d.rows.size, d.cols.size = h, w
	d.rows.window, d.cols.window = whole(h), whole(w)
	return true
}

// add adds the effect of a transform, with the random choices that its Apply would make. It returns
// false if no recipe can express it. It switches on types rather than calling a method, because a
// user's type that embeds one of ours does something else.
func (d *draft) add(t Transform, r *rand.Rand) bool {
	h, w := d.size()
	switch t := t.(type) {
	case Pipeline:
		for _, step := range t {
			if !d.add(step, r) {
				return false
			}
		}
		return true
	case Flip:
		if t.draw(r) {
			d.flip()
		}
		return true
	case CenterCrop:
		return d.crop(t.box(h, w))
	case RandomCrop:
		return d.crop(t.draw(h, w, r))
	case RandomResizedCrop:
		return d.crop(t.draw(h, w, r)) && d.resize(t.H, t.W)
	case Resize:
		return d.resize(t.H, t.W)
	case ResizeShorter:
		return d.resize(t.size(h, w))
	case Fit:
		return t.draws(h, w) && t.draft(d)
	case Jitter:
		ok := !d.coloured && !d.covered
		d.adjust, d.coloured = t.draw(r), true
		return ok
	case Cutout:
		ok := !d.covered
		d.patch, d.covered = t.draw(h, w, d.c, r), true
		return ok
	}
	return false
}

// flip mirrors the current image.
func (d *draft) flip() {
	cols := d.now(&d.cols)
	cols.mirror = !cols.mirror
	if d.covered {
		d.patch.X0, d.patch.X1 = cols.n-d.patch.X1, cols.n-d.patch.X0
	}
}

// shrink returns the factor, 8, 4, 2 or 1, by which the image may be decoded smaller. The cut then
// still has at least as many pixels as it is resized to.
func (d *draft) shrink() int {
	for _, n := range []int{8, 4, 2} {
		if d.resized && d.rows.shrinks(n) && d.cols.shrinks(n) {
			return n
		}
	}
	return 1
}

// shrinks reports whether an axis allows decoding the image n times smaller.
func (a *draftAxis) shrinks(n int) bool {
	return a.cut.n/n >= a.size && a.cut.from <= a.cut.at && a.cut.to >= a.cut.at+a.cut.n
}

// recipe returns the finished draft for an image that was decoded shrink times smaller, and the
// region of that image that it needs. The cut is rounded to whole pixels.
func (d *draft) recipe(shrink int) (augment.Recipe, box) {
	rows, cols := d.rows, d.cols
	if shrink > 1 {
		rows.cut, cols.cut = rows.cut.shrunk(shrink), cols.cut.shrunk(shrink)
	}
	r := augment.Recipe{Adjust: d.adjust, Patch: d.patch}
	var b box
	b.y, r.Rows = rows.finish(d.resized)
	b.x, r.Cols = cols.finish(d.resized)
	if r.Rows.Region == 0 || r.Cols.Region == 0 { // the result shows nothing of the image
		r.Rows.Region, r.Cols.Region = 0, 0
	}
	b.h, b.w = r.Rows.Region, r.Cols.Region
	return r, b
}

// finish returns the axis for a recipe, and the position of its region in the decoded image.
func (a *draftAxis) finish(resized bool) (int, augment.Axis) {
	cut, window, size := a.cut, a.window, a.size
	if !resized {
		window, size = whole(cut.n), cut.n
	}
	out := augment.Axis{Filter: a.filter, Cut: cut.n, MirrorCut: cut.mirror, Size: size,
		Window: window.at, MirrorWindow: window.mirror, From: window.from, To: window.to}
	if window.from >= window.to {
		return 0, out
	}
	// The window needs only the positions [lo, hi) of the cut.
	lo, _ := a.filter.Span(cut.n, size, window.from)
	_, hi := a.filter.Span(cut.n, size, window.to-1)
	if cut.mirror {
		lo, hi = cut.n-hi, cut.n-lo
	}
	from := max(cut.from, cut.at+lo)
	out.At, out.Region = from-cut.at, max(0, min(cut.to, cut.at+hi)-from)
	return from, out
}

// drafts reports whether a transform of a source's images is expected to become a recipe.
func drafts(t Transform, info Info) bool {
	h, w := info.H, info.W
	if h == 0 || w == 0 {
		h, w = 375, 500 // a typical photograph; images of other sizes without a recipe are transformed on the host
	}
	return newDraft(h, w, info.C).add(t, rand.New(rand.NewPCG(0, 0)))
}
