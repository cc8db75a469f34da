package train

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
)

// named is bars whose Info has a sum over the files.
type named struct {
	bars
	files string
}

func (s named) Info() dataset.Info {
	i := s.bars.Info()
	i.Files = s.files
	return i
}

func set(train, test int) *dataset.Set {
	return &dataset.Set{Train: bars{train, -1}, Test: bars{test, -1}}
}

// cutRun interrupts a run after a number of updates and returns its folder.
func cutRun(t *testing.T, c Config, data *dataset.Set, steps int) *Folder {
	t.Helper()
	s, r := setup(t, c)
	s.Data = data
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.onEvent = func(e Event) {
		if e, ok := e.(Stepped); ok && e.Step == steps {
			cancel()
		}
	}
	f := folder(t, c)
	_, err := trainer(t, s).Run(ctx, f)
	require.ErrorAs(t, err, new(*InterruptedError))
	return f
}

// goOn resumes a run to its end.
func goOn(t *testing.T, c Config, data *dataset.Set, f *Folder) (*Trainer, *recorder) {
	t.Helper()
	s, r := setup(t, c)
	s.Data = data
	ck, err := OpenCheckpoint(f.Last())
	require.NoError(t, err)
	defer ck.Close()
	s.Resume = ck
	tr := trainer(t, s)
	_, err = tr.Run(t.Context(), f)
	require.NoError(t, err)
	return tr, r
}

// A run whose images have changed goes on, says so, and completes every epoch. The count of updates
// goes on; schedules follow the epochs.
func TestResumeWithOtherData(t *testing.T) {
	c := tinyConfig() // 52 images in batches of 8: 6 updates an epoch
	c.Epochs, c.LogEvery = 3, 1
	for name, x := range map[string]struct {
		cut   int
		data  *dataset.Set
		want  string
		steps []int // the updates at which epochs end
	}{
		"an image less":     {8, set(51, 22), "52 → 51 training images; the run goes on in epoch 2 after update 2 of 6", []int{6, 12, 18}},
		"an epoch shorter":  {8, set(47, 22), "52 → 47 training images; the run goes on in epoch 2 after update 2 of 5", []int{6, 11, 16}},
		"position clipped":  {11, set(24, 22), "52 → 24 training images; the run goes on in epoch 2 after update 3 of 3", []int{6, 11, 14}},
		"more images":       {8, set(80, 22), "52 → 80 training images; the run goes on in epoch 2 after update 2 of 10", []int{6, 16, 26}},
		"fewer test images": {8, set(52, 20), "22 → 20 test images", []int{6, 12, 18}},
		"other files": {8, &dataset.Set{Train: named{bars{52, -1}, "b"}, Test: bars{22, -1}},
			"other files among the 52 training images", []int{6, 12, 18}},
		"no change": {8, set(52, 22), "", []int{6, 12, 18}},
	} {
		t.Run(name, func(t *testing.T) {
			f := cutRun(t, c, set(52, 22), x.cut)
			tr, r := goOn(t, c, x.data, f)
			var warned string
			for _, w := range ofType[Warning](r) {
				require.Equal(t, "data", w.Kind)
				warned += w.Message
			}
			if x.want == "" {
				require.Empty(t, warned)
			}
			require.Contains(t, warned, x.want)
			_, epochs, err := f.ReadLog()
			require.NoError(t, err)
			var steps []int
			for _, e := range epochs {
				steps = append(steps, e.Step)
			}
			require.Equal(t, x.steps, steps)
			all := ofType[Stepped](r)
			last := all[len(all)-1]
			require.Equal(t, last.Step, last.Steps, "the run has the updates that it said")
			require.Equal(t, tr.rate.at(tr.rate.total-1), last.LR, "the cosine ends with the last epoch")
			require.True(t, tr.summary().Finished)

			// Interrupt the run again, with the new data: the data have not changed since, and the
			// bits are the same.
			again := cutRun(t, c, set(52, 22), x.cut)
			s, second := setup(t, c)
			s.Data = x.data
			s.Resume, err = OpenCheckpoint(again.Last())
			require.NoError(t, err)
			defer s.Resume.Close()
			ctx, cancel := context.WithCancel(t.Context())
			second.onEvent = func(e Event) {
				if e, ok := e.(Stepped); ok && e.Step == last.Step-2 {
					cancel()
				}
			}
			_, err = trainer(t, s).Run(ctx, again)
			require.ErrorAs(t, err, new(*InterruptedError))
			end, third := goOn(t, c, x.data, again)
			require.Empty(t, ofType[Warning](third))
			requireEqualStates(t, tr.state, end.state)
		})
	}
}

// A checkpoint without the extent of its data goes on too, and a position that does not fit is
// noticed.
func TestResumeOlderCheckpoint(t *testing.T) {
	c := tinyConfig()
	older := func(f *Folder) *Folder { // the same checkpoint without the extent
		s, _ := setup(t, c)
		ck, err := OpenCheckpoint(f.Last())
		require.NoError(t, err)
		defer ck.Close()
		tr := trainer(t, s)
		require.NoError(t, ck.Restore(tr.state))
		ck.Data.Train, ck.Data.Test = Extent{}, Extent{}
		require.NoError(t, writeCheckpoint(f.Last(), tr.state, ck))
		return f
	}
	whole, _ := runWhole(t, c)
	tr, r := goOn(t, c, set(52, 22), older(cutRun(t, c, set(52, 22), 8)))
	require.Empty(t, ofType[Warning](r))
	requireEqualStates(t, whole.state, tr.state)
	_, r = goOn(t, c, set(47, 22), older(cutRun(t, c, set(52, 22), 8)))
	require.Len(t, ofType[Warning](r), 1)
	require.Contains(t, ofType[Warning](r)[0].Message, "another number of training images than the 47 now")
}

// After a bad image a run goes on with --skip-bad exactly as a run that skipped bad images from its
// start. If earlier batches of the same update had run, the running statistics differ, because
// those batches count twice.
func TestSkipBadAfterABadImage(t *testing.T) {
	exact, near := 0, 0
	for _, accumulate := range []int{1, 2} {
		for bad := 7; bad < 12; bad++ {
			c := tinyConfig()
			c.Accumulate = accumulate
			data := &dataset.Set{Train: bars{52, bad}, Test: bars{22, -1}}
			if bad == 8 {
				data = &dataset.Set{Train: bars{52, -1}, Test: bars{22, 3}}
			}
			skips := c
			skips.SkipBad = true
			s, _ := setup(t, skips)
			s.Data = data
			whole := trainer(t, s)
			_, err := whole.Run(t.Context(), folder(t, skips))
			require.NoError(t, err)

			s, r := setup(t, c)
			s.Data = data
			f := folder(t, c)
			tr := trainer(t, s)
			_, err = tr.Run(t.Context(), f)
			require.ErrorContains(t, err, "bars/7.png")
			if tr.saved < 0 {
				require.Empty(t, ofType[Stepped](r), "it came with the first update")
				continue
			}
			require.Equal(t, len(ofType[Stepped](r)), tr.saved, "no update is lost")
			end, _ := goOn(t, skips, data, f)
			same := snapshot(t, whole.state)
			inexact := 0
			for name, v := range snapshot(t, end.state) {
				if reflect.DeepEqual(same[name].Data(), v.Data()) {
					continue
				}
				require.Equal(t, 2, accumulate)
				require.Contains(t, name, "running_")
				inexact = 1
			}
			exact, near = exact+1-inexact, near+inexact
		}
	}
	require.Greater(t, exact, 4)
	require.NotZero(t, near, "an image in the second batch of an update")
}

// A run that is extended equals a run that had the larger number of epochs from its start, if
// nothing depends on that number. Otherwise a note says what does.
func TestMoreEpochs(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*Config)
		note   string
	}{
		"constant":   {func(c *Config) { c.Schedule = "constant" }, "3 epochs instead of 2: the run is the same as one of so many epochs from its start"},
		"step":       {func(c *Config) { c.Schedule, c.HeadSchedule = "step:1:0.5", "until:1" }, "the same as one of so many"},
		"cosine":     {func(c *Config) { c.Schedule = "cosine" }, "the course of the learning rate (cosine) is that of a run of 3 epochs; up to here it was that of 2"},
		"flat":       {func(c *Config) { c.Schedule = "cosine:1" }, "the same as one of so many"},
		"heads":      {func(c *Config) { c.Schedule, c.HeadSchedule = "constant", "linear" }, "the course of the heads' weights (linear) is"},
		"everything": {func(c *Config) { c.Schedule, c.HeadSchedule = "poly", "cosine:0.5" }, "the learning rate (poly) and of the heads' weights (cosine:0.5) is"},
	} {
		t.Run(name, func(t *testing.T) {
			short := tinyConfig()
			x.change(&short)
			long := short
			long.Epochs = 3
			tr, _ := runWhole(t, short)
			whole, _ := runWhole(t, long)
			ck, err := OpenCheckpoint(tr.folder.Last())
			require.NoError(t, err)
			defer ck.Close()
			note, err := ck.Continues(&long)
			require.NoError(t, err)
			require.Contains(t, note, x.note)
			end, r := goOn(t, long, set(52, 22), tr.folder)
			require.Len(t, ofType[EpochEnded](r), 1)
			_, epochs, err := tr.folder.ReadLog()
			require.NoError(t, err)
			require.Len(t, epochs, 3)
			if strings.Contains(note, ": the run is the same as one") {
				requireEqualStates(t, whole.state, end.state)
			}
			text, err := os.ReadFile(tr.folder.Config())
			require.NoError(t, err)
			var written Config
			require.NoError(t, written.ReadYAML("config.yaml", text))
			require.Equal(t, 3, written.Epochs)
			summary, err := tr.folder.ReadSummary()
			require.NoError(t, err)
			require.Equal(t, 3, summary.Epochs)
			require.True(t, summary.Finished)
		})
	}
}

// Fewer epochs than are done are refused; fewer than were planned are accepted.
func TestFewerEpochs(t *testing.T) {
	c := tinyConfig()
	c.Epochs = 4
	f := cutRun(t, c, set(52, 22), 15) // in the third epoch
	ck, err := OpenCheckpoint(f.Last())
	require.NoError(t, err)
	defer ck.Close()
	for epochs, ok := range map[int]bool{1: false, 2: false, 3: true, 4: true, 5: true} {
		other := c
		other.Epochs = epochs
		note, err := ck.Continues(&other)
		if ok {
			require.NoError(t, err, epochs)
			require.Equal(t, epochs == 4, note == "")
			continue
		}
		require.ErrorAs(t, err, new(*ValueError))
		require.ErrorContains(t, err, "the run has done 2 epochs and a part of the next already")
	}
	c.Epochs = 3
	_, r := goOn(t, c, set(52, 22), f)
	require.Equal(t, 3, ofType[EpochEnded](r)[0].Epoch)
	require.Len(t, ofType[EpochEnded](r), 1)

	finished, err := OpenCheckpoint(f.Last())
	require.NoError(t, err)
	defer finished.Close()
	_, err = finished.Continues(&c)
	require.NoError(t, err)
	c.Epochs = 2
	_, err = finished.Continues(&c)
	require.ErrorContains(t, err, "the run has done 3 epochs already")
}
