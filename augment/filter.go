package augment

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Filter is the function that weighs the source pixels around the place of a pixel of a resized
// image. If the image becomes smaller, the filter widens with the scale (antialiasing).
type Filter uint8

// The filters. Recipes, which GPUs carry out, use only the first.
const (
	Bilinear Filter = iota // a triangle
	Bicubic                // Keys's cubic with a = -1/2, four pixels wide
	Lanczos                // sinc(x)·sinc(x/3), six pixels wide
)

// Interpolation is a way to resize whole images.
type Interpolation struct {
	Name   string
	Filter Filter
	// ColumnsFirst resizes columns before rows for all sizes, as recipes do. Otherwise RowsFirst
	// decides. The results differ by rounding.
	ColumnsFirst bool
}

// interpolations are the ways to resize. Those with plain names give the bytes of Pillow 13.
var interpolations = []Interpolation{
	{"bilinear", Bilinear, false},
	{"bicubic", Bicubic, false},
	{"lanczos", Lanczos, false},
	{"bilinear-pillow12", Bilinear, true},
	{"bicubic-pillow12", Bicubic, true},
	{"lanczos-pillow12", Lanczos, true},
}

// InterpolationNames returns the names of the ways to resize. Plain names are those of Pillow's
// filters. Names with -pillow12 stand for the results of Pillow up to version 12, which differ if
// RowsFirst is true.
func InterpolationNames() []string {
	var names []string
	for _, p := range interpolations {
		names = append(names, p.Name)
	}
	return names
}

// ParseInterpolation returns the way to resize with the given name.
func ParseInterpolation(name string) (Interpolation, error) {
	i := slices.IndexFunc(interpolations, func(p Interpolation) bool { return p.Name == name })
	if i < 0 {
		return Interpolation{}, fmt.Errorf("%q is no interpolation: there are %s", name, strings.Join(InterpolationNames(), ", "))
	}
	return interpolations[i], nil
}

// RowsFirst reports whether Pillow 13 resizes the rows of an image of h×w pixels before its columns
// on the way to oh×ow. It does so if the height loses more than twice what the width loses.
func (p Interpolation) RowsFirst(h, w, oh, ow int) bool {
	return !p.ColumnsFirst && h > oh && h-oh > 2*(w-ow)
}

// radius returns how many pixels the filter reaches to each side if the size stays.
func (f Filter) radius() float64 { return float64(1 + f) }

// at returns the filter's value at a distance in pixels. The conversions keep machines from fusing
// products with sums, so that weights are the same everywhere.
func (f Filter) at(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x >= f.radius():
		return 0
	case f == Bicubic && x < 1:
		return float64(float64(float64(1.5*x-2.5)*x)*x) + 1
	case f == Bicubic:
		return float64(float64(float64(float64(float64(x-5)*x)+8)*x)-4) * -0.5
	case f == Lanczos:
		return sinc(x) * sinc(x/3)
	}
	return 1 - x
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// Span returns the range [first, end) of a cut's pixels that contribute to pixel i of the cut
// resized to size pixels.
func (f Filter) Span(cut, size, i int) (first, end int) {
	centre, reach := f.place(cut, size, i)
	return max(0, int(centre-reach+0.5)), min(cut, int(centre+reach+0.5))
}

// place returns the place of pixel i in the cut and the reach of its filter. The conversion is for
// the same reason as in at.
func (f Filter) place(cut, size, i int) (centre, reach float64) {
	scale := float64(cut) / float64(size)
	return float64((float64(i) + 0.5) * scale), f.radius() * max(scale, 1)
}

// weights computes the filter's weights for len(w) pixels from first on, as given by Span, in units
// of 2^-weightBits. exact is scratch memory of at least len(w) numbers.
func (f Filter) weights(w []int32, exact []float64, first, cut, size, i int) {
	if len(w) == 0 {
		return
	}
	centre, _ := f.place(cut, size, i)
	scale := max(float64(cut)/float64(size), 1)
	exact = exact[:len(w)]
	var sum float64
	for k := range exact {
		x := float64(first+k) + 0.5 - centre
		if scale != 1 {
			x /= scale
		}
		v := 1 - math.Abs(x) // the triangle's value, as in at, without a call
		if f != Bilinear {
			v = f.at(x)
		} else if v < 0 {
			v = 0
		}
		exact[k] = v
		sum += v
	}
	for k, v := range exact {
		v = v / sum * (1 << weightBits)
		n := int32(v)
		w[k] = n + int32(2*(v-float64(n))) // math.Round, without a call
	}
}
