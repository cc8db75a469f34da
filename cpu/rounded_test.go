package cpu

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
	"gorgonia.org/tensor"
)

// Ties round away from zero in tf32 and to even in bf16. A representable value does not change.
func TestRounding(t *testing.T) {
	for _, c := range []struct {
		f        func(float64) float64
		in, want float64
	}{
		{roundTF32, 1 + 1.0/(1<<11), 1 + 1.0/(1<<10)},
		{roundTF32, -1 - 1.0/(1<<11), -1 - 1.0/(1<<10)},
		{roundTF32, 1 + 1.0/(1<<12), 1},
		{roundTF32, 1 + 3.0/(1<<10), 1 + 3.0/(1<<10)},
		{roundBF16, 1 + 1.0/(1<<8), 1},
		{roundBF16, 1 + 3.0/(1<<8), 1 + 4.0/(1<<8)},
		{roundBF16, -1 - 1.0/(1<<8) - 1.0/(1<<20), -1 - 1.0/(1<<7)},
		{roundBF16, 5.0 / (1 << 7), 5.0 / (1 << 7)},
		{roundBF16, math.MaxFloat32, math.Inf(1)},
		{roundBF16, math.Inf(-1), math.Inf(-1)},
		{roundTF32, 0, 0},
	} {
		require.Equal(t, c.want, c.f(c.in), "%b", c.in)
	}
	require.True(t, math.IsNaN(roundBF16(math.NaN())))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		v := float64(float32(rng.NormFloat64()))
		require.LessOrEqual(t, math.Abs(roundBF16(v)-v), math.Abs(v)/(1<<8))
		require.LessOrEqual(t, math.Abs(roundTF32(v)-v), math.Abs(v)/(1<<11))
	}
}

// A network in a precision that rounds gives the results of float64 except for the rounding, and
// not the same bits. In bf16 all activations are bfloat16 values.
func TestRoundedPrecisions(t *testing.T) {
	g := graph.New("rounded")
	x := g.Input("image", graph.Shape{H: 9, W: 9, C: 3})
	x = g.ReLU("relu", g.BatchNorm("bn", g.Conv("conv", x, 12, graph.Square(3, 1, 1), nil), 1e-3, 0.1))
	x = g.GlobalAvgPool("gap", g.Conv("second", x, 8, graph.Square(1, 1, 0), nil))
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 5, nil), Weight: 1})
	require.NoError(t, g.Err())
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(2, 2))
	feed := &graph.Feed{Images: make([]float32, 4*9*9*3), Labels: []int32{0, 1, 2, 3}}
	for i := range feed.Images {
		feed.Images[i] = float32(rng.NormFloat64())
	}
	run := func(p graph.Precision) map[string][]float64 {
		b, err := New(Options{Precision: p, Debug: Debug{Poison: true}})
		require.NoError(t, err)
		s, err := b.NewState(l, graph.StateOptions{})
		require.NoError(t, err)
		for _, p := range l.Params {
			require.NoError(t, s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(3)))))
		}
		plan, err := graph.Compile(g, l, graph.Options{Batch: 4, Training: true, Keep: []string{"relu", "second"}, Target: b.Target()})
		require.NoError(t, err)
		pr, err := b.Load(plan, s)
		require.NoError(t, err)
		require.NoError(t, pr.Run(context.Background(), feed))
		out := map[string][]float64{}
		for _, n := range []string{"relu", "second", "fc"} {
			d, err := pr.Read(n)
			require.NoError(t, err)
			out[n] = d.Data().([]float64)
		}
		for _, p := range l.Params {
			if l.IsTrained(p) {
				d, err := s.Get(graph.Gradient, p)
				require.NoError(t, err)
				out[p.Name] = d.Data().([]float64)
			}
		}
		return out
	}
	want := run(graph.FP64)
	for p, bound := range map[graph.Precision]float64{graph.TF32: 1.0 / (1 << 9), graph.BF16: 1.0 / (1 << 5)} {
		for name, v := range run(p) {
			var off, size float64
			for i := range v {
				off += (v[i] - want[name][i]) * (v[i] - want[name][i])
				size += want[name][i] * want[name][i]
			}
			e := math.Sqrt(off / size)
			require.Less(t, e, bound, "%s: %s", p, name)
			require.Greater(t, e, bound/500, "%s: %s", p, name)
			if n, err := g.Find(name); p == graph.BF16 && err == nil && n != nil {
				for _, x := range v {
					require.Equal(t, roundBF16(x), x, name)
				}
			}
		}
	}
}
