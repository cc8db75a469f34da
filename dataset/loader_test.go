package dataset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// collect copies the batches of an epoch and releases each.
func collect(t *testing.T, l *Loader, epoch, first int) []*Batch {
	var out []*Batch
	for b, err := range l.Epoch(context.Background(), epoch, first) {
		require.NoError(t, err)
		c := *b
		c.home, c.Pixels, c.Labels = nil, slices.Clone(b.Pixels), slices.Clone(b.Labels)
		out = append(out, &c)
		b.Release()
		b.Release() // harmless
	}
	return out
}

func newLoader(t *testing.T, src Source, tf Transform, opt LoaderOptions) *Loader {
	l, err := NewLoader(src, tf, opt)
	require.NoError(t, err)
	return l
}

var augmented = Pipeline{RandomCrop{Pad: 1, H: 4, W: 4}, Flip{}, Jitter{Brightness: 0.5}}

func TestLoaderSameForAnyWorkers(t *testing.T) {
	var want []*Batch
	for _, workers := range []int{1, 2, 5} {
		l := newLoader(t, numbered{n: 103}, augmented, LoaderOptions{Batch: 8, Shuffle: true, Seed: 3, Workers: workers, DropLast: true})
		got := append(collect(t, l, 0, 0), collect(t, l, 1, 0)...)
		require.Len(t, got, 2*12)
		if want == nil {
			want = got
		}
		require.Equal(t, want, got, "%d workers", workers)
	}
	require.NotEqual(t, want[0].Pixels, want[12].Pixels, "epochs differ")
}

func TestLoaderResume(t *testing.T) {
	opt := LoaderOptions{Batch: 8, Shuffle: true, Seed: 3, Workers: 3}
	whole := collect(t, newLoader(t, numbered{n: 50}, augmented, opt), 4, 0)
	require.Len(t, whole, 7)
	for first := range 8 {
		rest := collect(t, newLoader(t, numbered{n: 50}, augmented, opt), 4, first)
		require.Len(t, rest, 7-first)
		for i, b := range rest {
			require.Equal(t, whole[first+i], b)
		}
	}
}

func TestLoaderShuffle(t *testing.T) {
	l := newLoader(t, numbered{n: 40}, nil, LoaderOptions{Batch: 10, Shuffle: true, Seed: 1})
	order := func(epoch int) []int {
		var firsts []int
		for _, b := range collect(t, l, epoch, 0) {
			for row := range b.N {
				firsts = append(firsts, int(b.Pixels[row*16]))
			}
		}
		return firsts
	}
	first, second := order(0), order(1)
	require.NotEqual(t, first, second)
	require.Equal(t, first, order(0))
	slices.Sort(first)
	for i, v := range first {
		require.Equal(t, i, v, "each sample once")
	}
}

func TestLoaderLastBatch(t *testing.T) {
	l := newLoader(t, numbered{n: 10}, nil, LoaderOptions{Batch: 4})
	require.Equal(t, 3, l.Batches())
	n, h, w, c := l.Shape()
	require.Equal(t, []int{4, 4, 4, 1}, []int{n, h, w, c})
	// The second pass reuses memory, so its padding must be cleared.
	for range 2 {
		batches := collect(t, l, 0, 0)
		last := batches[2]
		require.Equal(t, 2, last.Rows)
		require.Equal(t, []int32{2, 0, Ignored, Ignored}, last.Labels)
		require.Equal(t, make([]byte, 2*16), last.Pixels[2*16:])
		require.Equal(t, []int{0, 2}, []int{last.Epoch, last.Index})
	}
	require.Equal(t, 2, newLoader(t, numbered{n: 10}, nil, LoaderOptions{Batch: 4, DropLast: true}).Batches())
}

func TestLoaderErrorsInOrder(t *testing.T) {
	src := numbered{n: 40, bad: map[int]error{
		17: fileError("17.jpg", errors.New("bad"), ""),
		19: fileError("19.jpg", errors.New("bad"), ""),
		33: fileError("33.jpg", errors.New("bad"), ""),
	}}
	for range 20 {
		l := newLoader(t, src, nil, LoaderOptions{Batch: 8, Workers: 4})
		good := 0
		var failed error
		for b, err := range l.Epoch(context.Background(), 0, 0) {
			require.NoError(t, failed, "nothing follows an error")
			if failed = err; err != nil {
				require.Nil(t, b)
				continue
			}
			require.Equal(t, good, b.Index)
			good++
		}
		require.Equal(t, 2, good)
		require.ErrorContains(t, failed, "17.jpg")
	}
}

func TestLoaderSkip(t *testing.T) {
	src := numbered{n: 10, bad: map[int]error{}}
	for _, i := range []int{0, 2, 5} {
		src.bad[i] = fileError(fmt.Sprint(i, ".jpg"), errors.New("bad"), "")
	}
	opt := LoaderOptions{Batch: 4, Workers: 3, SkipBad: true}
	for range 2 {
		batches := collect(t, newLoader(t, src, nil, opt), 0, 0)
		require.Len(t, batches, 3)
		require.Equal(t, []int32{1, 0, Ignored, Ignored}, batches[0].Labels) // samples 1 and 3
		require.Equal(t, []byte{1, 3, 0, 0}, []byte{batches[0].Pixels[0], batches[0].Pixels[16], batches[0].Pixels[32], batches[0].Pixels[48]})
		require.Equal(t, []int{2, 3, 2}, []int{batches[0].Rows, batches[1].Rows, batches[2].Rows})
		require.Len(t, batches[0].Skipped, 2)
		require.ErrorContains(t, batches[1].Skipped[0], "5.jpg")
		require.Empty(t, batches[2].Skipped)
	}

	// A batch without any image, and errors that are not a file's, still fail.
	for i := range 4 {
		src.bad[i] = fileError("x.jpg", errors.New("bad"), "")
	}
	_, err := firstBatch(newLoader(t, src, nil, opt))
	require.ErrorContains(t, err, "none of the 4 images of batch 0 could be read, the first: x.jpg")
	broken := errors.New("broken source")
	_, err = firstBatch(newLoader(t, numbered{n: 10, bad: map[int]error{1: broken}}, nil, opt))
	require.ErrorIs(t, err, broken)
}

func firstBatch(l *Loader) (*Batch, error) {
	for b, err := range l.Epoch(context.Background(), 0, 0) {
		return b, err
	}
	return nil, nil
}

// wrong is a source or a transform that violates its contract.
type wrong struct {
	numbered
	label   int32
	c, h, w int
}

func (s wrong) Decode(_ int, dst *Image) (int32, error) {
	dst.Reshape(s.h, s.w, s.c)
	return s.label, nil
}

func TestLoaderBrokenSource(t *testing.T) {
	for text, src := range map[string]wrong{
		"label 3, there are 3 classes": {numbered{n: 9}, 3, 1, 4, 4},
		"label -1":                     {numbered{n: 9}, -1, 1, 4, 4},
		"4×4 with 3 channels, not 1":   {numbered{n: 9}, 0, 3, 4, 4},
		"0×4 with":                     {numbered{n: 9}, 0, 1, 0, 4},
		"came out as 5×4×1, not 4×4×1": {numbered{n: 9}, 0, 1, 5, 4},
	} {
		_, err := firstBatch(newLoader(t, src, nil, LoaderOptions{Batch: 2}))
		require.ErrorContains(t, err, text)
	}
}

func TestNewLoaderErrors(t *testing.T) {
	varying := wrong{numbered: numbered{n: 9}}
	for text, c := range map[string]struct {
		src Source
		tf  Transform
		opt LoaderOptions
	}{
		"images differ in size":       {varyingSize{varying}, nil, LoaderOptions{Batch: 1}},
		"a batch of 0 images":         {numbered{n: 9}, nil, LoaderOptions{}},
		"-1 workers":                  {numbered{n: 9}, nil, LoaderOptions{Batch: 1, Workers: -1}},
		"no images":                   {numbered{}, nil, LoaderOptions{Batch: 1}},
		"choose a batch of at most 9": {numbered{n: 9}, nil, LoaderOptions{Batch: 10, DropLast: true}},
		"numbered: Resize to 0×0":     {numbered{n: 9}, Resize{}, LoaderOptions{Batch: 1}},
	} {
		_, err := NewLoader(c.src, c.tf, c.opt)
		require.ErrorContains(t, err, text)
	}
	for b, err := range newLoader(t, numbered{n: 9}, nil, LoaderOptions{Batch: 3}).Epoch(context.Background(), 0, 4) {
		require.Nil(t, b)
		require.ErrorContains(t, err, "no batch 4 in an epoch of 3")
	}
}

type varyingSize struct{ Source }

func (s varyingSize) Info() Info {
	info := s.Source.Info()
	info.H, info.W = 0, 0
	return info
}

func TestLoaderCancelAndBreak(t *testing.T) {
	before := runtime.NumGoroutine()
	l := newLoader(t, numbered{n: 1000}, slow{}, LoaderOptions{Batch: 4, Workers: 4})

	n := 0
	for range l.Epoch(context.Background(), 0, 0) {
		if n++; n == 3 {
			break
		}
	}
	requireGoroutines(t, before, "after break")

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	n = 0
	for b, err := range l.Epoch(ctx, 0, 0) {
		if last = err; err == nil {
			b.Release()
		}
		if n++; n == 3 {
			cancel()
		}
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Equal(t, 4, n)
	requireGoroutines(t, before, "after cancel")

	for _, err := range l.Epoch(ctx, 0, 0) {
		require.ErrorIs(t, err, context.Canceled)
	}
	requireGoroutines(t, before, "cancelled before")
}

// requireGoroutines waits until goroutines that have done their work are gone.
func requireGoroutines(t *testing.T, want int, when string) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.Equal(t, want, runtime.NumGoroutine(), when)
}

// slow takes a little time for each image.
type slow struct{ Pipeline }

func (slow) Apply(*Work, *rand.Rand) { time.Sleep(100 * time.Microsecond) }

func TestLoaderRecyclesMemory(t *testing.T) {
	l := newLoader(t, numbered{n: 400}, nil, LoaderOptions{Batch: 4, Workers: 2})
	seen := map[*byte]bool{}
	for b, err := range l.Epoch(context.Background(), 0, 0) {
		require.NoError(t, err)
		seen[&b.Pixels[0]] = true
		b.Release()
	}
	require.LessOrEqual(t, len(seen), defaultPrefetch+3)
}

// The random streams are part of the meaning of a run's seed: changing them makes old runs
// unrepeatable.
func TestRandomStreamsStay(t *testing.T) {
	l := newLoader(t, numbered{n: 6}, nil, LoaderOptions{Batch: 6, Shuffle: true, Seed: 42})
	require.Equal(t, []int{5, 2, 0, 1, 4, 3}, l.order(7))
	var pcg rand.PCG
	seedFrom(&pcg, streamAugment, 42, 7, 3)
	require.Equal(t, uint64(0x672441132b8a5545), pcg.Uint64())
}

func BenchmarkLoaderCIFAR(b *testing.B) {
	src := &memory{info: cifar10Info, pix: make([]byte, 4096*3*cifarPlane), labels: make([]uint8, 4096)}
	l, err := NewLoader(src, TrainTransform(src.info, 32, 32), LoaderOptions{Batch: 128, Shuffle: true, DropLast: true})
	require.NoError(b, err)
	images := 0
	for b.Loop() {
		for batch, err := range l.Epoch(context.Background(), 0, 0) {
			if err != nil {
				b.Fatal(err)
			}
			images += batch.Rows
			batch.Release()
		}
	}
	b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "img/s")
}
