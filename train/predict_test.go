package train

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
)

// damagedBars are numbered bars, some of which cannot be read.
type damagedBars struct {
	numberedBars
	bad map[int]bool
}

func (s damagedBars) Decode(i int, dst *dataset.Image) (int32, error) {
	if s.bad[i] {
		return 0, &dataset.FileError{File: "bad.png", Offset: -1, Record: i, Err: errors.New("is bad")}
	}
	return s.numberedBars.Decode(i, dst)
}

// Answers come in the images' order, including those for images that cannot be read, and equal
// those of the cascade.
func TestPredict(t *testing.T) {
	e, c := cascadeRun(t, 0)
	const n = 61
	bad := map[int]bool{0: true, 7: true, n - 1: true}
	for i := 16; i < 32; i++ { // whole batches are bad
		bad[i] = true
	}
	for _, rule := range []exits.Rule{{}, {Criterion: exits.Confidence, Thresholds: []float64{0.3}}, {Criterion: exits.Confidence, Thresholds: []float64{0}}} {
		e.Test = numberedBars{bars{n, -1}}
		e.Config.Batch = 8
		type answer struct {
			exit          int
			probabilities []float64
		}
		want := make([]answer, n)
		_, err := e.Cascade(context.Background(), c, rule, func(d exits.Departure) {
			want[d.Label] = answer{d.Exit, append([]float64(nil), d.Probabilities...)}
		})
		require.NoError(t, err)
		for _, damaged := range []map[int]bool{nil, bad} {
			e.Test = damagedBars{numberedBars{bars{n, -1}}, damaged}
			for _, batch := range []int{1, 4, 8, n, 2 * n} {
				e.Config.Batch = batch
				next := 0
				err := e.Predict(context.Background(), c, rule, func(a Answer) error {
					require.Equal(t, next, a.Image)
					next++
					if damaged[a.Image] {
						require.ErrorContains(t, a.Err, "is bad")
						return nil
					}
					require.NoError(t, a.Err)
					require.Equal(t, want[a.Image].exit, a.Exit)
					require.InDeltaSlice(t, want[a.Image].probabilities, a.Probabilities, 1e-6)
					return nil
				})
				require.NoError(t, err)
				require.Equal(t, n, next, "batches of %d", batch)
			}
		}
	}
	stop := errors.New("stop")
	require.ErrorIs(t, e.Predict(context.Background(), c, exits.Rule{}, func(Answer) error { return stop }), stop)
}

// An image that waits for others at a later stage holds up only some batches behind it.
func TestPredictDoesNotWaitForEver(t *testing.T) {
	e, c := cascadeRun(t, 0)
	const n, batch = 400, 4
	e.Config.Batch, e.Config.Workers = batch, 1
	var confidence [2]float64
	e.Test = numberedBars{bars{2, -1}}
	_, err := e.Cascade(context.Background(), c, exits.Rule{}, func(d exits.Departure) { confidence[d.Label] = d.Guesses[0].Confidence })
	require.NoError(t, err)
	require.NotEqual(t, confidence[0], confidence[1])
	odd := 0 // index of the image that stays, among others that leave
	if confidence[1] < confidence[0] {
		odd = 1
	}
	rule := exits.Rule{Criterion: exits.Confidence, Thresholds: []float64{(confidence[0] + confidence[1]) / 2, 1}}
	var seen atomic.Int64
	e.Test = oddBars{numberedBars{bars{n, -1}}, odd, &seen}
	told, way := 0, 0
	e.Report = func(event Event) {
		if p, ok := event.(Evaluating); ok {
			way = max(way, p.Images)
		}
	}
	err = e.Predict(context.Background(), c, rule, func(a Answer) error {
		require.Equal(t, told == 1, a.Exit > 0)
		told++
		require.Less(t, int(seen.Load())-a.Image, (heldBatches+6)*batch, "image %d when %d have been read", a.Image, seen.Load())
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, n, told)
	require.Greater(t, way, n/2, "the way is reported")
}

// oddBars are all the same except for one, and record the latest image that was read.
type oddBars struct {
	numberedBars
	odd  int
	seen *atomic.Int64
}

func (s oddBars) Decode(i int, dst *dataset.Image) (int32, error) {
	s.seen.Store(int64(i))
	which := 1 - s.odd
	if i == 1 {
		which = s.odd
	}
	_, err := s.numberedBars.Decode(which, dst)
	return int32(i), err
}
