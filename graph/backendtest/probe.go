package backendtest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// probes checks what probes measure, and that they change nothing: gradients have the same bits with them, and running statistics
// stay as they are where they are frozen.
func (s *suite) probes(t *testing.T) {
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
	pr, _ := f.run(o, f.feed())
	require.Equal(t, plain, f.gradients(), "gradients with probes have the same bits")
	for p, v := range statistics {
		require.Equal(t, v, f.get(graph.Value, p), "frozen %s", p.Name)
	}
	got, err := pr.ProbeResults()
	require.NoError(t, err)
	require.Len(t, got, len(o.Probes))
	var want []graph.ProbeResult
	if f.twin != nil {
		want, err = f.twin.programs[pr].ProbeResults()
		require.NoError(t, err)
	} else {
		f.ref.run()
	}
	index := map[graph.Probe]int{}
	for i, p := range pr.Plan().Probes {
		index[p.Probe] = i
	}
	for _, p := range o.Probes {
		m := got[index[p]]
		require.Equal(t, p, m.Probe)
		n, err := f.g.Find(p.Node)
		require.NoError(t, err)
		c := n.Shape().C
		require.Equal(t, n.Shape().Pixels(), m.Rows)
		require.Len(t, m.Squares, c)
		squares, zeros := make([]float64, c), make([]float64, c)
		switch {
		case want != nil:
			squares, zeros = want[index[p]].Squares, want[index[p]].Zeros
		case !p.Gradient:
			for i, v := range f.ref.values[n] {
				squares[i%c] += v * v
				if !(v > 0) {
					zeros[i%c]++
				}
			}
		case n.Shape().Pixels() == 1: // a bias in front of one row: its gradient is the row's
			q, err := f.g.Param(p.Node + "/bias")
			require.NoError(t, err)
			for i, v := range f.get(graph.Gradient, q) {
				squares[i] = v * v
			}
			zeros = m.Zeros
		default:
			require.Positive(t, relativeError(m.Squares, squares), "there is a gradient at %s", p.Node)
			continue
		}
		require.LessOrEqual(t, relativeError(m.Squares, squares), max(4*f.gradient, 1e-5), "squares of %s", p)
		require.LessOrEqual(t, relativeError(m.Zeros, zeros), 4*f.value, "zeros of %s", p)
	}

	_, err = graph.Compile(f.g, f.layout, graph.Options{Batch: 1, Target: s.b.Target(), Probes: []graph.Probe{{Node: "mixed1", Gradient: true}}})
	require.ErrorContains(t, err, "no gradients")
	o.Probes = []graph.Probe{{Node: "mixd1"}}
	_, err = graph.Compile(f.g, f.layout, o)
	require.ErrorContains(t, err, "mixed1")
}

// comparisons checks what a state says about two parts, and that copies are copies.
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
