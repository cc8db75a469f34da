package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/memory"
)

// A plan that does not fit is refused before anything is allocated. The batch that the error names
// does fit.
func TestPlanTooLarge(t *testing.T) {
	const room = 256 << 20
	if memory.Limit() == 0 || memory.Free() < 2*room {
		t.Skip("needs a machine that says how much memory it has, and some of it")
	}
	b, err := cpu.New(cpu.Options{Reserve: memory.Free() - room})
	require.NoError(t, err)
	g := graph.New("wide")
	x := g.Conv("conv", g.Input("image", graph.Shape{H: 64, W: 64, C: 3}), 32, graph.Window{H: 3, W: 3, StrideH: 1, StrideW: 1, Pads: graph.Pads{Top: 1, Bottom: 1, Left: 1, Right: 1}}, nil)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", g.GlobalAvgPool("pool", x), 10, nil), Weight: 1})
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	options := graph.Options{Batch: 1 << 12, Training: true, Target: b.Target()}
	compile := func(batch int) *graph.Plan {
		p, err := graph.Compile(g, l, options.WithBatch(batch))
		require.NoError(t, err)
		return p
	}
	require.NoError(t, graph.Fit(b, l, graph.StateOptions{}, options.WithBatch(4)))
	short := new(graph.MemoryError)
	require.ErrorAs(t, graph.Fit(b, l, graph.StateOptions{}, options), &short)
	require.Equal(t, 1<<12, short.Batch)
	require.Positive(t, short.Largest)

	s, err := b.NewState(l, graph.StateOptions{})
	require.NoError(t, err)
	p, err := b.Load(compile(1<<12), s)
	require.Nil(t, p)
	require.ErrorAs(t, err, &short)
	_, err = b.Load(compile(short.Largest*9/10), s) // below the reported batch, because other tests' garbage comes and goes
	require.NoError(t, err)

	none, err := cpu.New(cpu.Options{Reserve: memory.Limit()})
	require.NoError(t, err)
	_, err = none.NewState(l, graph.StateOptions{})
	require.ErrorAs(t, err, &short)
	require.Zero(t, short.Batch)
}
