package train

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
)

func TestFirstNonFinite(t *testing.T) {
	g := graph.New("overflow")
	x := g.Input("input", graph.Shape{H: 4, W: 4, C: 3})
	x = g.ReLU("relu", g.Conv("conv", x, 4, graph.Square(3, 1, 1), nil))
	x = g.Scale("large", x, 1e18)
	x = g.Scale("larger", x, 1e30)
	x = g.Scale("small", x, 1e-30)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", g.GlobalAvgPool("gap", x), 3, nil), Weight: 1})
	require.NoError(t, g.Err())
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	s, err := b.NewState(l, graph.StateOptions{Slots: 1})
	require.NoError(t, err)
	conv := l.Params[0]
	for _, p := range l.Params {
		if p.Name == "conv/weight" {
			conv = p
		}
		require.NoError(t, s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(1)))))
	}
	o := graph.Options{Batch: 2, Training: true, Target: b.Target(), Optimizer: &graph.Optimizer{Rule: graph.SGD}}
	f := &graph.Feed{Images: make([]float32, 2*4*4*3), Labels: []int32{0, 1}}
	for i := range f.Images {
		f.Images[i] = float32(i%7) - 3
	}
	find := func() string {
		t.Helper()
		where, err := firstNonFinite(context.Background(), b, s, o, f)
		require.NoError(t, err)
		return where
	}
	require.Contains(t, find(), "the activation of larger (channel ")
	f.Images[5] = float32(math.NaN())
	require.Equal(t, "the activation of input (channel 2 is not a number)", find())
	bad := conv.Initial(1)
	bad[3] = float32(math.Inf(1))
	require.NoError(t, s.Set(graph.Value, conv, tensor.New(tensor.WithShape(conv.Dims...), tensor.WithBacking(bad))))
	require.Equal(t, "parameter conv/weight", find())
}
