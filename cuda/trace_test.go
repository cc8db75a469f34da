//go:build cuda

package cuda

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"gorgonia.org/tensor"
)

// Eight steps of training with heads, dropout, momentum and weight decay give the losses on the GPU that they give on the CPU, and the
// first step gives the same gradients. How far rounding carries a run away is the CPU's own answer: the yardstick is its result in
// the same precision (float32, or float64 that rounds where the GPU does), and its distance from float64. Losses may be four times
// as far from float64 as the yardstick has been in any head by the same step, or a few roundings of the precision; all gradients
// together twice as far. In float32 a few roundings are not all: one maximum that falls to another of two equal elements is 1e-4 of a
// loss five steps later, on the emulator and on the PTX machine. A longer run would say nothing: training at a batch that suits a test is chaotic, on the CPU as well.
func TestTrainingTrace(t *testing.T) {
	for _, c := range []struct {
		network     string
		side, batch int
	}{
		{"inception_small", 28, 8},
		{"googlenet", 64, 4},
	} {
		const steps = 8
		onCPU := func(p graph.Precision) run {
			b, err := cpu.New(cpu.Options{Precision: p})
			require.NoError(t, err)
			return trace(t, b, c.network, c.side, c.batch, steps)
		}
		exact := sync.OnceValue(func() run { return onCPU(graph.FP64) })
		for p, few := range map[graph.Precision]float64{graph.FP32: 1e-3, graph.TF32: 1.0 / (1 << 10), graph.BF16: 1.0 / (1 << 7)} {
			t.Run(c.network+"/"+string(p), func(t *testing.T) {
				if testing.Short() && (c.side > 28 || p == graph.TF32) {
					t.Skip("a minute under the sanitizers")
				}
				gpu, err := New(Options{Precision: p})
				require.NoError(t, err)
				got, own := trace(t, gpu, c.network, c.side, c.batch, steps), onCPU(p)
				bound := few
				for step, want := range exact().losses {
					for i, w := range want {
						bound = max(bound, 4*math.Abs(own.losses[step][i]-w)/w)
					}
					for i, w := range want {
						require.InEpsilon(t, w, got.losses[step][i], bound, "loss %d of step %d", i, step)
					}
				}
				g, o := distance(got.gradient, exact().gradient), distance(own.gradient, exact().gradient)
				require.LessOrEqual(t, g, max(2*o, 2e-7), "relative L2 error of the first step's gradient, the yardstick's is %g", o)
				t.Logf("first losses %.6f, %.6f on the CPU, %.6f in float64; last ones %.6f, %.6f, %.6f; gradient off by %.1e, %.1e on the CPU; bound of the losses %.1g",
					got.losses[0], own.losses[0], exact().losses[0], got.losses[steps-1], own.losses[steps-1], exact().losses[steps-1], g, o, bound)
			})
		}
	}
}

// run is what a trace leaves.
type run struct {
	losses   [][]float64 // of every head, before each step
	gradient []float64   // of all parameters in the first step
}

// distance is |a-b|/|b|.
func distance(a, b []float64) float64 {
	var d, n float64
	for i := range b {
		d += (a[i] - b[i]) * (a[i] - b[i])
		n += b[i] * b[i]
	}
	return math.Sqrt(d / n)
}

// trace trains a network for some steps on random images.
func trace(t *testing.T, b graph.Backend, network string, side, batch, steps int) run {
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
	var out run
	for step := range steps {
		f := &graph.Feed{Images: make([]float32, p.Images.Elements()), Labels: make([]int32, batch), Step: uint64(step), Seed: 4, LR: 0.001}
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
		out.losses = append(out.losses, row)
		for _, p := range l.Params {
			if step > 0 || !l.IsTrained(p) {
				continue
			}
			d, err := st.Get(graph.Gradient, p)
			require.NoError(t, err)
			switch v := d.Data().(type) {
			case []float32:
				for _, x := range v {
					out.gradient = append(out.gradient, float64(x))
				}
			case []float64:
				out.gradient = append(out.gradient, v...)
			}
		}
	}
	return out
}
