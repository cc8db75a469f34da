package ablate

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/train"
)

func TestPlan(t *testing.T) {
	c := baseConfig()
	c.Heads, c.Seed = "conv1::gap", 7
	for _, test := range []struct {
		o        Options
		variants []string
		seeds    []uint64
	}{
		{DefaultOptions(), []string{"none", "conv1::gap"}, []uint64{7, 8, 9}},
		{Options{Variants: "none; default;every:2:0.1; ", Seeds: "1, 5"}, []string{"none", "default", "every:2:0.1"}, []uint64{1, 5}},
		{Options{Variants: "default; a,b:0.2:gap", Weights: "0.1, 1", Seeds: "1"},
			[]string{"none", "conv1:0.1:gap", "conv1:1:gap", "a:0.1:gap,b:0.1:gap", "a:1:gap,b:1:gap"}, []uint64{7}},
		{Options{Variants: "auto", Seeds: "1"}, []string{"none", "auto"}, []uint64{7}},
		{Options{Variants: "auto;auto::gap", Weights: "0.1,1", Seeds: "1"}, []string{"none", "auto:0.1", "auto:1", "auto:0.1:gap", "auto:1:gap"}, []uint64{7}},
	} {
		p, err := NewPlan(c, test.o, tinyHeads)
		require.NoError(t, err)
		require.Equal(t, test.variants, p.Variants)
		require.Equal(t, test.seeds, p.Seeds)
		runs := p.Runs("x")
		require.Len(t, runs, len(test.variants)*len(test.seeds))
		folders := map[string]bool{}
		for i, r := range runs {
			require.Equal(t, test.variants[i%len(test.variants)], r.Variant, "seed by seed")
			require.Equal(t, []any{r.Variant, r.Seed}, []any{r.Config.Heads, r.Config.Seed})
			folders[r.Folder.Path] = true
		}
		require.Len(t, folders, len(runs))

		again := train.Default()
		var o Options
		require.NoError(t, again.ReadYAMLWith("again.yaml", p.YAML(), Section, o.Settings()))
		require.Equal(t, test.o, o)
	}
	require.NotEqual(t, folderName("a:1"), folderName("a/1"))
	require.Equal(t, "default", folderName("default"))
	require.Less(t, len(folderName(strings.Repeat("inception4a,", 50))), 64)

	for want, o := range map[string]Options{
		`seeds: "" is not possible: it is whole numbers`:              {},
		`seeds: "1,x" is not possible: it is whole numbers`:           {Seeds: "1,x"},
		`seed 2 is there twice`:                                       {Seeds: "2,3,2"},
		`a number of seeds is from 1 to 1000`:                         {Seeds: "0"},
		`weights: "0.1,-1" is not possible: "-1" is not a number`:     {Seeds: "3", Weights: "0.1,-1"},
		`variants: "none" is not possible: it needs heads`:            {Seeds: "3", Variants: "none"},
		`"auto" and "auto:0.3" are the same heads`:                    {Seeds: "3", Variants: "auto; auto:0.3"},
		`"default" and "conv1:0.3:gap" are the same heads`:            {Seeds: "3", Variants: "default; conv1:0.3:gap"},
		`variants: heads "conv1:x": at position 7: weight "x" is not`: {Seeds: "3", Variants: "default; conv1:x"},
	} {
		_, err := NewPlan(c, o, tinyHeads)
		require.ErrorContains(t, err, want)
	}
}

// The folder's name depends on the settings that all runs have in common, except those that change
// no result.
func TestName(t *testing.T) {
	name := func(change func(*train.Config, *Options)) string {
		c, o := baseConfig(), DefaultOptions()
		change(&c, &o)
		p, err := NewPlan(c, o, tinyHeads)
		require.NoError(t, err)
		return p.Name()
	}
	first := name(func(*train.Config, *Options) {})
	require.Equal(t, first, name(func(c *train.Config, o *Options) {
		o.Seeds, o.Variants, c.Seed, c.Threads, c.Out = "9", "conv1", 3, 8, "x"
	}))
	require.NotEqual(t, first, name(func(c *train.Config, _ *Options) { c.LR = train.Num(1) }))
}

// An ablation that is interrupted in the middle of a run goes on from there, repeats nothing that
// is finished, and has the same results as an uninterrupted one.
func TestInterruptAndGoOn(t *testing.T) {
	o := Options{Variants: "default; conv1:0.1", Seeds: "1,2"}
	whole := newBench(t)
	want, err := whole.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Len(t, whole.opened, 6)
	require.Len(t, whole.results, 6)
	require.Equal(t, 1, whole.results[2].Variants[2].Difference.N)

	cut := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cut.onStep = func(r *Run, step int) {
		if r.Variant == "default" && r.Seed == 2 && step == 7 {
			cancel()
		}
	}
	_, err = cut.ablation(baseConfig(), o).Run(ctx)
	var interrupted *train.InterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.Equal(t, 7, interrupted.Step)
	require.Len(t, cut.opened, 5)
	got, err := cut.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, append(whole.opened[:5:5], whole.opened[4:]...), cut.opened)
	for i, v := range got.Variants {
		w := want.Variants[i]
		require.Equal(t, w.Top1, v.Top1)
		require.Equal(t, w.TrainLoss, v.TrainLoss)
		require.Equal(t, w.Learnt, v.Learnt)
		require.Equal(t, w.Reached, v.Reached)
		require.Equal(t, w.Stem, v.Stem)
		require.Equal(t, w.Difference, v.Difference)
		require.Equal(t, w.Verdict, v.Verdict)
	}
	require.Equal(t, stepsWithoutTime(want), stepsWithoutTime(got))

	// More seeds and variants add to the existing runs; other settings are refused.
	more := cut.ablation(baseConfig(), Options{Variants: "default; conv1:0.1; conv1:0.2", Seeds: "1,2,3"})
	_, err = more.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, cut.opened, 7+2+4)
	c := baseConfig()
	c.LR, c.Threads = train.Num(0.5), 2
	_, err = cut.ablation(c, o).Run(t.Context())
	require.ErrorContains(t, err, "this is another ablation: choose another --name")
	require.ErrorContains(t, err, "lr: 0.05 in the ablation "+cut.folder+", 0.5 now")
	require.NotContains(t, err.Error(), "threads")
}

// Every later run uses the settings of the input that the first run of an ablation resolved, so
// that the runs are comparable.
func TestInputStays(t *testing.T) {
	b := newBench(t)
	var means []string
	b.onOpen = func(r *Run) {
		means = append(means, r.Config.Mean)
		if len(means) == 1 {
			r.Config.Mean = "0.1"
		}
	}
	o := Options{Variants: "default", Seeds: "1"}
	_, err := b.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	o.Seeds = "1,2"
	_, err = b.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"auto", "0.1", "0.1", "0.1"}, means)
}

// Heads that a short run has placed stay at their places when the run is resumed.
func TestAutoHeadsStay(t *testing.T) {
	o := Options{Variants: "auto", Seeds: "1"}
	b := newBench(t)
	var placed []string
	b.onOpen = func(r *Run) {
		if r.Variant == auxhead.Auto {
			placed = append(placed, r.Config.Heads)
			if r.Config.Heads == auxhead.Auto {
				r.Config.Heads = "conv1:0.2:gap"
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.onStep = func(r *Run, step int) {
		if r.Variant == auxhead.Auto && step == 7 {
			cancel()
		}
	}
	_, err := b.ablation(baseConfig(), o).Run(ctx)
	require.ErrorAs(t, err, new(*train.InterruptedError))
	b.onStep = nil
	r, err := b.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"auto", "conv1:0.2:gap"}, placed)
	require.Equal(t, "auto", r.Variants[1].Heads)
	require.Equal(t, 1, r.Variants[1].Difference.N)
}

func stepsWithoutTime(r *Results) string { return string(r.Steps()) }

// Every file of the folder exists after the first run, and can be read.
func TestFiles(t *testing.T) {
	b := newBench(t)
	a := b.ablation(baseConfig(), Options{Variants: "conv1:0.1", Seeds: "2"})
	a.Show = func(r *Results) error {
		require.NoError(t, r.Print(io.Discard))
		return errors.New("enough")
	}
	_, err := a.Run(t.Context())
	require.EqualError(t, err, "enough")
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(b.folder, name))
		require.NoError(t, err)
		return text
	}
	var r Results
	require.NoError(t, json.Unmarshal(read("results.json"), &r))
	require.Equal(t, "conv1/conv/weight", r.Stem)
	require.InDelta(t, 0.9*math.Log(4), r.LearntLoss, 1e-12)
	require.Equal(t, []State{Finished, Pending}, []State{r.Variants[0].Runs[0].State, r.Variants[1].Runs[1].State})
	require.Positive(t, r.Variants[0].Runs[0].Stem)
	require.FileExists(t, filepath.Join(b.folder, r.Variants[0].Runs[0].Folder, "config.yaml"))
	require.Contains(t, string(read("results.md")), "| `conv1:0.1` | 0/2 | – |")
	for name, rows := range map[string]int{"curves.csv": 1 + 2, "steps.csv": 1 + 6} {
		all, err := csv.NewReader(bytes.NewReader(read(name))).ReadAll()
		require.NoError(t, err)
		require.Len(t, all, rows, name)
	}
	require.NoError(t, xml.Unmarshal(read("figure.svg"), new(struct{})))
	c, o, err := Read(b.folder)
	require.NoError(t, err)
	require.Equal(t, "conv1:0.1", o.Variants)
	require.Equal(t, 2, c.Epochs)

	_, _, err = Read(t.TempDir())
	require.ErrorContains(t, err, "name the folder of an ablation")
	b.folder = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(b.folder, "letter.txt"), nil, 0o644))
	_, err = b.ablation(baseConfig(), DefaultOptions()).Run(t.Context())
	require.ErrorContains(t, err, "is no ablation's")
}

// A figure that fails to draw costs no result and stops no run.
func TestFigureThatFails(t *testing.T) {
	b := newBench(t)
	a := b.ablation(baseConfig(), Options{Seeds: "1"})
	var warnings []string
	a.Warn = func(err error) { warnings = append(warnings, err.Error()) }
	_, err := a.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.FileExists(t, filepath.Join(b.folder, "figure.svg"))

	a = b.ablation(baseConfig(), Options{Seeds: "2"})
	a.Warn = func(err error) { warnings = append(warnings, err.Error()) }
	results := []string{"results.json", "results.md", "curves.csv", "steps.csv"}
	a.draw = func(*Results) ([]byte, error) {
		for _, name := range results {
			st, err := os.Stat(filepath.Join(b.folder, name))
			require.NoError(t, err, "it is written before the figure")
			require.Positive(t, st.Size(), name)
			require.NoError(t, os.Remove(filepath.Join(b.folder, name))) // a figure of an earlier run does not count
		}
		return nil, errors.New("no ink")
	}
	for _, name := range results {
		require.NoError(t, os.Remove(filepath.Join(b.folder, name)))
	}
	r, err := a.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, r.Variants[1].Difference.N)
	require.Equal(t, results, r.Files)
	require.NotEmpty(t, warnings)
	require.Equal(t, filepath.Join(b.folder, "figure.svg")+": no ink; the results are in results.json, results.md, curves.csv, steps.csv", warnings[0])
	require.NoFileExists(t, filepath.Join(b.folder, "figure.svg"), "an older one shows other results")
}

// One update in one epoch with one seed gives single points, so no axis has two different values. A
// run that diverges at once gives none.
func TestFigureOfFewUpdates(t *testing.T) {
	for _, poison := range []string{"", Baseline, "default"} {
		b := newBench(t)
		b.poison = poison
		c := baseConfig()
		c.Epochs, c.Batch, c.LogEvery = 1, 52, 1
		a := b.ablation(c, Options{Seeds: "1"})
		a.Warn = func(err error) { require.NoError(t, err) }
		r, err := a.Run(t.Context())
		require.NoError(t, err)
		require.Contains(t, r.Files, "figure.svg")
	}
}

// A run that diverges is recorded, the others go on, and it is not repeated.
func TestDivergedRun(t *testing.T) {
	b := newBench(t)
	b.poison = "conv1"
	o := Options{Variants: "conv1; conv1:0.1", Seeds: "2"}
	r, err := b.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Len(t, b.opened, 6)
	bad, good := r.Variants[1], r.Variants[2]
	require.Equal(t, Diverged, bad.Runs[0].State)
	require.Contains(t, bad.Runs[1].Note, "training has diverged")
	require.Equal(t, "conv1: drop", bad.Conclusion())
	require.Equal(t, 2, good.Difference.N)
	require.Contains(t, string(r.Markdown()), "| `conv1` | 0/2, 2 diverged | – |")
	_, err = b.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Len(t, b.opened, 6)

	b = newBench(t)
	b.poison = Baseline
	r, err = b.ablation(baseConfig(), o).Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, Keep, r.Variants[1].Verdict, "it trains where the baseline diverges")
}

// A run whose first session ended before its first checkpoint starts again, whatever files it left.
func TestRunWithoutCheckpoint(t *testing.T) {
	b := newBench(t)
	a := b.ablation(baseConfig(), Options{Seeds: "1"})
	left := a.Plan.Runs(b.folder)[1].Folder
	require.NoError(t, os.MkdirAll(filepath.Dir(left.Last()), 0o755))
	require.NoError(t, os.WriteFile(left.Log(), []byte(`{"kind":"inter`), 0o644))
	require.NoError(t, os.WriteFile(File(b.folder), a.Plan.YAML(), 0o644))
	r, err := a.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, Finished, r.Variants[1].Runs[0].State)
}

// Differences have the standard deviation and the interval of a textbook, and verdicts follow from
// the interval.
func TestVerdicts(t *testing.T) {
	d := difference([]float64{0.005, 0.006, 0.007})
	require.InDelta(t, 0.006, d.Mean, 1e-15)
	require.InDelta(t, 0.001, d.SD, 1e-15)
	require.InDelta(t, 0.001/math.Sqrt(3), d.SE, 1e-15)
	require.InDelta(t, 4.302653*0.001/math.Sqrt(3), d.Half, 1e-9, "t of 2 degrees of freedom")
	require.InDelta(t, 12.7062*0.0005, difference([]float64{0, 0.001}).Half, 1e-7, "t of 1 degree of freedom")
	v := VariantResult{Heads: "conv1", Difference: &d, Verdict: d.verdict(0, 0)}
	require.Equal(t, "conv1: +0.60 ± 0.25 points at 3 seeds, keep", v.Conclusion())
	for _, c := range []struct {
		v                 []float64
		diverged, rescued int
		want              Verdict
	}{
		{nil, 0, 0, MoreSeeds},
		{[]float64{0.3}, 0, 0, MoreSeeds},
		{nil, 0, 2, Keep},
		{nil, 0, 1, MoreSeeds},
		{[]float64{0.01, 0.011, 0.012}, 1, 0, Drop},
		{[]float64{0.01, 0.011, 0.012}, 0, 0, Keep},
		{[]float64{-0.01, -0.011, -0.012}, 0, 0, Drop},
		{[]float64{0.001, -0.001, 0}, 0, 0, NoDifference},
		{[]float64{0.01, -0.01, 0}, 0, 0, MoreSeeds},
		{[]float64{0.001, 0.02}, 0, 0, MoreSeeds},
	} {
		require.Equal(t, c.want, difference(c.v).verdict(c.diverged, c.rescued), "%v", c.v)
	}
}

// The 95 % interval of a paired difference covers the truth 95 times of a hundred, even at few
// seeds.
func TestIntervalsCover(t *testing.T) {
	r := graph.NewRandom(3, "cover")
	for _, n := range []int{2, 3, 6} {
		const trials = 4000
		covered := 0
		for range trials {
			var v []float64
			for range n {
				v = append(v, 0.01+0.02*r.Normal())
			}
			if d := difference(v); math.Abs(d.Mean-0.01) <= d.Half {
				covered++
			}
		}
		require.InDelta(t, 0.95, float64(covered)/trials, 0.015, "%d seeds", n)
	}
}

// The loss at a moment is the mean over the last 50 updates, and a run counts as having learnt only
// after as many.
func TestFirstBelow(t *testing.T) {
	run := RunResult{updates: 100}
	for i, loss := range []float64{1, 0.1, 1, 1, 0.4, 0.4} { // intervals of 25 updates
		run.intervals = append(run.intervals, train.Interval{Step: 25 * (i + 1), Train: train.Result{Images: 200, Heads: []train.HeadResult{{Name: "main", Loss: loss}}}})
	}
	require.Equal(t, 0.5, run.firstBelow(0.55), "the mean of 1 and 0.1")
	require.Equal(t, 1.5, run.firstBelow(0.45))
	require.Zero(t, run.firstBelow(0.3))
}

// An ablation's heads are its variants: heads of the program's own would be in all of them.
func TestNewRefusesHeads(t *testing.T) {
	b := newBench(t)
	o := b.options()
	o.Heads = []auxhead.Spec{{At: "conv1", Weight: 0.3}}
	_, err := New(t.Context(), baseConfig(), Options{Variants: "conv1:0.1:gap", Seeds: "1"}, b.folder, o)
	require.ErrorContains(t, err, "takes the heads from its variants")
}

// Notes about the data come once, however many runs read them.
func TestNotesComeOnce(t *testing.T) {
	b := newBench(t)
	o := b.options()
	o.Data.Notes = []string{"about the data"}
	var notes []string
	o.Report = func(e train.Event) {
		if n, ok := e.(train.Note); ok {
			notes = append(notes, n.Text)
		}
	}
	c := baseConfig()
	c.Epochs = 1
	a, err := New(t.Context(), c, Options{Variants: "conv1:0.1:gap", Seeds: "1"}, b.folder, o)
	require.NoError(t, err)
	_, err = a.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, len(slices.DeleteFunc(slices.Clone(notes), func(s string) bool { return s != "about the data" })))
	require.Len(t, notes, 2, "and one that the last batch is not filled")
}
