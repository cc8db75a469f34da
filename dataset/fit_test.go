package dataset

import (
	_ "embed"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/augment"
)

// fitSums has checksums of the images that the evaluation transforms of torchvision and timm make.
// testdata/fit.py writes it.
//
//go:embed testdata/fit.txt
var fitSums string

func interpolation(t testing.TB, name string) augment.Interpolation {
	p, err := augment.ParseInterpolation(name)
	require.NoError(t, err)
	return p
}

// Test images equal those of the evaluation transforms of torchvision and timm, byte for byte.
func TestFitIsTheirEvaluationTransform(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(fitSums), "\n")[1:]
	sizes, wrong := map[string]bool{}, []string{}
	for _, line := range lines {
		var h, w, c, resize, oh, ow int
		var name string
		var sum uint32
		_, err := fmt.Sscanf(line, "%d %d %d %s %d %d %d %x", &h, &w, &c, &name, &resize, &oh, &ow, &sum)
		require.NoError(t, err, line)
		sizes[fmt.Sprint(h, w)] = true
		if got := apply(Fit{oh, ow, resize, interpolation(t, name)}, noise(h, w, c), 0); crc32.ChecksumIEEE(got.Pix) != sum {
			wrong = append(wrong, line)
		}
	}
	require.Empty(t, wrong)
	require.Len(t, sizes, 30)
}

// The interpolations of Pillow up to 12 resize columns first, then rows, of the whole image, and
// the middle is cut out.
func TestFitColumnsFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	differ := 0
	for range 60 {
		m, resize := noise(1+r.IntN(200), 1+r.IntN(60), 3), 8+r.IntN(24)
		want := apply(Pipeline{ResizeShorter{resize}, CenterCrop{16, 16}}, m, 0)
		got := apply(Fit{16, 16, resize, interpolation(t, "bilinear-pillow12")}, m, 0)
		require.Equal(t, want.Pix, got.Pix, "%d×%d, %d", m.H, m.W, resize)
		if string(apply(Fit{16, 16, resize, interpolation(t, "bilinear")}, m, 0).Pix) != string(want.Pix) {
			differ++
		}
	}
	require.Greater(t, differ, 5)
}

// A very long image costs no more than its visible part.
func TestFitLong(t *testing.T) {
	got := apply(Fit{224, 224, 256, interpolation(t, "bicubic")}, noise(1, 65000, 3), 0)
	require.Equal(t, []int{224, 224, 3}, []int{got.H, got.W, got.C})
	for y := range 223 { // the image has one row, so all rows are equal
		require.Equal(t, got.Pix[:224*3], got.Pix[(y+1)*224*3:][:224*3])
	}
}

// A recipe expresses a Fit, or the Fit is applied on the host: the batches are the same.
func TestFitDraws(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[bool]int{}
	for range 200 {
		m := noise(1+r.IntN(90), 1+r.IntN(40), 3)
		tf := Fit{12, 12, r.IntN(20), interpolation(t, []string{"bilinear", "bicubic", "bilinear-pillow12"}[r.IntN(3)])}
		d := newDraft(m.H, m.W, m.C)
		ok := d.add(tf, nil)
		seen[ok]++
		if recipe, _ := d.recipe(1); ok && recipe.Rows.Cut <= augment.MaxScale*recipe.Rows.Size && recipe.Cols.Cut <= augment.MaxScale*recipe.Cols.Size {
			require.Equal(t, apply(tf, m, 0).Pix, render(t, d, m), "%+v of %d×%d", tf, m.H, m.W)
		}
		if tf.Interpolation.Filter != augment.Bilinear {
			require.False(t, ok)
		}
	}
	require.Greater(t, min(seen[true], seen[false]), 40)
}
