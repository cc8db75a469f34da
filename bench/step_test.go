// Package bench holds the benchmarks of whole training steps and the scripts of the peers that they are compared with.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"gorgonia.org/tensor"
)

// BenchmarkStep measures one whole training step: forward with all heads, loss, one reverse sweep, SGD with momentum. The
// cases are those of cpu_peers.py.
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
			pr, feed := step(b, newCPU(b), c.model, c.size, c.batch, c.heads, graph.Options{})
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
			pr, feed := step(b, newCPU(b), "googlenet", 224, 4, true, graph.Options{SweepPerLoss: separate})
			b.ResetTimer()
			for range b.N {
				require.NoError(b, pr.Run(context.Background(), feed))
			}
			b.ReportMetric(float64(4*b.N)/b.Elapsed().Seconds(), "img/s")
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

// step prepares a training step of a network with random images and weights, and runs it once. The images are pixels if the options
// say how to normalise them.
func step(b *testing.B, be graph.Backend, model string, size, batch int, heads bool, o graph.Options) (graph.Program, *graph.Feed) {
	b.Helper()
	cfg := inception.Config{Height: size, Width: size}
	if !heads {
		cfg.Heads = []auxhead.Spec{}
	}
	m, err := inception.Build(model, cfg)
	require.NoError(b, err)
	l, err := graph.NewLayout(m.Graph)
	require.NoError(b, err)
	st, err := be.NewState(l, graph.StateOptions{Slots: 1})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, st.Close()) })
	for _, p := range l.Params {
		require.NoError(b, st.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(1)))))
	}
	o.Batch, o.Training, o.Target = batch, true, be.Target()
	o.Optimizer = &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, WeightDecay: 1e-4}
	p, err := graph.Compile(m.Graph, l, o)
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
		feed.Labels[i] = int32(rng.IntN(m.Config.Classes))
	}
	require.NoError(b, pr.Run(context.Background(), feed))
	return pr, feed
}
