package train

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

func TestRunLearnsAndWritesItsFolder(t *testing.T) {
	c := tinyConfig()
	c.Epochs = 6
	tr, r := runWhole(t, c)
	epochs := ofType[EpochEnded](r)
	require.Len(t, epochs, 6)
	last := epochs[5]
	require.Equal(t, 22, last.Test.Images, "the padded rows of the last batch count for nothing")
	require.Greater(t, last.Test.Main().Top1, 0.8)
	aux, ok := last.Test.Head("aux1")
	require.True(t, ok)
	require.Greater(t, aux.Top1, 0.5)
	require.Equal(t, float64(aux.Correct1)/22, aux.Top1)
	require.Equal(t, 22, aux.Correct5, "there are four classes")

	for _, s := range ofType[Stepped](r) {
		sum := 0.0
		for i, h := range s.Result.Heads {
			sum += s.Weights[i] * h.Loss
		}
		require.InEpsilon(t, sum, s.Result.Total, 1e-6, "the total is the sum of the heads' weighted losses")
	}
	f := tr.folder
	var summary Summary
	text, err := os.ReadFile(f.Summary())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &summary))
	require.True(t, summary.Finished)
	require.Equal(t, last.Test, summary.Last.Test)
	again := Default()
	text, err = os.ReadFile(f.Config())
	require.NoError(t, err)
	require.NoError(t, again.ReadYAML("config.yaml", text))
	want := c
	want.Name = ""
	require.Equal(t, want, again)

	kinds := map[string]int{}
	log, err := os.Open(f.Log())
	require.NoError(t, err)
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var l struct{ Kind, Time string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &l), lines.Text())
		require.NotEmpty(t, l.Time)
		kinds[l.Kind]++
	}
	require.Equal(t, map[string]int{"start": 1, "interval": 18, "epoch": 6, "checkpoint": 6}, kinds)
}

func TestRunIsDeterministic(t *testing.T) {
	c := tinyConfig()
	a, _ := runWhole(t, c)
	c.Threads, c.Workers = 1, 3
	b, _ := runWhole(t, c)
	requireEqualStates(t, a.state, b.state)
	c.Seed++
	other, _ := runWhole(t, c)
	require.NotEqual(t, snapshot(t, a.state)["value/fc/weight"].Data(), snapshot(t, other.state)["value/fc/weight"].Data())
}

// If neither batch normalisation nor dropout treats batches separately, k accumulated batches equal
// one batch of k times the images.
func TestAccumulationIsTheBigBatch(t *testing.T) {
	train := func(batch, accumulate int) graph.State {
		c := tinyConfig()
		c.Precision, c.Batch, c.Accumulate, c.ClipNorm = "fp64", batch, accumulate, 0.5
		s, _ := setup(t, c)
		g := graph.New("plain")
		x := g.Input("input", graph.Shape{H: 8, W: 8, C: 1})
		x = g.ReLU("relu", g.AddBias("bias", g.Conv("conv", x, 6, graph.Square(3, 2, 1), nil), nil))
		g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 4, nil), Weight: 1})
		g.AddLoss(graph.Loss{Name: "aux1", Logits: g.Linear("aux1/fc", x, 4, nil), Weight: 0.5})
		s.Graph = g
		tr := trainer(t, s)
		_, err := tr.Run(context.Background(), folder(t, c))
		require.NoError(t, err)
		return tr.state
	}
	one, four := snapshot(t, train(24, 1)), snapshot(t, train(6, 4))
	for name, v := range one {
		require.InDeltaSlice(t, v.Data(), four[name].Data(), 1e-12, name)
	}
}

func TestDivergedRunKeepsItsCheckpoint(t *testing.T) {
	c := tinyConfig()
	s, r := setup(t, c)
	dir := folder(t, c)
	tr := trainer(t, s)
	r.onEvent = func(e Event) { // after the first epoch, a rate at which every run diverges
		if _, ok := e.(Saved); ok {
			tr.rate.base = 1e30
		}
	}
	_, err := tr.Run(context.Background(), dir)
	var diverged *DivergedError
	require.ErrorAs(t, err, &diverged)
	require.Greater(t, diverged.Step, 6)
	require.ErrorContains(t, err, "--lr")
	require.ErrorContains(t, err, "--clip-norm")
	require.ErrorContains(t, err, "of step 6 is intact")
	ck, err := OpenCheckpoint(dir.Last())
	require.NoError(t, err)
	require.Equal(t, 6, ck.Progress.Step)
	ck.Close()
	summary, err := dir.ReadSummary()
	require.NoError(t, err)
	require.Equal(t, diverged.Error(), summary.Diverged)
	require.False(t, summary.Finished)
}

func TestDivergedHeads(t *testing.T) {
	m := &graph.Metrics{Heads: []graph.HeadMetrics{{Name: "main", Loss: 1}, {Name: "aux1", Loss: math.NaN()}, {Name: "aux2", Loss: math.Inf(1)}}}
	heads, bad := diverged(m)
	require.True(t, bad)
	require.Equal(t, []string{"aux1", "aux2"}, heads)
	_, bad = diverged(&graph.Metrics{GradNorm: math.NaN()})
	require.True(t, bad)
	require.ErrorContains(t, &DivergedError{Step: 3, Heads: heads, LR: 0.1}, "step 3: the loss of aux1, aux2")
}

func TestDeadTrunkAlarm(t *testing.T) {
	guess := math.Log(10)
	losses := func(main, aux1, aux2 float64) Result {
		return Result{Heads: []HeadResult{{Name: "main", Loss: main}, {Name: "aux1", Loss: aux1}, {Name: "aux2", Loss: aux2}}}
	}
	alarms := func(r Result) (all []string) {
		d := deadTrunk{guess: guess}
		for range 3 * guardStart {
			if m := d.see(r); m != "" {
				all = append(all, m)
			}
		}
		return all
	}
	dead := alarms(losses(guess, 0.8*guess, guess/2))
	require.Len(t, dead, 1, "one alarm, not one a step")
	require.Contains(t, dead[0], "aux2")
	require.Contains(t, dead[0], "2.303")
	require.Empty(t, alarms(losses(guess/2, guess/2, guess)))
	require.Empty(t, alarms(losses(guess, guess, guess)), "nobody learns: no sign of a dead trunk")
	require.Empty(t, alarms(Result{Heads: []HeadResult{{Name: "main", Loss: guess}}}))
}

func TestBadImages(t *testing.T) {
	c := tinyConfig()
	s, _ := setup(t, c)
	s.Data = &dataset.Set{Train: bars{52, 7}, Test: bars{22, 3}}
	f := folder(t, c)
	_, err := trainer(t, s).Run(context.Background(), f)
	require.ErrorContains(t, err, "bars/7.png: byte 3")
	require.ErrorContains(t, err, "--resume "+f.Path+" goes on, with --skip-bad")
	require.FileExists(t, f.Last())

	c.SkipBad = true
	s, r := setup(t, c)
	s.Data = &dataset.Set{Train: bars{52, 7}, Test: bars{22, 3}}
	_, err = trainer(t, s).Run(context.Background(), folder(t, c))
	require.NoError(t, err)
	require.NotEmpty(t, ofType[Warning](r))
	require.Contains(t, ofType[Warning](r)[0].Message, "bars/7.png")
	require.Equal(t, 21, ofType[EpochEnded](r)[0].Test.Images)
}

// failing is a backend whose programs fail after a number of runs, as those of a lost GPU do.
type failing struct {
	graph.Backend
	left *int
}

type failingProgram struct {
	graph.Program
	left *int
}

func (f failing) Load(p *graph.Plan, s graph.State) (graph.Program, error) {
	pr, err := f.Backend.Load(p, s)
	return failingProgram{pr, f.left}, err
}

func (f failingProgram) Run(ctx context.Context, feed *graph.Feed) error {
	if *f.left--; *f.left < 0 {
		return errors.New("the GPU is lost")
	}
	return f.Program.Run(ctx, feed)
}

// If a device fails in mid-run, the last checkpoint stays as it was, the error says where it is,
// and the run can resume from it.
func TestLostDevice(t *testing.T) {
	c := tinyConfig()
	whole, _ := runWhole(t, c)
	s, _ := setup(t, c)
	left := 6 + 3 + 2 // an epoch's updates, its evaluation, and two updates of the next epoch
	s.Backend = failing{s.Backend, &left}
	f := folder(t, c)
	_, err := trainer(t, s).Run(context.Background(), f)
	require.EqualError(t, err, "step 8: the GPU is lost; the checkpoint of step 6 is intact: --resume "+f.Path+" goes on from it")

	s, _ = setup(t, c)
	s.Resume, err = OpenCheckpoint(f.Last())
	require.NoError(t, err)
	tr := trainer(t, s)
	_, err = tr.Run(context.Background(), f)
	require.NoError(t, err)
	requireEqualStates(t, whole.state, tr.state)
}

func TestNewRefuses(t *testing.T) {
	refuse := func(want string, change func(*Setup)) {
		s, _ := setup(t, tinyConfig())
		change(&s)
		_, err := New(s)
		require.ErrorContains(t, err, want)
	}
	refuse("epochs", func(s *Setup) { s.Config.Epochs = 0 })
	refuse("head main was built with 0", func(s *Setup) { s.Config.LabelSmoothing = 0.1 })
	refuse("52 images do not fill a batch of 64", func(s *Setup) { s.Config.Batch = 64 })
	refuse("fewer than the 9 of one update", func(s *Setup) { s.Config.Accumulate = 9 })
	refuse("no classifier", func(s *Setup) { s.Graph = graph.New("empty") })
	refuse("tells 3 classes apart", func(s *Setup) {
		g := graph.New("three")
		x := g.Input("input", graph.Shape{H: 8, W: 8, C: 1})
		g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 3, nil), Weight: 1})
		s.Graph = g
	})
	refuse("--channels 3", func(s *Setup) {
		g := graph.New("colour")
		x := g.Input("input", graph.Shape{H: 8, W: 8, C: 3})
		g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 4, nil), Weight: 1})
		s.Graph = g
	})
}

func TestFolderIsNeverTakenTwice(t *testing.T) {
	c, dir := tinyConfig(), t.TempDir()
	f, err := CreateFolder(dir, "a", &c)
	require.NoError(t, err)
	require.NoError(t, f.Unlock())
	_, err = CreateFolder(dir, "a", &c)
	require.ErrorContains(t, err, "has no checkpoint to go on from")
	require.ErrorIs(t, err, os.ErrExist)
	require.NoError(t, os.WriteFile(f.Last(), nil, 0o600))
	_, err = CreateFolder(dir, "a", &c)
	require.ErrorContains(t, err, "--resume")
}

func TestEveryAugmentationMakesTheRightSize(t *testing.T) {
	for _, name := range AugmentationNames() {
		c := tinyConfig()
		c.Augment = name
		for _, info := range []dataset.Info{{H: 8, W: 8, C: 1, Mirror: true}, {H: 8, W: 12, C: 3}, {C: 3, Mirror: true}} {
			h, w, err := c.transform(info, Input{Fit: dataset.Fit{H: 16, W: 16, Resize: 18}}).OutSize(info.H, info.W)
			require.NoError(t, err, name)
			require.Equal(t, [2]int{16, 16}, [2]int{h, w}, name)
		}
	}
}

// An evaluation of a checkpoint gives what the run itself measured, for all heads and for the main
// one alone.
func TestEvaluationOfCheckpoint(t *testing.T) {
	for _, ema := range []float64{0, 0.8} {
		c := tinyConfig()
		c.EMA = ema
		tr, r := runWhole(t, c)
		want := ofType[EpochEnded](r)[1].Test
		for _, heads := range [][]string{nil, {"main"}} {
			ck, err := OpenCheckpoint(tr.folder.Last())
			require.NoError(t, err)
			s, _ := setup(t, c)
			e := Evaluation{Graph: s.Graph, Backend: s.Backend, Test: s.Data.Test, Checkpoint: ck, Config: ck.Config, Heads: heads}
			got, err := e.Run(context.Background())
			require.NoError(t, err)
			require.Equal(t, want.Heads[:len(got.Heads)], got.Heads)
			ck.Close()
		}
	}
}

// until:E keeps the heads' weights up to the last update of epoch E.
func TestHeadWeightsUntilEpoch(t *testing.T) {
	c := tinyConfig()
	c.Epochs, c.HeadSchedule = 3, "until:2"
	_, r := runWhole(t, c)
	for _, e := range ofType[Stepped](r) {
		want := 0.3
		if e.Epoch > 2 {
			want = 0
		}
		require.Equal(t, []float64{1, want}, e.Weights, "step %d", e.Step)
	}
}

// The intervals and epochs of a log can be read back; reading stops at an incomplete line, which a
// killed run leaves.
func TestReadLog(t *testing.T) {
	c := tinyConfig()
	tr, r := runWhole(t, c)
	for _, more := range []string{"", `{"kind":"epoch"`} {
		f, err := os.OpenFile(tr.folder.Log(), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(more)
		require.NoError(t, err)
		f.Close()
		intervals, epochs, err := tr.folder.ReadLog()
		require.NoError(t, err)
		require.Equal(t, ofType[Interval](r), intervals)
		require.Equal(t, ofType[EpochEnded](r), epochs)
	}
	require.NoError(t, os.WriteFile(tr.folder.Log(), []byte("no JSON\n"), 0o644))
	_, _, err := tr.folder.ReadLog()
	require.ErrorContains(t, err, tr.folder.Log())
}

// An interval has the norms of the wanted gradients. Together they give the gradient's global norm,
// though the update clips.
func TestGradNorms(t *testing.T) {
	c := tinyConfig()
	c.ClipNorm = 0.01
	s, r := setup(t, c)
	for _, p := range s.Graph.Params() {
		if !p.IsStatistic() {
			s.GradNorms = append(s.GradNorms, p.Name)
		}
	}
	_, err := trainer(t, s).Run(context.Background(), folder(t, c))
	require.NoError(t, err)
	for _, e := range ofType[Interval](r) {
		require.Len(t, e.GradNorms, len(s.GradNorms))
		sum := 0.0
		for _, v := range e.GradNorms {
			sum += v * v
		}
		require.InEpsilon(t, e.GradNorm, math.Sqrt(sum), 1e-4)
		require.Greater(t, e.GradNorm, 0.01)
	}
	for name, want := range map[string]string{"conv9/weight": "the nearest: conv1/weight", "bn1/running_mean": "is not trained"} {
		s, _ := setup(t, c)
		s.GradNorms = []string{name}
		_, err := New(s)
		require.ErrorContains(t, err, want)
	}
}

// The later of equally good epochs is the best.
func TestTiesGoToTheLaterEpoch(t *testing.T) {
	c := tinyConfig()
	c.Epochs = 6
	s, r := setup(t, c)
	s.Data.Test = bars{1, -1} // an accuracy of 0 or 1
	tr := trainer(t, s)
	f := folder(t, c)
	summary, err := tr.Run(context.Background(), f)
	require.NoError(t, err)
	want, top, equal := 0, 0.0, 0
	for _, e := range ofType[EpochEnded](r) {
		v := e.Test.Main().Top1
		if v > top {
			top, equal = v, 0
		}
		if v == top {
			want, equal = e.Epoch, equal+1
		}
		require.Equal(t, want == e.Epoch, e.Best)
	}
	require.Greater(t, equal, 1, "there is a tie")
	require.Equal(t, want, summary.BestEpoch)
	best, err := OpenCheckpoint(f.Best())
	require.NoError(t, err)
	defer best.Close()
	require.Equal(t, want, best.Progress.Epoch)
}
