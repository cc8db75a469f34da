package dataset

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// photoFile returns a JPEG of noise, in which every pixel matters.
func photoFile(t testing.TB, w, h int, seed uint64) []byte {
	m := pattern(w, h)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range m.Pix {
		m.Pix[i] += byte(rng.UintN(60))
	}
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, m, &jpeg.Options{Quality: 80}))
	return out.Bytes()
}

// photoTree writes photographs of many sizes in two classes. Some files are damaged in the middle,
// cut, turned, or not JPEGs.
func photoTree(t testing.TB) string {
	files := map[string][]byte{}
	for i := range 24 {
		name := fmt.Sprintf("train/%c/%02d.jpg", 'a'+i%2, i)
		data := photoFile(t, 20+i*37%150, 20+i*53%170, uint64(i))
		switch i {
		case 5, 6:
			copy(data[len(data)*3/4:], bytes.Repeat([]byte{0x55}, 30))
		case 7:
			data = data[:len(data)*3/4]
		case 8:
			data = pngFile(t, pattern(90, 70))
		case 9, 10:
			exif := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
			data = append(append(bytes.Clone(data[:2]), exif...), data[2:]...)
		}
		files[name] = data
	}
	files["val/a/1.jpg"], files["val/b/1.jpg"] = photoFile(t, 50, 40, 100), photoFile(t, 60, 90, 101)
	return tree(t, files)
}

// mine is a user's transform, which no recipe can express.
type mine struct{ RandomResizedCrop }

// epochs returns all images and labels that a loader makes in two epochs, and the images it
// skipped.
func epochs(t *testing.T, l *Loader) (out []string) {
	t.Helper()
	for epoch := range 2 {
		for b, err := range l.Epoch(context.Background(), epoch, 0) {
			require.NoError(t, err)
			out = append(out, fmt.Sprintf("%x %v %v", rendered(b), b.Labels, b.Skipped))
			b.Release()
		}
	}
	return out
}

// An image does not depend on the cache's content, on the number of workers, on whether the host or
// a device resizes it, nor on how much of it is decoded. It is what the transforms make of the
// whole image.
func TestPiecesAreOfTheWhole(t *testing.T) {
	dir := photoTree(t)
	for name, tf := range map[string]Transform{
		"crop":      Pipeline{RandomResizedCrop{17, 19}, Flip{}, Jitter{0.4, 0.4, 0.4}},
		"eval":      Fit{H: 16, W: 16, Resize: 18},
		"pad":       Pipeline{RandomCrop{Pad: 5, H: 40, W: 44}, Flip{}, Resize{18, 18}},
		"no pieces": mine{RandomResizedCrop{17, 19}},
	} {
		var upright []string
		for i := range 4 {
			scaled, turned := i%2 == 1, i/2 == 1
			var want []string
			for _, opt := range []struct {
				cache   int64
				workers int
				defer_  bool
			}{{0, 1, false}, {0, 3, false}, {1 << 30, 2, false}, {200_000, 4, false}, {0, 2, true}, {100_000, 2, true}, {1 << 30, 3, true}} {
				set, err := openTree(dir, OpenOptions{Cache: opt.cache, Orientation: turned})
				require.NoError(t, err)
				l := newLoader(t, set.Train, tf, LoaderOptions{Batch: 5, Shuffle: true, Seed: 3, SkipBad: true, Scaled: scaled, Workers: opt.workers, Defer: opt.defer_})
				got := epochs(t, l)
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%s, scaled %v, turned %v, %+v", name, scaled, turned, opt)
				if !scaled { // the source decodes whole images here
					l := newLoader(t, struct{ Source }{set.Train}, tf, LoaderOptions{Batch: 5, Shuffle: true, Seed: 3, SkipBad: true})
					l.recipes = false
					require.Equal(t, want, epochs(t, l), name)
				}
				set.Close()
			}
			switch i {
			case 0:
				upright = want
			case 2:
				require.NotEqual(t, upright, want, "images are turned")
			}
		}
	}
}

// If images may be decoded smaller, a cache changes nothing, whatever is drawn. Cuts that already
// have the right size, and cuts too large for a recipe, need whole images, which must not be kept
// for the others.
func TestScaledWithACache(t *testing.T) {
	if name, why := JPEGDecoder(); name == "Go" {
		t.Skip(why)
	}
	for name, c := range map[string]struct {
		side   int
		images int
		tf     Transform
	}{
		"cuts of the right size":     {8, 20, RandomResizedCrop{2, 2}},
		"cuts too large for recipes": {700, 3, RandomResizedCrop{16, 16}},
	} {
		files := map[string][]byte{"val/a/1.jpg": photoFile(t, 20, 20, 98), "val/b/1.jpg": photoFile(t, 20, 20, 99)}
		for i := range c.images {
			files[fmt.Sprintf("train/%c/%d.jpg", 'a'+i%2, i)] = photoFile(t, c.side, c.side, uint64(i))
		}
		dir := tree(t, files)
		for _, deferred := range []bool{false, true} {
			var want []string
			for _, cache := range []int64{0, 1 << 30} {
				set, err := openTree(dir, OpenOptions{Cache: cache})
				require.NoError(t, err)
				l := newLoader(t, set.Train, Pipeline{c.tf, Flip{}}, LoaderOptions{Batch: 1, Shuffle: true, Seed: 3, Scaled: true, Workers: 1, Defer: deferred})
				var got []string
				for range 3 { // repeat the epochs with what the cache has kept by then
					got = append(got, epochs(t, l)...)
				}
				set.Close()
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%s, deferred %v", name, deferred)
			}
		}
	}
}

// asked is a source that records what it was asked for.
type asked struct {
	pieceSource
	needs  *[]need
	pieces *[]piece
}

func (a asked) decodePiece(i int, ask func(h, w int) need, dst *Image) (int32, piece, error) {
	label, p, err := a.pieceSource.decodePiece(i, func(h, w int) need {
		n := ask(h, w)
		*a.needs = append(*a.needs, n)
		return n
	}, dst)
	*a.pieces = append(*a.pieces, p)
	return label, p, err
}

// Only the part that a crop needs is decoded, and at a smaller size if that is wanted and the crop
// still has enough pixels.
func TestPiecesAreSmall(t *testing.T) {
	if name, why := JPEGDecoder(); name == "Go" {
		t.Skip(why)
	}
	dir := tree(t, map[string][]byte{
		"train/a/1.jpg": photoFile(t, 640, 480, 1), "train/b/1.jpg": photoFile(t, 60, 50, 2), "val/a/1.jpg": photoFile(t, 64, 48, 3), "val/b/1.jpg": photoFile(t, 64, 48, 4),
	})
	for _, scaled := range []bool{false, true} {
		set, err := openTree(dir, OpenOptions{})
		require.NoError(t, err)
		var needs []need
		var pieces []piece
		src := asked{set.Train.(pieceSource), &needs, &pieces}
		l := newLoader(t, src, Pipeline{RandomResizedCrop{32, 32}}, LoaderOptions{Batch: 1, Scaled: scaled, Workers: 1})
		smaller, sum := 0, 0
		var img Image
		for epoch := range 30 {
			for b, err := range l.Epoch(context.Background(), epoch, 0) {
				require.NoError(t, err)
				b.Release()
			}
		}
		require.Len(t, pieces, 60)
		for i, p := range pieces {
			n := needs[i]
			require.Equal(t, n.shrink, p.shrink)
			_, got, err := src.pieceSource.decodePiece(i%2, func(int, int) need { return n }, &img)
			require.NoError(t, err)
			require.Equal(t, p, got)
			require.Equal(t, n.box.h, img.H, "no more rows")
			require.LessOrEqual(t, img.W, n.box.w+36, "few more columns")
			require.Equal(t, scaled && i%2 == 0, n.shrinks)
			if n.shrink > 1 {
				require.True(t, scaled && i%2 == 0)
				require.GreaterOrEqual(t, n.box.h, 32)
				require.GreaterOrEqual(t, n.box.w, 32)
				require.True(t, n.shrink == 8 || n.box.h < 64+2 || n.box.w < 64+2, "%+v could be smaller", n)
				smaller++
			}
			sum += img.H * img.W
		}
		require.Equal(t, scaled, smaller > 20)
		t.Log(scaled, smaller, sum/len(pieces))
	}
}
