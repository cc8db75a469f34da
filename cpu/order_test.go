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

// The steps of a plan give the same bits in every order that Plan.Dependencies allows: the steps do
// not depend on each other in other ways.
func TestStepsInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m, err := inception.Build("inception_small", inception.Config{Classes: 10})
	require.NoError(t, err)
	layout, err := graph.NewLayout(m.Graph)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{Debug: cpu.Debug{Poison: true}})
	require.NoError(t, err)
	defer b.Close()
	o := graph.Options{Batch: 2, Training: true, Target: b.Target(), Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, EMA: true}}
	var values [][]float32
	for _, q := range layout.Params {
		v := make([]float32, q.Elements())
		for i := range v {
			v[i] = 0.1 + 0.1*rng.Float32()
		}
		values = append(values, v)
	}
	feed := &graph.Feed{Labels: []int32{3, 7}, LR: 0.1, EMADecay: 0.9, Seed: 1}
	in := m.Graph.InputNode().Shape()
	for range 2 * in.Elements() {
		feed.Images = append(feed.Images, float32(rng.NormFloat64()))
	}
	// result returns everything that a run leaves.
	result := func(p *graph.Plan) (all []any) {
		st, err := b.NewState(layout, graph.StateOptions{Slots: 1, EMA: true})
		require.NoError(t, err)
		defer st.Close()
		for i, q := range layout.Params {
			for _, part := range []graph.Part{graph.Value, graph.Average} {
				require.NoError(t, st.Set(part, q, tensor.New(tensor.WithShape(q.Dims...), tensor.WithBacking(values[i]))))
			}
		}
		pr, err := b.Load(p, st)
		require.NoError(t, err)
		defer pr.Close()
		require.NoError(t, pr.Run(context.Background(), feed))
		metrics, err := pr.Metrics()
		require.NoError(t, err)
		all = append(all, *metrics)
		for _, q := range layout.Params {
			for _, part := range st.Parts() {
				if v, err := st.Get(part, q); err == nil {
					all = append(all, v.Data())
				}
			}
		}
		return all
	}
	for _, distance := range []int{0, 8} {
		o.ReuseDistance, o.Debug.SweepPerLoss = distance, distance == 0
		p, err := graph.Compile(m.Graph, layout, o)
		require.NoError(t, err)
		want := result(p)
		for range 5 {
			q := *p
			q.Steps, q.Phases = nil, nil
			after, done := p.Dependencies(), make([]bool, len(p.Steps))
			for len(q.Steps) < len(p.Steps) {
				var ready []int
				for i, list := range after {
					ok := !done[i]
					for _, j := range list {
						ok = ok && done[j]
					}
					if ok {
						ready = append(ready, i)
					}
				}
				i := ready[rng.IntN(len(ready))]
				done[i] = true
				q.Steps, q.Phases = append(q.Steps, p.Steps[i]), append(q.Phases, p.Phases[i])
			}
			require.NotEqual(t, p.Steps, q.Steps)
			require.Equal(t, want, result(&q), "distance %d", distance)
		}
	}
}
