// Package augment defines what augmentation does to an image, to the bit. A Recipe says what is cut
// out of a decoded image, to which size it is resized, and how it is mirrored, recoloured and
// covered. Package dataset draws recipes and applies them on the CPU; plans apply them as a step
// (graph.AugmentStep). Every backend gives the same bytes, which are Pillow's, and so torchvision's
// on PIL images.
package augment

import "fmt"

// MaxScale is the maximum factor by which a recipe can shrink an image along an axis.
const MaxScale = 32

// maxLength limits all positions and lengths, so that no computation overflows.
const maxLength = 1 << 26

// Recipe says how one image of a batch, h×w pixels of c channels, is made from a region, the needed
// pixels of a decoded image. First the image is cut and resized, columns before rows, each rounded
// to a byte (Axis). Then colours are adjusted, and last a patch is covered. The zero Recipe makes a
// black image.
type Recipe struct {
	Offset     int // of the region in the batch's regions: Rows.Region × Cols.Region × c bytes
	Rows, Cols Axis
	Adjust     [3]Adjustment // in order, each Op at most once; contrast uses the mean over the h×w pixels
	Patch      Patch
}

// Axis says what a recipe does along one axis. The output's n pixels are a window of the resized
// cut of the image.
type Axis struct {
	Region int // number of pixels in the region
	At     int // position of the region's first pixel in the cut; pixels of the cut outside the region are black

	Filter    Filter // Bilinear in recipes
	Cut       int    // number of pixels in the cut
	MirrorCut bool   // the cut is mirrored before it is resized
	Size      int    // number of pixels that the cut is resized to

	Window       int  // position of the window in the resized cut
	MirrorWindow bool // the window is mirrored
	From, To     int  // visible positions of the resized cut; others are black
}

// Resized returns the axis that resizes a whole region of from pixels to to pixels.
func Resized(from, to int) Axis { return Axis{Region: from, Cut: from, Size: to, To: to} }

// position returns the position in the resized cut of the i-th of n output pixels, and whether it
// is visible.
func (a *Axis) position(i, n int) (int, bool) {
	if a.MirrorWindow {
		i = n - 1 - i
	}
	p := a.Window + i
	return p, p >= a.From && p < a.To
}

// Patch covers rows [Y0,Y1) and columns [X0,X1) with a colour.
type Patch struct {
	Y0, X0, Y1, X1 int
	Colour         [3]byte
}

// Fill covers the patch in an image that is w pixels wide.
func (p *Patch) Fill(pix []byte, w, c int) {
	for y := p.Y0; y < p.Y1; y++ {
		for x := p.X0; x < p.X1; x++ {
			copy(pix[(y*w+x)*c:][:c], p.Colour[:])
		}
	}
}

// Check returns an error if a recipe does not make an image of h×w pixels of c channels from
// regions of regions bytes.
func (r *Recipe) Check(h, w, c, regions int) error {
	if err := r.Rows.check("rows"); err != nil {
		return err
	}
	if err := r.Cols.check("columns"); err != nil {
		return err
	}
	if n := r.Rows.Region * r.Cols.Region * c; r.Offset < 0 || r.Offset > regions-n {
		return fmt.Errorf("a region of %d×%d pixels of %d channels at byte %d is not in %d bytes of regions", r.Rows.Region, r.Cols.Region, c, r.Offset, regions)
	}
	var seen [Saturation + 1]bool
	for _, a := range r.Adjust {
		switch {
		case a.Op > Saturation || !(a.Factor >= 0 && a.Factor <= 2):
			return fmt.Errorf("adjustment %d by %v: adjustments are 0 to %d, by 0 to 2", a.Op, a.Factor, Saturation)
		case a.Op != None && seen[a.Op]:
			return fmt.Errorf("adjustment %d comes twice", a.Op)
		}
		seen[a.Op] = true
	}
	if p := r.Patch; p.Y0 < 0 || p.X0 < 0 || p.Y1 > h || p.X1 > w {
		return fmt.Errorf("a patch of rows %d to %d and columns %d to %d is not in an image of %d×%d pixels", p.Y0, p.Y1, p.X0, p.X1, h, w)
	}
	return nil
}

func (a *Axis) check(name string) error {
	switch {
	case a.Region < 0 || a.Region > maxLength || a.At < -maxLength || a.At > maxLength || a.Window < -maxLength || a.Window > maxLength:
		return fmt.Errorf("%s: a region of %d pixels at %d, a window at %d: positions are at most %d", name, a.Region, a.At, a.Window, maxLength)
	case a.Filter != Bilinear:
		return fmt.Errorf("%s: filter %d: recipes resize by filter %d", name, a.Filter, Bilinear)
	case a.From >= a.To:
		return nil
	case a.Cut < 1 || a.Size < 1 || a.Cut > maxLength || a.Size > maxLength || a.From < 0 || a.To > a.Size:
		return fmt.Errorf("%s: %d pixels of a cut resized to %d, of which %d to %d are seen", name, a.Cut, a.Size, a.From, a.To)
	case a.Cut > MaxScale*a.Size:
		return fmt.Errorf("%s: %d pixels resized to %d: at most %d times smaller", name, a.Cut, a.Size, MaxScale)
	}
	return nil
}
