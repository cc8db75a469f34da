package train

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

// numberedBars are bars whose label is their index.
type numberedBars struct{ bars }

func (s numberedBars) Info() dataset.Info {
	info := s.bars.Info()
	info.Classes = make([]string, s.n)
	return info
}

func (s numberedBars) Decode(i int, dst *dataset.Image) (int32, error) {
	_, err := s.bars.Decode(i, dst)
	return int32(i), err
}

// cascadeRun returns a checkpoint of a small Inception after one epoch, with a head on a module and
// one on a tower, and what an evaluation of it needs.
func cascadeRun(t *testing.T, ema float64) (Evaluation, *exits.Cascade) {
	t.Helper()
	c := tinyConfig()
	c.Epochs, c.Augment, c.EMA = 1, "none", ema
	s, _ := setup(t, c)
	m, err := inception.Build("inception_small", inception.Config{Classes: 4, Height: 8, Width: 8, Channels: 1, WidthMultiplier: 0.25,
		Heads: []auxhead.Spec{{At: "inception3b", Weight: 0.3}, {At: "inception4a/tower3x3", Weight: 0.3}}})
	require.NoError(t, err)
	s.Graph = m.Graph
	tr := trainer(t, s)
	f := folder(t, c)
	_, err = tr.Run(context.Background(), f)
	require.NoError(t, err)
	ck, err := OpenCheckpoint(f.Last())
	require.NoError(t, err)
	t.Cleanup(func() { ck.Close() })
	cascade, err := exits.NewCascade(m.Graph, nil)
	require.NoError(t, err)
	require.Len(t, cascade.Stages, 3)
	return Evaluation{Graph: m.Graph, Backend: s.Backend, Test: s.Data.Test, Checkpoint: ck, Config: c}, cascade
}

// runs is a backend that counts the runs of the programs it loads.
type runs struct {
	graph.Backend
	counts map[string]int // keyed by Options.From
}

type counted struct {
	graph.Program
	count func()
}

func (b runs) Load(p *graph.Plan, s graph.State) (graph.Program, error) {
	pr, err := b.Backend.Load(p, s)
	return counted{pr, func() { b.counts[p.Options.From]++ }}, err
}

func (p counted) Run(ctx context.Context, f *graph.Feed) error {
	p.count()
	return p.Program.Run(ctx, f)
}

// everything runs all images through one plan with all heads. It returns the answer of each exit to
// each image, by its index.
func everything(t *testing.T, e *Evaluation, c *exits.Cascade) (guesses [][]exits.Guess, probabilities [][][]float64) {
	t.Helper()
	n := e.Test.Len()
	s, averages, err := e.restore()
	require.NoError(t, err)
	defer s.Close()
	config := e.Config
	config.Batch = n
	in, err := e.Input()
	require.NoError(t, err)
	l, err := evalLoader(e.Test, in, &config, e.Backend)
	require.NoError(t, err)
	p, err := loadEval(e.Backend, s, l, in, nil)
	require.NoError(t, err)
	for b, err := range l.Epoch(context.Background(), 0, 0) {
		require.NoError(t, err)
		labels := make([]int32, n)
		_, err = run(context.Background(), p, &graph.Feed{Pixels: b.Pixels, Labels: labels, UseAverages: averages})
		require.NoError(t, err)
	}
	guesses, probabilities = make([][]exits.Guess, n), make([][][]float64, n)
	for _, exit := range c.Exits {
		d, err := p.Read(exit.Logits)
		require.NoError(t, err)
		x := d.Data().([]float32)
		for i := range n {
			row := make([]float64, len(x)/n)
			for j := range row {
				row[j] = float64(x[i*len(row)+j])
			}
			exits.Softmax(row)
			guesses[i] = append(guesses[i], exits.NewGuess(row))
			probabilities[i] = append(probabilities[i], row)
		}
	}
	return guesses, probabilities
}

// A cascade gives the answers of the whole network run at once, for every batch size, whether
// images leave early or not.
func TestCascadeEqualsWholeNetwork(t *testing.T) {
	for _, ema := range []float64{0, 0.9} {
		e, c := cascadeRun(t, ema)
		e.Test = numberedBars{bars{22, -1}}
		guesses, probabilities := everything(t, &e, c)
		count := runs{e.Backend, map[string]int{}}
		e.Backend = count
		middle := func(exit int, value func(exits.Guess) float64) float64 {
			var all []float64
			for _, g := range guesses {
				all = append(all, value(g[exit]))
			}
			slices.Sort(all)
			return (all[len(all)/2] + all[len(all)/2-1]) / 2
		}
		entropy := func(g exits.Guess) float64 { return g.Entropy }
		confidence := func(g exits.Guess) float64 { return g.Confidence }
		for _, rule := range []exits.Rule{
			{}, {Criterion: exits.Entropy, Thresholds: []float64{0}}, {Criterion: exits.Confidence, Thresholds: []float64{1}},
			{Criterion: exits.Entropy, Thresholds: []float64{middle(0, entropy), middle(1, entropy)}},
			{Criterion: exits.Confidence, Thresholds: []float64{middle(1, confidence)}},
			{Criterion: exits.Confidence, Thresholds: []float64{0}},
		} {
			for _, batch := range []int{1, 3, 8, 22, 30} {
				clear(count.counts)
				e.Config.Batch = batch
				seen := map[int32]bool{}
				reached := make([]int, 3) // images at each stage
				_, err := e.Cascade(context.Background(), c, rule, func(d exits.Departure) {
					require.False(t, seen[d.Label])
					seen[d.Label] = true
					want := guesses[d.Label]
					exit := rule.Exit(want)
					require.Equal(t, exit, d.Exit, "%v, image %d", rule, d.Label)
					require.Len(t, d.Guesses, exit+1)
					for i, g := range d.Guesses {
						require.Equal(t, want[i].Class, g.Class)
						require.InDelta(t, want[i].Entropy, g.Entropy, 1e-6)
					}
					require.InDeltaSlice(t, probabilities[d.Label][exit], d.Probabilities, 1e-6)
					for k := range reached {
						if k <= c.Exits[exit].Stage {
							reached[k]++
						}
					}
				})
				require.NoError(t, err)
				require.Len(t, seen, 22)
				for k, s := range c.Stages {
					require.Equal(t, (reached[k]+batch-1)/batch, count.counts[s.From], "%v: batches of %d at stage %d, of %d images", rule, batch, k, reached[k])
				}
			}
		}
	}
}

// Without early exits a cascade has the hits of the plain evaluation. Records give the same result
// as running the rule.
func TestExitsAndRecords(t *testing.T) {
	e, c := cascadeRun(t, 0)
	plain, err := e.Run(context.Background())
	require.NoError(t, err)
	r, err := e.Exits(context.Background(), c, exits.Rule{})
	require.NoError(t, err)
	require.Equal(t, plain.Heads[0].Correct1, r.Correct)
	require.Equal(t, []exits.Counts{{}, {}, {Images: 22, Correct: r.Correct}}, r.Outcome.Exits)
	require.Positive(t, r.Rate())

	records, err := e.Records(context.Background(), c)
	require.NoError(t, err)
	for i, h := range []string{"aux1", "aux2", "main"} {
		hits := 0
		for _, x := range records {
			if x.Guesses[i].Class == x.Label {
				hits++
			}
		}
		head, ok := plain.Head(h)
		require.True(t, ok)
		require.Equal(t, head.Correct1, hits, h)
	}
	points, err := exits.Curve(records, exits.Entropy, c, 4)
	require.NoError(t, err)
	for _, p := range []exits.Point{points[0], points[len(points)/2], points[len(points)-1]} {
		r, err := e.Exits(context.Background(), c, exits.Rule{Criterion: exits.Entropy, Thresholds: []float64{p.Threshold}})
		require.NoError(t, err)
		require.Equal(t, p.Outcome, r.Outcome)
	}
}

func TestExitsRefuse(t *testing.T) {
	e, c := cascadeRun(t, 0)
	_, err := e.Exits(context.Background(), c, exits.Rule{Criterion: exits.Entropy, Thresholds: []float64{1.5}})
	require.ErrorContains(t, err, "threshold 1.5 is not from 0 to 1.386")
	e.Test = numberedBars{bars{22, -1}}
	_, err = e.Records(context.Background(), c)
	require.ErrorContains(t, err, "cannot tell these classes apart")
	e.Test = bars{22, 3}
	_, err = e.Exits(context.Background(), c, exits.Rule{})
	require.ErrorContains(t, err, "bars/7.png")
	e.Config.SkipBad = true
	r, err := e.Exits(context.Background(), c, exits.Rule{})
	require.NoError(t, err)
	require.Equal(t, 21, r.Images)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = e.Exits(ctx, c, exits.Rule{})
	require.ErrorIs(t, err, context.Canceled)
}
