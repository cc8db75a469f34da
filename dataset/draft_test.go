package dataset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/augment"
)

// render makes the image of a recipe from the region that it needs.
func render(t *testing.T, d *draft, m *Image) []byte {
	t.Helper()
	h, w := d.size()
	r, b := d.recipe(1)
	var region []byte
	for y := range b.h {
		region = append(region, m.Pix[((b.y+y)*m.W+b.x)*m.C:][:b.w*m.C]...)
	}
	require.NoError(t, r.Check(h, w, m.C, len(region)))
	var s augment.Resampler
	out := make([]byte, h*w*m.C)
	s.Render(out, h, w, m.C, &r, region)
	return out
}

// randomPipeline returns a pipeline with cuts before and after one resize, mirrors anywhere, and
// colours and a patch at the end.
func randomPipeline(r *rand.Rand) Pipeline {
	side := func() int { return 1 + r.IntN(24) }
	var t Pipeline
	cuts := func() {
		for range r.IntN(3) {
			switch r.IntN(3) {
			case 0:
				t = append(t, CenterCrop{side(), side()})
			case 1:
				t = append(t, RandomCrop{Pad: r.IntN(6), H: side(), W: side()})
			default:
				t = append(t, Flip{})
			}
		}
	}
	cuts()
	switch r.IntN(4) {
	case 0:
		t = append(t, Resize{side(), side()})
	case 1:
		t = append(t, ResizeShorter{side()})
	case 2:
		t = append(t, RandomResizedCrop{side(), side()})
	}
	cuts()
	if r.IntN(2) == 0 {
		t = append(t, Jitter{Brightness: r.Float64(), Contrast: r.Float64(), Saturation: float64(r.IntN(2))})
		t = append(t, Flip{})
	}
	if r.IntN(2) == 0 {
		t = append(t, Cutout{Size: side(), Colour: []float32{0.2, 0.9, 0.5}})
		t = append(t, Flip{})
	}
	return t
}

// A recipe makes exactly the image that the transforms make from the same random choices.
func TestRecipesAreTransforms(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	drafted := 0
	for i := range 1500 {
		m := noise(1+rng.IntN(40), 1+rng.IntN(40), 1+2*rng.IntN(2))
		tf, seed := randomPipeline(rng), rng.Uint64()
		d := newDraft(m.H, m.W, m.C)
		if !d.add(tf, rand.New(rand.NewPCG(seed, 0))) {
			continue
		}
		if r, _ := d.recipe(1); r.Rows.Cut > augment.MaxScale*r.Rows.Size || r.Cols.Cut > augment.MaxScale*r.Cols.Size {
			continue
		}
		drafted++
		want := apply(tf, m, seed)
		h, w := d.size()
		require.Equal(t, []int{want.H, want.W}, []int{h, w})
		require.Equal(t, want.Pix, render(t, d, m), "%d: %#v of %d×%d×%d", i, tf, m.H, m.W, m.C)
	}
	require.Greater(t, drafted, 1000)
}

// All augmentations that package train uses have recipes. Transforms that no recipe can express
// have none.
func TestDrafts(t *testing.T) {
	photos, small := Info{C: 3}, Info{H: 32, W: 32, C: 3, Mirror: true}
	for _, info := range []Info{photos, small} {
		for _, tf := range []Transform{TrainTransform(info, 48, 40), Fit{H: 48, W: 40}, Fit{H: 48, W: 40, Resize: 50}} {
			require.True(t, drafts(tf, info))
		}
	}
	require.True(t, drafts(Pipeline{Resize{32, 32}, Flip{}, RandomCrop{4, 32, 32}, Cutout{Size: 8}}, small))
	for name, tf := range map[string]Transform{
		"a user's transform":        Pipeline{Flip{}, slow{Pipeline{}}}, // it embeds one of ours
		"two resizes":               Pipeline{Resize{40, 40}, Resize{32, 32}},
		"a cut after colours":       Pipeline{Jitter{Contrast: 1}, RandomCrop{4, 32, 32}},
		"colours after a patch":     Pipeline{Cutout{Size: 8}, Jitter{Contrast: 1}},
		"a resize after a patch":    Pipeline{Cutout{Size: 8}, Resize{40, 40}},
		"a user's, not in pipeline": cutOut{0, 0, 4, 4},
	} {
		require.False(t, drafts(tf, small), name)
	}
}

// photos are images of many sizes. One is larger than a batch has room for, and one is too narrow
// for a recipe.
type photos struct{ numbered }

func (photos) Info() Info {
	return Info{Name: "photos", Classes: []string{"a", "b", "c"}, C: 3}
}

func (s photos) Decode(i int, dst *Image) (int32, error) {
	if err := s.bad[i]; err != nil {
		return 0, err
	}
	h, w := 20+i*13%50, 20+i*7%60
	switch i {
	case 3:
		h, w = 600, 1200
	case 5:
		h, w = 1, 700
	}
	*dst = *noise(h, w, 3)
	return int32(i % 3), nil
}

// rendered returns a batch's images, whether the loader or a recipe makes them.
func rendered(b *Batch) []byte {
	if b.Recipes == nil {
		return b.Pixels
	}
	var s augment.Resampler
	size := b.H * b.W * b.C
	out := make([]byte, b.N*size)
	for i := range b.Recipes {
		s.Render(out[i*size:][:size], b.H, b.W, b.C, &b.Recipes[i], b.Regions)
	}
	return out
}

// A loader that defers gives the same images, labels and errors. Among the images are some that
// cannot be read, that no recipe can express, and for which a batch has no room.
func TestLoaderDefers(t *testing.T) {
	bad := map[int]error{8: fileError("8.jpg", errors.New("bad"), ""), 9: fileError("9.jpg", errors.New("bad"), "")}
	for i, c := range []struct {
		src Source
		tf  Transform
	}{
		{photos{numbered{n: 22, bad: bad}}, Pipeline{RandomResizedCrop{17, 19}, Flip{}, Jitter{0.4, 0.4, 0.4}}},
		{photos{numbered{n: 22, bad: bad}}, Fit{H: 16, W: 16, Resize: 18}},
		{numbered{n: 22, bad: bad}, augmented},
		{numbered{n: 22}, Pipeline{RandomCrop{Pad: 1, H: 4, W: 4}, Flip{}, Resize{9, 9}}},
	} {
		opt := LoaderOptions{Batch: 4, Shuffle: i%2 == 0, Seed: uint64(i), SkipBad: true, Workers: 3}
		want := newLoader(t, c.src, c.tf, opt)
		opt.Defer = true
		got := newLoader(t, c.src, c.tf, opt)
		require.Zero(t, want.Regions())
		require.Positive(t, got.Regions())
		for epoch := range 2 {
			var all []*Batch
			for b, err := range want.Epoch(context.Background(), epoch, 0) {
				require.NoError(t, err)
				all = append(all, b)
			}
			n := 0
			for b, err := range got.Epoch(context.Background(), epoch, 0) {
				require.NoError(t, err)
				w := all[n]
				n++
				require.Nil(t, b.Pixels)
				require.LessOrEqual(t, len(b.Regions), got.Regions())
				for _, r := range b.Recipes {
					require.NoError(t, r.Check(b.H, b.W, b.C, len(b.Regions)))
				}
				require.Equal(t, w.Pixels, rendered(b), "batch %d", n)
				require.Equal(t, w.Labels, b.Labels)
				require.Equal(t, w.Rows, b.Rows)
				require.Equal(t, fmt.Sprint(w.Skipped), fmt.Sprint(b.Skipped))
				b.Release()
			}
			require.Len(t, all, n)
		}
	}
	require.Zero(t, newLoader(t, numbered{n: 9}, slow{}, LoaderOptions{Batch: 2, Defer: true}).Regions(), "a user's transform is applied")
}

// A region without room in the batch leaves room for its finished image, and for all others.
func TestPlace(t *testing.T) {
	j := &job{spare: 10}
	at, ok := j.place(7, 10)
	require.True(t, ok)
	require.Equal(t, 0, at)
	_, ok = j.place(21, 10)
	require.False(t, ok)
	at, ok = j.place(20, 10)
	require.True(t, ok)
	require.Equal(t, 7, at)
	_, ok = j.place(11, 10)
	require.False(t, ok)
	at, ok = j.place(10, 10)
	require.True(t, ok)
	require.Equal(t, 27, at)
}

func BenchmarkDeferRow(b *testing.B) {
	m := noise(375, 500, 3)
	tf := Pipeline{RandomResizedCrop{224, 224}, Flip{}, Jitter{0.4, 0.4, 0.4}}
	l, err := NewLoader(photos{numbered{n: 9}}, tf, LoaderOptions{Batch: 1, Defer: true})
	require.NoError(b, err)
	var p worker
	p.r = rand.New(&p.pcg)
	j := &job{batch: l.pool.get()}
	for i := 0; b.Loop(); i++ {
		p.Image = m
		j.used, j.spare = 0, l.pool.regions
		l.seed(&p, 0, i)
		l.need(m.H, m.W, j.batch, &p)
		l.draw(j, 0, &p, all(m))
	}
}
