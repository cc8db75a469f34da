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

// Ten steps of training with heads, dropout, momentum and weight decay give the same losses on the
// GPU as on the CPU, and the first step gives the same gradients. The CPU also shows how far
// rounding carries a run away: the yardstick is the CPU's result in the same precision (float32, or
// float64 rounded where the GPU rounds), and its distance from the result in float64. A single
// float32 run may come near float64 by luck: three more start from weights whose last bits differ,
// and the farthest counts. A loss may be four times as far from float64 as the yardsticks have been
// for any head up to the same step, or a few roundings of the precision. All gradients together may
// be twice as far. A longer run would show nothing: training with a batch small enough for a test
// is chaotic, on the CPU too.
func TestTrainingTrace(t *testing.T) {
	for _, c := range []struct {
		network     string
		side, batch int
	}{
		{"inception_small", 28, 8},
		{"googlenet", 64, 4},
	} {
		const steps = 10
		onCPU := func(p graph.Precision, nudge uint64) run {
			b, err := cpu.New(cpu.Options{Precision: p})
			require.NoError(t, err)
			return trace(t, b, c.network, c.side, c.batch, steps, nudge)
		}
		exact := sync.OnceValue(func() run { return onCPU(graph.FP64, 0) })
		for p, few := range map[graph.Precision]float64{graph.FP32: 1e-4, graph.TF32: 1.0 / (1 << 10), graph.BF16: 1.0 / (1 << 7)} {
			t.Run(c.network+"/"+string(p), func(t *testing.T) {
				if testing.Short() && (c.side > 28 || p == graph.TF32) {
					t.Skip("a minute under the sanitizers")
				}
				gpu, err := New(Options{Precision: p})
				require.NoError(t, err)
				got, own := trace(t, gpu, c.network, c.side, c.batch, steps, 0), onCPU(p, 0)
				yardsticks := []run{own}
				for nudge := uint64(1); p == graph.FP32 && nudge <= 3; nudge++ {
					yardsticks = append(yardsticks, onCPU(p, nudge))
				}
				bound := few
				for step, want := range exact().losses {
					for _, y := range yardsticks {
						for i, w := range want {
							bound = max(bound, 4*math.Abs(y.losses[step][i]-w)/w)
						}
					}
					for i, w := range want {
						require.InEpsilon(t, w, got.losses[step][i], bound, "loss %d of step %d", i, step)
					}
				}
				g, o := distance(got.gradient, exact().gradient), 0.0
				for _, y := range yardsticks {
					o = max(o, distance(y.gradient, exact().gradient))
				}
				require.LessOrEqual(t, g, max(2*o, 2e-7), "relative L2 error of the first step's gradient, the yardstick's is %g", o)
				t.Logf("first losses %.6f, %.6f on the CPU, %.6f in float64; last ones %.6f, %.6f, %.6f; gradient off by %.1e, %.1e on the CPU; bound of the losses %.1g",
					got.losses[0], own.losses[0], exact().losses[0], got.losses[steps-1], own.losses[steps-1], exact().losses[steps-1], g, o, bound)
			})
		}
	}
}

// run is the result of a trace.
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

// trace trains a network for the given number of steps on random images. A nudge other than 0
// changes the last bit of half of the first weights; its value chooses which.
func trace(t *testing.T, b graph.Backend, network string, side, batch, steps int, nudge uint64) run {
	t.Helper()
	defer func() { require.NoError(t, b.Close()) }()
	m, err := inception.Build(network, inception.Config{Height: side, Width: side, Classes: 10})
	require.NoError(t, err)
	l, err := graph.NewLayout(m.Graph)
	require.NoError(t, err)
	st, err := b.NewState(l, graph.StateOptions{Slots: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	nudges := rand.New(rand.NewPCG(7, nudge))
	for _, p := range l.Params {
		v := p.Initial(3)
		for i := range v {
			if nudge > 0 && nudges.IntN(2) == 0 {
				v[i] = math.Float32frombits(math.Float32bits(v[i]) ^ 1)
			}
		}
		require.NoError(t, st.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))))
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
