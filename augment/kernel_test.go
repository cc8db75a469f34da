package augment

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/internal/guard"
)

// randomAxis returns an axis of up to most pixels to n positions, with everything that a recipe can
// contain.
func randomAxis(r *rand.Rand, most, n int) Axis {
	cut := 1 + r.IntN(most)
	size := max(n+r.IntN(9)-4, 1+cut/MaxScale)
	a := Axis{Cut: cut, MirrorCut: r.IntN(2) == 0, Size: size, Window: r.IntN(5) - 2, MirrorWindow: r.IntN(2) == 0, To: size}
	if r.IntN(3) == 0 {
		a.Filter = []Filter{Bicubic, Lanczos}[r.IntN(2)]
	}
	a.From = r.IntN(1 + size/4)
	a.At = r.IntN(1+cut/4) - r.IntN(3)
	a.Region = max(0, cut-a.At-r.IntN(1+cut/4))
	return a
}

// sets returns the kernels that a resampler can have on this machine: none, the narrowest, and all.
func sets() map[string][]kernels {
	all := map[string][]kernels{"Go": nil}
	for i, k := range machine {
		all[k.name] = machine[i:]
	}
	return all
}

// The assembly and Go give the same bytes for any axis, also if there is no memory to read after a
// region.
func TestKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 800 {
		c, h, w := 1+2*rng.IntN(2), 1+rng.IntN(40), 1+rng.IntN(60)
		rows, cols := randomAxis(rng, 100, h), randomAxis(rng, 100, w)
		if i%50 == 0 {
			rows, cols = randomAxis(rng, 900, h), randomAxis(rng, 900, w)
		}
		pitch := cols.Region*c + rng.IntN(3)*rng.IntN(20)
		region := guard.Allocate[byte](t, max(0, rows.Region*pitch-(pitch-cols.Region*c)))
		for j := range region {
			region[j] = byte(rng.Uint32())
			if i%3 == 0 {
				region[j] = 255 * (region[j] & 1)
			}
		}
		want, rowsFirst := make([]byte, h*w*c), make([]byte, h*w*c)
		slow := Resampler{restrict: true}
		slow.Resample(want, h, w, c, region, pitch, rows, cols)
		slow.ResampleRows(rowsFirst, h, w, c, region, pitch, rows, cols)
		for name, set := range sets() {
			s, got := Resampler{restrict: true, kernels: set}, make([]byte, h*w*c)
			s.Resample(got, h, w, c, region, pitch, rows, cols)
			require.Equal(t, want, got, "%s, %d: %d×%d×%d, rows %+v, columns %+v", name, i, h, w, c, rows, cols)
			s.ResampleRows(got, h, w, c, region, pitch, rows, cols)
			require.Equal(t, rowsFirst, got, "%s, rows first, %d: %d×%d×%d, rows %+v, columns %+v", name, i, h, w, c, rows, cols)
		}
	}
}

// BenchmarkResample cuts an average cut of RandomResizedCrop out of a photograph and resizes it to
// 224.
func BenchmarkResample(b *testing.B) {
	in := noise(375, 500, 3)
	out := make([]byte, 224*224*3)
	for name, set := range sets() {
		b.Run(name, func(b *testing.B) {
			s := Resampler{restrict: true, kernels: set}
			for i := 0; b.Loop(); i++ { // the cut changes, and with it the weights
				h, w := 250+i%40, 270+i%50
				s.Resample(out, 224, 224, 3, in, 1500, Resized(h, 224), Resized(w, 224))
			}
		})
	}
}
