//go:build cuda

package cuda

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"gorgonia.org/tensor"
)

// A training run with heads, dropout, momentum and weight decay gives the same losses on the GPU. Training amplifies rounding, by
// much where batches are small; how much, the CPU's own float32 shows. So the GPU may be as far from the CPU's float64 as four
// times the CPU's float32 has been in any head by the same step, or 1e-4 in the first three steps and 1e-3 after them. Longer runs would say nothing: from the sixth step on, two correct runs of
// the small network at this batch differ by more than that.
func TestTrainingTrace(t *testing.T) {
	for _, c := range []struct {
		network            string
		side, batch, steps int
	}{
		{"inception_small", 28, 8, 5},
		{"googlenet", 64, 4, 3},
	} {
		t.Run(c.network, func(t *testing.T) {
			if testing.Short() && c.side > 28 {
				t.Skip("a minute under the sanitizers")
			}
			gpu, err := New(Options{})
			require.NoError(t, err)
			host, err := cpu.New(cpu.Options{})
			require.NoError(t, err)
			reference, err := cpu.New(cpu.Options{Precision: graph.FP64})
			require.NoError(t, err)
			got, own, want := trace(t, gpu, c.network, c.side, c.batch, c.steps), trace(t, host, c.network, c.side, c.batch, c.steps),
				trace(t, reference, c.network, c.side, c.batch, c.steps)
			bound := 1e-4
			for step := range want {
				if step == 3 {
					bound = max(bound, 1e-3)
				}
				for i, w := range want[step] {
					bound = max(bound, 4*math.Abs(own[step][i]-w)/w)
				}
				for i, w := range want[step] {
					require.InEpsilon(t, w, got[step][i], bound, "loss %d of step %d", i, step)
				}
			}
			t.Logf("losses of the last step: %.6f on the GPU, %.6f on the CPU, %.6f in float64; bound %.1g", got[c.steps-1], own[c.steps-1], want[c.steps-1], bound)
		})
	}
}

// trace trains a network for some steps on random images and returns every head's loss before each.
func trace(t *testing.T, b graph.Backend, network string, side, batch, steps int) [][]float64 {
	t.Helper()
	defer func() { require.NoError(t, b.Close()) }()
	m, err := inception.Build(network, inception.Config{Height: side, Width: side, Classes: 10})
	require.NoError(t, err)
	l, err := graph.NewLayout(m.Graph)
	require.NoError(t, err)
	st, err := b.NewState(l, graph.StateOptions{Slots: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	for _, p := range l.Params {
		require.NoError(t, st.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(3)))))
	}
	p, err := graph.Compile(m.Graph, l, graph.Options{Batch: batch, Training: true, Target: b.Target(),
		Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, WeightDecay: 1e-4}})
	require.NoError(t, err)
	pr, err := b.Load(p, st)
	require.NoError(t, err)
	defer func() { require.NoError(t, pr.Close()) }()
	rng := rand.New(rand.NewPCG(5, 6))
	var losses [][]float64
	for step := range steps {
		f := &graph.Feed{Images: make([]float32, p.Images.Elements()), Labels: make([]int32, batch), Step: uint64(step), Seed: 4, LR: 0.01}
		for i := range f.Images {
			f.Images[i] = float32(rng.NormFloat64())
		}
		for i := range f.Labels {
			f.Labels[i] = int32(rng.IntN(10))
		}
		require.NoError(t, pr.Run(context.Background(), f), fmt.Sprintf("step %d", step))
		r, err := pr.Metrics()
		require.NoError(t, err)
		var row []float64
		for _, h := range r.Heads {
			row = append(row, h.Loss)
		}
		losses = append(losses, row)
	}
	return losses
}
