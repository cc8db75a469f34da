package train

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

// A run that is interrupted anywhere and resumed gives the same losses, evaluations and parameters,
// bit for bit, as an uninterrupted one.
func TestResumeIsBitExact(t *testing.T) {
	variants := map[string]func(*Config){
		"sgd":        func(c *Config) { c.Nesterov, c.ClipNorm = true, 1 },
		"rmsprop_tf": func(c *Config) { c.Optimizer, c.LR, c.EMA = "rmsprop_tf", Num(0.01), 0.9 },
		"adamw": func(c *Config) {
			c.Optimizer, c.LR, c.Accumulate, c.HeadSchedule = "adamw", Num(0.001), 2, "linear:0.8"
		},
		"uncertainty": func(c *Config) { c.HeadBalance = "uncertainty" },
		"pcgrad":      func(c *Config) { c.HeadBalance, c.GradflowEvery = "pcgrad", 4 },
		"distill":     func(c *Config) { c.Distill = 0.5 },
		"until":       func(c *Config) { c.HeadSchedule = "until:1" },
		"fp64":        func(c *Config) { c.Precision = "fp64" },
	}
	for name, change := range variants {
		t.Run(name, func(t *testing.T) {
			c := tinyConfig()
			change(&c)
			whole, wholeEvents := runWhole(t, c)
			steps := whole.rate.total
			// The cuts are in the middle of an epoch, at the end of one before and after its
			// evaluation, and within a log interval.
			for _, cut := range []int{1, whole.perEpoch / 2, whole.perEpoch, whole.perEpoch + 1, steps - 1} {
				requireResumes(t, c, cut, whole, wholeEvents)
			}
		})
	}
}

func requireResumes(t *testing.T, c Config, cut int, whole *Trainer, wholeEvents *recorder) {
	t.Helper()
	dir := folder(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, first := setup(t, c)
	first.onEvent = func(e Event) {
		if e, ok := e.(Stepped); ok && e.Step == cut {
			cancel()
		}
	}
	summary, err := trainer(t, s).Run(ctx, dir)
	var interrupted *InterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, cut, interrupted.Step)
	require.True(t, summary.Interrupted)

	ck, err := OpenCheckpoint(interrupted.Checkpoint)
	require.NoError(t, err)
	defer ck.Close()
	s, second := setup(t, c)
	s.Resume = ck
	tr := trainer(t, s)
	_, err = tr.Run(context.Background(), dir)
	require.NoError(t, err)

	steps := append(ofType[Stepped](first), ofType[Stepped](second)...)
	require.Equal(t, ofType[Stepped](wholeEvents), steps, "cut at %d", cut)
	intervals := append(ofType[Interval](first), ofType[Interval](second)...)
	for i, e := range ofType[Interval](wholeEvents) {
		require.Equal(t, e.Train, intervals[i].Train)
	}
	epochs := append(ofType[EpochEnded](first), ofType[EpochEnded](second)...)
	for i, e := range ofType[EpochEnded](wholeEvents) {
		require.Equal(t, e.Train, epochs[i].Train)
		require.Equal(t, e.Test, epochs[i].Test)
	}
	requireEqualStates(t, whole.state, tr.state)
}

// A run that was killed goes on from its last checkpoint, and its log has every line once.
func TestResumeAfterKill(t *testing.T) {
	c := tinyConfig()
	dir := folder(t, c)
	s, _ := setup(t, c)
	tr := trainer(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	killed := errors.New("killed")
	func() { // the process is killed in the second epoch
		defer func() { require.Equal(t, killed, recover()) }()
		tr.Report = func(e Event) {
			if e, ok := e.(Stepped); ok && e.Step == tr.perEpoch+4 {
				panic(killed)
			}
		}
		tr.Run(ctx, dir)
	}()
	f, err := os.OpenFile(dir.Log(), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"kind":"inter`)
	require.NoError(t, err)
	f.Close()

	ck, err := OpenCheckpoint(dir.Last())
	require.NoError(t, err)
	defer ck.Close()
	require.Equal(t, 1, ck.Progress.Epoch)
	s, r := setup(t, c)
	s.Resume = ck
	_, err = trainer(t, s).Run(context.Background(), dir)
	require.NoError(t, err)
	require.True(t, ofType[Started](r)[0].Resumed)
	text, err := os.ReadFile(dir.Log())
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), `"kind":"epoch"`), string(text))
	require.Equal(t, 6, strings.Count(string(text), `"kind":"interval"`), string(text))
}

func TestResumeRefusesAnotherRun(t *testing.T) {
	c := tinyConfig()
	tr, _ := runWhole(t, c)
	resume := func(c Config, g *graph.Graph) error {
		ck, err := OpenCheckpoint(tr.folder.Last())
		require.NoError(t, err)
		defer ck.Close()
		s, _ := setup(t, c)
		s.Resume = ck
		if g != nil {
			s.Graph = g
		}
		_, err = New(s)
		return err
	}
	other := c
	other.LR, other.Momentum, other.Threads, other.SkipBad = Num(0.5), Num(0.8), 1, true
	err := resume(other, nil)
	require.ErrorContains(t, err, "lr: 0.02 in the checkpoint, 0.5 now")
	require.ErrorContains(t, err, "momentum: 0.9 in the checkpoint, 0.8 now")
	require.NotContains(t, err.Error(), "threads")
	require.NotContains(t, err.Error(), "skip-bad")
	require.ErrorContains(t, err, "--init")

	g := graph.New("tiny")
	x := g.Input("input", graph.Shape{H: 8, W: 8, C: 1})
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 4, nil), Weight: 1})
	err = resume(c, g)
	require.ErrorContains(t, err, "fc/weight: dimensions [4 4 4 8] in the checkpoint, [4 8 8 1] in the network")
	require.ErrorContains(t, err, "bn1/gamma: not in the network")
}

// Resuming a finished run does nothing and says so.
func TestResumeFinished(t *testing.T) {
	c := tinyConfig()
	tr, _ := runWhole(t, c)
	ck, err := OpenCheckpoint(tr.folder.Last())
	require.NoError(t, err)
	defer ck.Close()
	before, err := tr.folder.ReadSummary()
	require.NoError(t, err)
	require.NotNil(t, before.Last)
	s, r := setup(t, c)
	s.Resume = ck
	summary, err := trainer(t, s).Run(context.Background(), tr.folder)
	require.NoError(t, err)
	require.True(t, summary.Finished)
	require.Empty(t, ofType[Stepped](r))
	after, err := tr.folder.ReadSummary()
	require.NoError(t, err)
	require.Equal(t, before, after, "what came out of it is not forgotten")
}
