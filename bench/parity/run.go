package parity

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
)

// The bars of parity.
const (
	LossFP64     = 1e-10 // relative error of a loss
	GradientFP64 = 1e-7  // relative L2 error of each parameter's gradient
	LossFP32     = 1e-4
	TimesTorch   = 2 // fp32: worst and median error of a gradient, as a multiple of PyTorch's own in float32
	// sampling allows for estimated errors. The worst of hundreds of estimates, each with a
	// standard deviation of 18 %, comes out up to half too high. compare.py, which compares whole
	// tensors, has no such allowance.
	sampling = 1.5
)

// Deviation is one compared value.
type Deviation struct {
	Name  string  // loss.aux1, logits.main, or a parameter's name in files
	Error float64 // relative; an estimate for tensors, see Digest.Error
}

// Report is the comparison of a backend with a fixture.
type Report struct {
	Fixture    *Fixture
	Precision  graph.Precision
	Losses     []Deviation
	Logits     []Deviation
	Gradients  []Deviation
	Statistics []Deviation
}

// Options returns the options of the plan for Run: all heads, no dropout, and gradients that remain
// as the result.
func (f *Fixture) Options(target graph.Target) graph.Options {
	return graph.Options{Batch: f.Batch, Training: true, NoDropout: true, Target: target}
}

// Run computes the fixture's training step on a backend, from generated weights and images, and
// compares the results.
func Run(ctx context.Context, b graph.Backend, f *Fixture) (*Report, error) {
	m, err := inception.Build(f.Network, inception.Config{Height: f.Size, Width: f.Size})
	if err != nil {
		return nil, err
	}
	layout, err := graph.NewLayout(m.Graph)
	if err != nil {
		return nil, err
	}
	plan, err := graph.Compile(m.Graph, layout, f.Options(b.Target()))
	if err != nil {
		return nil, err
	}
	values, err := Weights(m.Graph)
	if err != nil {
		return nil, err
	}
	state, err := b.NewState(layout, graph.StateOptions{})
	if err != nil {
		return nil, err
	}
	defer state.Close()
	if err := values.Set(state, graph.Value); err != nil {
		return nil, err
	}
	prog, err := b.Load(plan, state)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	batch, err := Batch(f.Batch, f.Size, m.Config.Classes)
	if err != nil {
		return nil, err
	}
	if err := prog.Run(ctx, &graph.Feed{Images: batch.Images, Labels: batch.Labels, HeadWeights: f.weights(plan)}); err != nil {
		return nil, err
	}
	return f.compare(b.Target().Precision, state, prog)
}

// weights returns the fixture's head weights in a plan's order.
func (f *Fixture) weights(p *graph.Plan) []float64 {
	out := make([]float64, len(p.Losses))
	for i, l := range p.Losses {
		out[i] = 1
		if w, ok := f.HeadWeights[l.Name]; ok {
			out[i] = w
		}
	}
	return out
}

func (f *Fixture) compare(precision graph.Precision, s graph.State, p graph.Program) (*Report, error) {
	r := &Report{Fixture: f, Precision: precision}
	results, err := interop.Results(p)
	if err != nil {
		return nil, err
	}
	logits := map[string]Digest{}
	for h, d := range f.Logits {
		logits["logits."+h] = d
	}
	var tensors []interop.Tensor
	for _, t := range results {
		if head, ok := strings.CutPrefix(t.Name, "loss."); ok {
			want, ok := f.Losses[head]
			if !ok {
				return nil, fmt.Errorf("the fixture has no loss %q", head)
			}
			r.Losses = append(r.Losses, Deviation{t.Name, math.Abs(t.Data.([]float64)[0]/want - 1)})
			continue
		}
		tensors = append(tensors, t)
	}
	if r.Logits, err = compareAll(tensors, logits); err != nil {
		return nil, err
	}
	gradients, err := interop.Gradients(s)
	if err != nil {
		return nil, err
	}
	if r.Gradients, err = compareAll(gradients, f.Gradients); err != nil {
		return nil, err
	}
	statistics, err := runningStatistics(s)
	if err != nil {
		return nil, err
	}
	r.Statistics, err = compareAll(statistics, f.Statistics)
	return r, err
}

func runningStatistics(s graph.State) ([]interop.Tensor, error) {
	names, err := interop.NewNames(s.Layout().Graph)
	if err != nil {
		return nil, err
	}
	var out []interop.Tensor
	for _, n := range names.All() {
		if !n.Param.IsStatistic() {
			continue
		}
		d, err := s.Get(graph.Value, n.Param)
		if err != nil {
			return nil, err
		}
		t, err := n.ToFile(d)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// compareAll compares tensors with digests one to one.
func compareAll(tensors []interop.Tensor, digests map[string]Digest) ([]Deviation, error) {
	if len(tensors) != len(digests) {
		return nil, fmt.Errorf("%d tensors, the fixture has %d", len(tensors), len(digests))
	}
	var out []Deviation
	for _, t := range tensors {
		d, ok := digests[t.Name]
		if !ok {
			return nil, fmt.Errorf("the fixture has no %q", t.Name)
		}
		e, err := d.Error(t)
		if err != nil {
			return nil, err
		}
		out = append(out, Deviation{t.Name, e})
	}
	return out, nil
}

// Worst returns the largest deviation; NaN counts as larger than any number.
func Worst(ds []Deviation) Deviation {
	var worst Deviation
	for _, d := range ds {
		if !(d.Error <= worst.Error) {
			worst = d
		}
		if math.IsNaN(worst.Error) {
			break
		}
	}
	return worst
}

// Median returns the median error.
func Median(ds []Deviation) float64 {
	v := make([]float64, len(ds))
	for i, d := range ds {
		v[i] = d.Error
	}
	return median(v)
}

// Check applies the bars of the report's precision (FP64, otherwise those of fp32) and returns an
// error that lists the deviations above them.
func (r *Report) Check() error {
	var missed []string
	bar := func(d Deviation, most float64) {
		if !(d.Error <= most) {
			missed = append(missed, fmt.Sprintf("%s: error %.3g is above %.3g", d.Name, d.Error, most))
		}
	}
	lossBar := LossFP32
	if r.Precision == graph.FP64 {
		lossBar = LossFP64
	}
	for _, d := range r.Losses {
		bar(d, lossBar)
	}
	own := r.Fixture.Float32
	if r.Precision == graph.FP64 {
		for _, d := range slices.Concat(r.Gradients, r.Logits, r.Statistics) {
			bar(d, GradientFP64)
		}
	} else {
		worst := Worst(r.Gradients)
		bar(worst, sampling*TimesTorch*own.Worst)
		bar(Deviation{"median gradient", Median(r.Gradients)}, TimesTorch*own.Median)
	}
	if len(missed) > 0 {
		return fmt.Errorf("%s\nmisses:\n  %s", r, strings.Join(missed, "\n  "))
	}
	return nil
}

// String returns the report in one line.
func (r *Report) String() string {
	f, w := r.Fixture, Worst(r.Gradients)
	return fmt.Sprintf("%s %dx%d batch %d %s: losses within %.2g; %d gradients: worst %.2g (%s), median %.2g; PyTorch float32: worst %.2g, median %.2g",
		f.Network, f.Size, f.Size, f.Batch, r.Precision, Worst(r.Losses).Error, len(r.Gradients), w.Error, w.Name, Median(r.Gradients), f.Float32.Worst, f.Float32.Median)
}
