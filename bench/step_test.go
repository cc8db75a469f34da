// Package bench has the benchmarks of whole training steps, and the scripts that run the peers for
// comparison.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"gorgonia.org/tensor"
)

// BenchmarkStep measures one whole training step: forward with all heads, loss, one reverse sweep,
// SGD with momentum. The cases are those of cpu_peers.py.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		model       string
		size, batch int
		heads       bool
	}{
		{"googlenet", 224, 8, true},
		{"googlenet", 224, 8, false},
		{"inception_v3", 299, 2, true},
		{"inception_small", 28, 128, true},
	} {
		heads := "heads"
		if !c.heads {
			heads = "noheads"
		}
		b.Run(fmt.Sprintf("%s/%dpx/batch%d/%s", c.model, c.size, c.batch, heads), func(b *testing.B) {
			pr, feed := cpuStep(b, c.model, c.size, c.batch, c.heads, graph.Options{})
			b.ResetTimer()
			for range b.N {
				require.NoError(b, pr.Run(context.Background(), feed))
			}
			b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "img/s")
			b.ReportMetric(float64(pr.Plan().FLOPs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

// BenchmarkSweep compares the fused reverse sweep with one sweep for each head.
func BenchmarkSweep(b *testing.B) {
	for name, separate := range map[string]bool{"fused": false, "per_head": true} {
		b.Run(name, func(b *testing.B) {
			pr, feed := cpuStep(b, "googlenet", 224, 4, true, graph.Options{Debug: graph.Debug{SweepPerLoss: separate}})
			b.ResetTimer()
			for range b.N {
				require.NoError(b, pr.Run(context.Background(), feed))
			}
			b.ReportMetric(float64(4*b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}

// BenchmarkGradientFlow measures the cost of a measurement of gradient flow.
func BenchmarkGradientFlow(b *testing.B) {
	for _, c := range []struct {
		model       string
		size, batch int
	}{
		{"googlenet", 224, 8},
		{"inception_small", 28, 32},
		{"inception_small", 28, 128},
	} {
		b.Run(fmt.Sprintf("%s/%dpx/batch%d", c.model, c.size, c.batch), func(b *testing.B) {
			gradientFlow(b, newCPU(b), c.model, c.size, c.batch, graph.Options{})
		})
	}
}

func newCPU(b *testing.B) graph.Backend {
	b.Helper()
	be, err := cpu.New(cpu.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, be.Close()) })
	return be
}

func cpuStep(b *testing.B, model string, size, batch int, heads bool, o graph.Options) (graph.Program, *graph.Feed) {
	b.Helper()
	be := newCPU(b)
	return step(b, be, network(b, be, model, size, heads, 0), batch, o)
}

// network returns the state of a network with random weights and with scratch snapshots.
func network(b *testing.B, be graph.Backend, model string, size int, heads bool, scratch int) graph.State {
	b.Helper()
	cfg := inception.Config{Height: size, Width: size}
	if !heads {
		cfg.Heads = []auxhead.Spec{}
	}
	m, err := inception.Build(model, cfg)
	require.NoError(b, err)
	l, err := graph.NewLayout(m.Graph)
	require.NoError(b, err)
	st, err := be.NewState(l, graph.StateOptions{Slots: 1, Snapshots: scratch})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, st.Close()) })
	for _, p := range l.Params {
		require.NoError(b, st.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(1)))))
	}
	return st
}

// step prepares a training step of a network with random images, and runs it once. The images are
// pixels if the options have a normalisation.
func step(b *testing.B, be graph.Backend, st graph.State, batch int, o graph.Options) (graph.Program, *graph.Feed) {
	b.Helper()
	g := st.Layout().Graph
	o.Batch, o.Training, o.Target = batch, true, be.Target()
	o.Optimizer = &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, WeightDecay: 1e-4}
	p, err := graph.Compile(g, st.Layout(), o)
	require.NoError(b, err)
	pr, err := be.Load(p, st)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, pr.Close()) })
	rng := rand.New(rand.NewPCG(1, 2))
	feed := &graph.Feed{LR: 1e-3, Labels: make([]int32, batch)}
	for range p.Images.Elements() {
		if p.Pixels.Valid() {
			feed.Pixels = append(feed.Pixels, byte(rng.Uint32()))
		} else {
			feed.Images = append(feed.Images, float32(rng.NormFloat64()))
		}
	}
	for i := range feed.Labels {
		feed.Labels[i] = int32(rng.IntN(g.MainLoss().Logits.Shape().C))
	}
	require.NoError(b, pr.Run(context.Background(), feed))
	return pr, feed
}

// gradientFlow measures one update with a measurement of gradient flow: the duration of the
// measurement, absolute and in steps without one. A measurement every N updates should cost at most
// 1/N of a step, so the second number should be at most 1.
func gradientFlow(b *testing.B, be graph.Backend, model string, size, batch int, o graph.Options) {
	b.Helper()
	st := network(b, be, model, size, true, gradflow.MeterSnapshots(3))
	pr, feed := step(b, be, st, batch, o)
	m, err := gradflow.NewMeter(be, st, pr.Plan().Options)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, m.Close()) })
	run := func(measure bool) time.Duration {
		start := time.Now()
		if measure {
			f, err := m.Measure(context.Background(), feed)
			require.NoError(b, err)
			require.NoError(b, m.Before())
			require.NoError(b, pr.Run(context.Background(), feed))
			require.NoError(b, m.After(f))
		} else {
			require.NoError(b, pr.Run(context.Background(), feed))
		}
		_, err := pr.Metrics() // waits
		require.NoError(b, err)
		return time.Since(start)
	}
	run(true)
	var without, with time.Duration
	b.ResetTimer()
	for range b.N {
		without += run(false)
		with += run(true)
	}
	b.ReportMetric((with-without).Seconds()*1e3/float64(b.N), "ms/measurement")
	b.ReportMetric(float64(with-without)/float64(without), "steps/measurement")
	b.ReportMetric(float64(m.Images()), "images")
}
