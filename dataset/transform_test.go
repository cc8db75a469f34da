package dataset

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// noise returns an image of bytes that look random.
func noise(h, w, c int) *Image {
	m := new(Image)
	m.Reshape(h, w, c)
	for i := range m.Pix {
		m.Pix[i] = byte((i*i*31 + i*17) >> 3)
	}
	return m
}

// apply runs a transform on a copy of m.
func apply(t Transform, m *Image, seed uint64) *Image {
	var p Work
	dst := p.Load()
	dst.Reshape(m.H, m.W, m.C)
	copy(dst.Pix, m.Pix)
	t.Apply(&p, rand.New(rand.NewPCG(seed, 0)))
	return p.Image
}

func TestCrops(t *testing.T) {
	m := &Image{Pix: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, H: 3, W: 3, C: 1}
	require.Equal(t, []byte{5}, apply(CenterCrop{1, 1}, m, 0).Pix)
	require.Equal(t, []byte{
		0, 0, 0, 0, 0,
		0, 1, 2, 3, 0,
		0, 4, 5, 6, 0,
		0, 7, 8, 9, 0,
		0, 0, 0, 0, 0,
	}, apply(CenterCrop{5, 5}, m, 0).Pix)

	// All 25 places of a crop with a border of 1 occur, including the corners.
	seen := map[string]bool{}
	for seed := range uint64(500) {
		seen[fmt.Sprint(apply(RandomCrop{Pad: 2, H: 3, W: 3}, m, seed).Pix)] = true
	}
	require.Len(t, seen, 25)
	require.True(t, seen["[0 0 0 0 0 0 0 0 1]"])
	require.True(t, seen["[9 0 0 0 0 0 0 0 0]"])
	require.Equal(t, []byte{9, 0, 0, 0}, apply(cutOut{2, 2, 2, 2}, m, 0).Pix)
	require.Equal(t, make([]byte, 4), apply(cutOut{-9, 9, 2, 2}, m, 0).Pix)
}

// cutOut is a user's transform that cuts at a given place.
type cutOut box

func (t cutOut) OutSize(_, _ int) (int, int, error) { return t.h, t.w, nil }
func (t cutOut) Apply(p *Work, _ *rand.Rand)        { p.cropTo(box(t)) }

func TestRandomResizedCrop(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	least, most := 1.0, 0.0
	for range 5000 {
		b := RandomResizedCrop{8, 8}.draw(375, 500, r)
		require.GreaterOrEqual(t, min(b.y, b.x), 0)
		require.LessOrEqual(t, b.y+b.h, 375)
		require.LessOrEqual(t, b.x+b.w, 500)
		share := float64(b.h*b.w) / (375 * 500)
		least, most = min(least, share), max(most, share)
		aspect := float64(b.w) / float64(b.h)
		require.InDelta(t, 1.04, aspect, 0.31)
	}
	require.InDelta(t, 0.08, least, 0.01)
	require.InDelta(t, 1, most, 0.03)

	// No cut fits into a strip, so the cut is the middle with the nearest aspect ratio.
	require.Equal(t, box{0, 493, 10, 13}, RandomResizedCrop{8, 8}.draw(10, 1000, r))
	require.Equal(t, box{493, 0, 13, 10}, RandomResizedCrop{8, 8}.draw(1000, 10, r))
	require.Equal(t, box{0, 0, 1, 1}, RandomResizedCrop{8, 8}.draw(1, 1, r))
}

func TestFlip(t *testing.T) {
	m := &Image{Pix: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, H: 1, W: 3, C: 3}
	flipped := 0
	for seed := range uint64(200) {
		got := apply(Flip{}, m, seed).Pix
		if got[0] == 7 {
			require.Equal(t, []byte{7, 8, 9, 4, 5, 6, 1, 2, 3}, got)
			flipped++
		} else {
			require.Equal(t, m.Pix, got)
		}
	}
	require.InDelta(t, 100, flipped, 30)
}

func TestJitter(t *testing.T) {
	m := noise(5, 5, 3)
	require.Equal(t, m.Pix, apply(Jitter{}, m, 1).Pix)
	full := Jitter{0.4, 0.4, 0.4}
	require.NotEqual(t, apply(full, m, 1).Pix, apply(full, m, 2).Pix)
	require.Equal(t, apply(full, m, 1).Pix, apply(full, m, 1).Pix)
	grey := noise(5, 5, 1)
	require.Equal(t, grey.Pix, apply(Jitter{Saturation: 1}, grey, 1).Pix)
}

func TestCutout(t *testing.T) {
	m := &Image{Pix: make([]byte, 8*8*3), H: 8, W: 8, C: 3}
	for seed := range uint64(100) {
		got := apply(Cutout{Size: 4, Colour: []float32{0.2, 1, 9}}, m, seed).Pix
		n := 0
		for i := 0; i < len(got); i += 3 {
			if got[i] != 0 {
				require.Equal(t, []byte{51, 255, 255}, got[i:i+3])
				n++
			}
		}
		require.GreaterOrEqual(t, n, 4) // a corner of the square
		require.LessOrEqual(t, n, 16)
	}
}

func TestOutSize(t *testing.T) {
	h, w, err := Pipeline{ResizeShorter{256}, CenterCrop{224, 200}}.OutSize(0, 0)
	require.NoError(t, err)
	require.Equal(t, []int{224, 200}, []int{h, w})
	h, w, err = ResizeShorter{256}.OutSize(500, 375)
	require.NoError(t, err)
	require.Equal(t, []int{341, 256}, []int{h, w}) // as torchvision: int(256*500/375)
	got := apply(ResizeShorter{256}, noise(500, 375, 1), 0)
	require.Equal(t, []int{341, 256}, []int{got.H, got.W})
	got = apply(ResizeShorter{16}, noise(1, 65000, 1), 0)
	require.Equal(t, []int{16, maxOutput}, []int{got.H, got.W})

	for text, bad := range map[string]Transform{
		"Resize to 0×5":             Resize{0, 5},
		"CenterCrop to -1×5":        Pipeline{Resize{4, 4}, CenterCrop{-1, 5}},
		"RandomResizedCrop to 5×":   RandomResizedCrop{5, 1 << 20},
		"ResizeShorter to 0×0":      ResizeShorter{},
		"RandomCrop to 0×0":         RandomCrop{},
		"border of -1":              RandomCrop{-1, 4, 4},
		"border of 1: resize first": RandomCrop{1, 9, 4},
		"Jitter by -1":              Jitter{Contrast: -1},
		"Cutout of 0 pixels":        Cutout{},
		"Fit to 0×5":                Fit{W: 5},
		"shorter side of -1 pixels": Fit{H: 5, W: 5, Resize: -1},
	} {
		_, _, err := bad.OutSize(6, 6)
		require.ErrorContains(t, err, text)
	}
}

func TestRecipes(t *testing.T) {
	for _, info := range []Info{digitsInfo(28), digitsInfo(0)} {
		for _, tf := range []Transform{TrainTransform(info, 64, 48), Fit{H: 64, W: 48}, Fit{H: 64, W: 48, Resize: 60}} {
			h, w, err := tf.OutSize(info.H, info.W)
			require.NoError(t, err)
			require.Equal(t, []int{64, 48}, []int{h, w})
			got := apply(tf, noise(28, 28, 3), 1)
			require.Equal(t, []int{64, 48, 3}, []int{got.H, got.W, got.C})
		}
	}
	require.NotContains(t, TrainTransform(digitsInfo(28), 28, 28), Flip{})
}

func digitsInfo(side int) Info { return Info{H: side, W: side, C: 3} }

func BenchmarkCropResize(b *testing.B) {
	p := Work{Image: noise(375, 500, 3)}
	src := p.Image
	b.ReportAllocs()
	for b.Loop() {
		p.Image = src
		p.resizeTo(box{40, 100, 280, 300}, 224, 224)
	}
}
