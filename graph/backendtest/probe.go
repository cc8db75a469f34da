package backendtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// probed are the probes of suite.probes: activations and gradients wherever plans differ.
var probed = []graph.Probe{
	{Node: "image"},
	{Node: "stem/conv"}, // read by a batch normalisation
	{Node: "stem/relu"}, // fused into one
	{Node: "mixed1"},    // a concatenation
	{Node: "mixed1/tower3x3"},
	{Node: "mixed1/tower5x5/relu"}, // slices of the concatenation
	{Node: "mixed1/reduce3x3/relu"},
	{Node: "mixed2/tower3x3"}, // an epilogue's ReLU
	{Node: "mixed2/tower1x1/bias"},
	{Node: "pool"},
	{Node: "residual"},
	{Node: "residual/relu"},
	{Node: "gap"},
	{Node: "dropout"},
	{Node: "fc/bias"},
	{Node: "aux1/fc/bias"},
	{Node: "stem/conv", Gradient: true},
	{Node: "stem/bn", Gradient: true}, // zero where a ReLU is off
	{Node: "stem/relu", Gradient: true},
	{Node: "mixed1", Gradient: true}, // a head adds to it
	{Node: "mixed1/tower3x3", Gradient: true},
	{Node: "mixed1/tower5x5/bn", Gradient: true},
	{Node: "mixed1/pool", Gradient: true},
	{Node: "pool", Gradient: true}, // siblings and a pooling add to it
	{Node: "mixed2", Gradient: true},
	{Node: "mixed2/tower3x3", Gradient: true}, // a head on one tower
	{Node: "mixed2/reduce3x3/bias", Gradient: true},
	{Node: "residual/conv", Gradient: true},
	{Node: "residual", Gradient: true},
	{Node: "gap", Gradient: true},
	{Node: "fc/bias", Gradient: true},
	{Node: "aux1/fc/bias", Gradient: true},
}

// probes checks what probes measure, and that they change nothing: gradients have the same bits
// with probes, and frozen running statistics stay as they are.
func (s *suite) probes(t *testing.T) {
	for _, wrong := range s.wrongProbes(t) {
		t.Error(wrong)
	}
	rng := rand.New(rand.NewPCG(s.seed, 6))
	f := s.fixture(t, network(7), 1, rng)
	f.run(f.options(), f.feed())
	plain := f.gradients()
	statistics := map[*graph.Param][]float64{}
	for _, p := range f.layout.Params {
		if p.IsStatistic() {
			statistics[p] = f.get(graph.Value, p)
		}
	}
	o := f.options()
	o.FreezeStatistics = true
	o.Probes = []graph.Probe{{Node: "stem/relu"}, {Node: "mixed1"}, {Node: "mixed2/tower3x3"}, {Node: "residual"}, {Node: "fc/bias", Gradient: true},
		{Node: "aux1/fc/bias"}, {Node: "aux1/fc/bias", Gradient: true}, {Node: "mixed1", Gradient: true}}
	f.run(o, f.feed())
	require.Equal(t, plain, f.gradients(), "gradients with probes have the same bits")
	for p, v := range statistics {
		require.Equal(t, v, f.get(graph.Value, p), "frozen %s", p.Name)
	}

	_, err := graph.Compile(f.g, f.layout, graph.Options{Batch: 1, Target: s.b.Target(), Probes: []graph.Probe{{Node: "mixed1", Gradient: true}}})
	require.ErrorContains(t, err, "no gradients")
	o.Probes = []graph.Probe{{Node: "mixd1"}}
	_, err = graph.Compile(f.g, f.layout, o)
	require.ErrorContains(t, err, "mixed1")
}

// wrongProbes returns the differences between the results of probes and the reference's values and
// gradients, in a second run of a plan with all fusions and of a plan without fusions.
func (s *suite) wrongProbes(t *testing.T) (wrong []error) {
	rng := rand.New(rand.NewPCG(s.seed, 11))
	f := s.fixture(t, network(7), 2, rng)
	f.ref.run()
	for _, u := range []graph.Fusions{s.b.Target().Fusions, {}} {
		o := f.options()
		o.Fusions, o.Probes = u, probed
		pr, _ := f.run(o, f.feed())
		f.again(pr, f.feed())
		require.Len(t, pr.Plan().Probes, len(probed))
		wrong = append(wrong, f.wrongProbes(pr)...)
	}
	return wrong
}

// wrongProbes returns the differences in the results of a program's probes in its last run.
func (f *fixture) wrongProbes(pr graph.Program) (wrong []error) {
	f.t.Helper()
	got, err := pr.ProbeResults()
	require.NoError(f.t, err)
	require.Len(f.t, got, len(pr.Plan().Probes))
	var model []graph.ProbeResult
	if f.twin != nil {
		model, err = f.twin.programs[pr].ProbeResults()
		require.NoError(f.t, err)
		f.ref.run()
	}
	gradients, _ := f.ref.reverse(f.g.Losses(), f.weights)
	for i, step := range pr.Plan().Probes {
		p, m := step.Probe, got[i]
		n, err := f.g.Find(p.Node)
		require.NoError(f.t, err)
		values, bound := f.ref.values[n], 4*f.value
		if p.Gradient {
			values, bound = gradients[n], 4*f.gradient
		}
		if f.twin != nil {
			wrong = append(wrong, checkProbe(m, sights{model[i], make([]float64, n.Shape().C)}, bound)...)
			bound = loose[f.b.Target().Precision]
		}
		wrong = append(wrong, checkProbe(m, see(p, values, n.Shape().C, bound), bound)...)
	}
	return wrong
}

// loose is how far a precision that rounds may be from the reference: roundings add up over the
// layers, and change decisions of ReLUs and maxima.
var loose = map[graph.Precision]float64{graph.TF32: 0.03, graph.BF16: 0.15}

// sights are the expected results of a probe.
type sights struct {
	graph.ProbeResult
	unsure []float64 // per channel: the number of values so close to zero that rounding decides their sign
}

// see returns the expected results of a probe of values with c channels.
func see(p graph.Probe, values []float64, c int, bound float64) sights {
	s := sights{graph.ProbeResult{Probe: p, Rows: len(values) / c, Squares: make([]float64, c), Zeros: make([]float64, c)}, make([]float64, c)}
	near := bound * norm(values) / math.Sqrt(float64(len(values)))
	for i, v := range values {
		s.Squares[i%c] += v * v
		if !(v > 0) {
			s.Zeros[i%c]++
		}
		if v != 0 && math.Abs(v) <= near {
			s.unsure[i%c]++
		}
	}
	return s
}

// checkProbe compares the results of a probe with the expected ones, by relative L2 errors over the
// channels.
func checkProbe(got graph.ProbeResult, want sights, bound float64) (wrong []error) {
	if got.Probe != want.Probe || got.Rows != want.Rows || len(got.Squares) != len(want.Squares) || len(got.Zeros) != len(want.Zeros) {
		return []error{fmt.Errorf("probe %s: it is of %s, with %d rows of %d and %d channels, not %d of %d", want.Probe, got.Probe,
			got.Rows, len(got.Squares), len(got.Zeros), want.Rows, len(want.Squares))}
	}
	if e := relativeError(got.Squares, want.Squares); e > bound {
		wrong = append(wrong, fmt.Errorf("probe %s: squares are off by %.3g, at most %.3g\n  got  %.6g\n  want %.6g", want.Probe, e, bound, got.Squares, want.Squares))
	}
	zeros := slices.Clone(want.Zeros) // the possible numbers that are closest to the results
	for c, z := range zeros {
		zeros[c] = min(max(got.Zeros[c], z-want.unsure[c]), z+want.unsure[c])
	}
	if e := distance(got.Zeros, zeros) / max(norm(want.Zeros), 1); !(e <= bound) {
		wrong = append(wrong, fmt.Errorf("probe %s: numbers of zeros are off by %.3g, at most %.3g\n  got  %v\n  want %v", want.Probe, e, bound, got.Zeros, want.Zeros))
	}
	return wrong
}

// comparisons checks State.Compare for pairs of parts, and that State.Copy copies.
func (s *suite) comparisons(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 7))
	f := s.fixture(t, network(5), 2, rng)
	f.run(f.options(), f.feed())
	require.NoError(t, f.state.Copy(graph.Snapshot(0), graph.Value))
	require.NoError(t, f.state.Copy(graph.Snapshot(1), graph.Gradient))
	before := map[*graph.Param][2][]float64{}
	for _, p := range f.layout.Params {
		v := [2][]float64{f.get(graph.Value, p), nil}
		if f.layout.IsTrained(p) {
			v[1] = f.get(graph.Gradient, p)
		}
		before[p] = v
		other := make([]float32, p.Elements())
		for i := range other {
			other[i] = float32(rng.NormFloat64())
		}
		f.set(graph.Value, p, other)
	}
	check := func(a, b graph.Part, of func(p *graph.Param) (x, y []float64)) {
		t.Helper()
		got, err := f.state.Compare(a, b)
		require.NoError(t, err)
		require.Len(t, got, len(f.layout.Params))
		for i, p := range f.layout.Params {
			x, y := of(p)
			var want graph.Comparison
			for k := range min(len(x), len(y)) {
				want.Dot += x[k] * y[k]
				want.Squares += x[k] * x[k]
				want.Apart += (x[k] - y[k]) * (x[k] - y[k])
			}
			require.InDelta(t, want.Dot, got[i].Dot, 1e-9*(want.Squares+want.Apart), "%s and %s: %s", a, b, p.Name)
			require.InDelta(t, want.Squares, got[i].Squares, 1e-9*want.Squares, "%s: %s", a, p.Name)
			require.InDelta(t, want.Apart, got[i].Apart, 1e-9*want.Apart, "%s and %s: %s", a, b, p.Name)
		}
	}
	check(graph.Snapshot(0), graph.Value, func(p *graph.Param) (x, y []float64) { return before[p][0], f.get(graph.Value, p) })
	check(graph.Snapshot(1), graph.Gradient, func(p *graph.Param) (x, y []float64) { return before[p][1], before[p][1] })
	check(graph.Snapshot(1), graph.Snapshot(0), func(p *graph.Param) (x, y []float64) { return before[p][1], before[p][0] })
	_, err := f.state.Compare(graph.Slot0, graph.Value)
	require.ErrorContains(t, err, "neither the values, the gradient nor one of the state's 2 snapshots")
	require.ErrorContains(t, f.state.Copy(graph.Value, graph.Gradient), "copies go to snapshots")
}
