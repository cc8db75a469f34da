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
	got, err := pr.Measures()
	require.NoError(t, err)
	require.Len(t, got, len(o.Probes))
	var want []graph.Measure
	if f.twin != nil {
		want, err = f.twin.programs[pr].Measures()
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
