package dataset

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// counting is a source of images of different sizes that counts what it decodes.
type counting struct {
	memory
	decoded atomic.Int64
}

func (c *counting) Len() int { return 40 }

func (c *counting) Decode(i int, dst *Image) (int32, error) {
	c.decoded.Add(1)
	if i == 7 {
		return 0, fmt.Errorf("bad")
	}
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	dst.Reshape(1+rng.IntN(30), 1+rng.IntN(30), 3)
	for j := range dst.Pix {
		dst.Pix[j] = byte(rng.Uint32())
	}
	return int32(i % 5), nil
}

// Several goroutines get the pixels as they were decoded, and each image is decoded once as long as
// the budget lasts.
func TestCache(t *testing.T) {
	var all int64
	var img Image
	for i := range 40 {
		if _, err := new(counting).Decode(i, &img); err == nil {
			all += int64(len(img.Pix))
		}
	}
	for _, budget := range []int64{1, all / 2, all, 1 << 30} {
		src, left := &counting{}, new(atomic.Int64)
		left.Store(budget)
		c := withCache(src, left)
		pass := func() int64 {
			before := src.decoded.Load()
			var running sync.WaitGroup
			for worker := range 4 {
				running.Go(func() {
					var got, want Image
					for i := worker; i < 40; i += 4 {
						label, err := c.Decode(i, &got)
						wantLabel, wantErr := new(counting).Decode(i, &want)
						if i == 7 {
							require.Equal(t, wantErr, err)
							continue
						}
						require.NoError(t, err)
						require.Equal(t, wantLabel, label)
						require.Equal(t, want, Image{Pix: got.Pix, H: got.H, W: got.W, C: got.C})
						got.Pix[0]++ // the caller's memory is separate
					}
				})
			}
			running.Wait()
			return src.decoded.Load() - before
		}
		require.EqualValues(t, 40, pass())
		again := pass()
		require.GreaterOrEqual(t, left.Load(), int64(0))
		switch budget {
		case 1:
			require.EqualValues(t, 40, again)
		case all / 2:
			require.Less(t, again, int64(35))
			require.Greater(t, again, int64(10))
		default:
			require.EqualValues(t, 1, again, "the bad one is tried again")
		}
		c.close()
		require.Equal(t, budget, left.Load())
		require.EqualValues(t, 40, pass())
		c.close()
	}
}

// Files of a folder are read once: after they are removed the second epoch has the same images, for
// any number of channels.
func TestFolderIsReadOnce(t *testing.T) {
	for _, channels := range []int{0, 1} {
		files := map[string][]byte{}
		for i := range 6 {
			files[fmt.Sprintf("train/a/%d.png", i)] = pngFile(t, pattern(3+i, 5))
			files[fmt.Sprintf("train/b/%d.jpg", i)] = jpegFile(t, 5, 4+i)
			files[fmt.Sprintf("val/b/%d.jpg", i)] = jpegFile(t, 6, 4+i)
		}
		dir := tree(t, files)
		set, err := openTree(dir, OpenOptions{Cache: 1 << 20, Channels: channels})
		require.NoError(t, err)
		require.EqualValues(t, 1<<20, set.Cache)
		read := func() (all []Image) {
			for _, s := range []Source{set.Train, set.Test} {
				for i := range s.Len() {
					var img Image
					if _, err := s.Decode(i, &img); err == nil {
						all = append(all, img)
					}
				}
			}
			return all
		}
		first := read()
		require.Len(t, first, 18)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "train", "a")))
		require.Equal(t, first, read())
		set.Close()
		require.Len(t, read(), 12, "the files are gone, and so is the memory")
		set.Close()
	}
}

// BenchmarkFolder loads photographs of 500×375 pixels from a folder, first without and then with
// the cache filled.
func BenchmarkFolder(b *testing.B) {
	const images = 64
	files := map[string][]byte{}
	for i := range images {
		files[fmt.Sprintf("train/%d/%d.jpg", i%2, i)] = jpegFile(b, 500, 375)
	}
	files["val/0/0.jpg"], files["val/1/0.jpg"] = jpegFile(b, 8, 8), jpegFile(b, 8, 8)
	dir := tree(b, files)
	for name, cache := range map[string]int64{"decoded": 0, "kept": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			set, err := openTree(dir, OpenOptions{Cache: cache})
			require.NoError(b, err)
			defer set.Close()
			l, err := NewLoader(set.Train, Pipeline{RandomResizedCrop{H: 224, W: 224}}, LoaderOptions{Batch: images, Defer: true})
			require.NoError(b, err)
			epoch := func(n int) {
				for batch, err := range l.Epoch(context.Background(), n, 0) {
					require.NoError(b, err)
					batch.Release()
				}
			}
			epoch(0)
			n := 0
			for b.Loop() {
				n++
				epoch(n)
			}
			b.ReportMetric(float64(images*n)/b.Elapsed().Seconds(), "img/s")
		})
	}
}

// Slabs leave less than an image's size of the budget unused, whatever the images' sizes.
func TestSlabsLeaveNoGaps(t *testing.T) {
	for _, n := range []int{1, 33 << 10, 3 << 20, 36 << 20, 65 << 20} {
		budget := new(atomic.Int64)
		budget.Store(256 << 20)
		s := slabs{budget: budget}
		taken := 0
		for s.take(max(n, 1<<16)) != nil {
			taken += max(n, 1<<16)
		}
		require.Greater(t, taken+max(n, 1<<16), 256<<20*15/16, "images of %d bytes", n)
		s.free()
		require.EqualValues(t, 256<<20, budget.Load())
	}
}
