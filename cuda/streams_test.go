//go:build cuda

package cuda

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/cuda/driver/drivertest"
)

// Steps that run side by side give the same bits as steps that run one after another. With
// EMULATOR_SEED set, the emulator runs them in another order than the plan's.
func TestStreams(t *testing.T) {
	m, err := inception.Build("inception_small", inception.Config{Classes: 10})
	require.NoError(t, err)
	layout, err := graph.NewLayout(m.Graph)
	require.NoError(t, err)
	var results [2][]any
	for i, serial := range []bool{true, false} {
		b, err := New(Options{Precision: graph.BF16, Debug: Debug{Serial: serial}})
		require.NoError(t, err)
		defer drivertest.Close(t, b)
		st, err := b.NewState(layout, graph.StateOptions{Slots: 1})
		require.NoError(t, err)
		defer drivertest.Close(t, st)
		rng := rand.New(rand.NewPCG(7, 8))
		for _, q := range layout.Params {
			v := make([]float32, q.Elements())
			for j := range v {
				v[j] = 0.05 + 0.1*rng.Float32()
			}
			require.NoError(t, st.Set(graph.Value, q, tensor.New(tensor.WithShape(q.Dims...), tensor.WithBacking(v))))
		}
		plan, err := graph.Compile(m.Graph, layout, graph.Options{Batch: 4, Training: true, Target: b.Target(), Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9}})
		require.NoError(t, err)
		pr, err := b.Load(plan, st)
		require.NoError(t, err)
		defer drivertest.Close(t, pr)
		f := &graph.Feed{Labels: []int32{3, 1, 4, 9}, LR: 0.1}
		for range 4 * plan.Images.Shape.Elements() {
			f.Images = append(f.Images, float32(rng.NormFloat64()))
		}
		for range 3 {
			require.NoError(t, pr.Run(context.Background(), f))
			metrics, err := pr.Metrics()
			require.NoError(t, err)
			results[i] = append(results[i], *metrics)
		}
		for _, part := range st.Parts() {
			for _, q := range layout.Params {
				if v, err := st.Get(part, q); err == nil {
					results[i] = append(results[i], v.Data())
				}
			}
		}
		if b.device.Blocking {
			continue
		}
		g := pr.(*program).bound[0].graph
		require.Equal(t, pr.Launches()+2, g.Nodes(), "launches, one copy in and one out")
		require.Len(t, st.(*state).beside, map[bool]int{true: 0, false: maxStreams - 1}[serial])
	}
	require.Equal(t, results[0], results[1])
}
