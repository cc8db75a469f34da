package cpu_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"gorgonia.org/tensor"
)

// The same seed gives the same bits for any number of threads, after three updates of the small
// network.
func TestResultsDoNotDependOnThreads(t *testing.T) {
	var want []*tensor.Dense
	for _, threads := range []int{1, 2, 3, 5} {
		m, err := inception.Build("inception_small", inception.Config{})
		require.NoError(t, err)
		l, err := graph.NewLayout(m.Graph)
		require.NoError(t, err)
		b, err := cpu.New(cpu.Options{Threads: threads, Debug: cpu.Debug{Poison: true}})
		require.NoError(t, err)
		st, err := b.NewState(l, graph.StateOptions{Slots: 1})
		require.NoError(t, err)
		for _, p := range l.Params {
			require.NoError(t, st.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(7)))))
		}
		p, err := graph.Compile(m.Graph, l, graph.Options{Batch: 6, Training: true, Target: b.Target(),
			Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, ClipNorm: 1}})
		require.NoError(t, err)
		pr, err := b.Load(p, st)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(3, 4))
		for step := range 3 {
			f := &graph.Feed{Images: make([]float32, p.Images.Elements()), Labels: make([]int32, 6), Step: uint64(step), Seed: 9, LR: 0.1}
			for i := range f.Images {
				f.Images[i] = float32(rng.NormFloat64())
			}
			for i := range f.Labels {
				f.Labels[i] = int32(rng.IntN(10))
			}
			require.NoError(t, pr.Run(context.Background(), f))
		}
		for i, q := range l.Params {
			v, err := st.Get(graph.Value, q)
			require.NoError(t, err)
			if threads == 1 {
				want = append(want, v)
				continue
			}
			require.Equal(t, want[i].Data(), v.Data(), "%s on %d threads", q.Name, threads)
		}
	}
}

func TestAveragesMustExist(t *testing.T) {
	m, err := inception.Build("inception_small", inception.Config{})
	require.NoError(t, err)
	l, err := graph.NewLayout(m.Graph)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	st, err := b.NewState(l, graph.StateOptions{})
	require.NoError(t, err)
	p, err := graph.Compile(m.Graph, l, graph.Options{Batch: 1, Target: b.Target()})
	require.NoError(t, err)
	pr, err := b.Load(p, st)
	require.NoError(t, err)
	f := &graph.Feed{Images: make([]float32, p.Images.Elements()), Labels: make([]int32, 1), UseAverages: true}
	require.ErrorContains(t, pr.Run(context.Background(), f), "moving averages")
}
