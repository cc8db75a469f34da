package train

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/gradflow"
)

// A run that measures its gradient flow is the same run to the bit, and a resumed one goes on
// measuring at the same updates.
func TestGradflowChangesNothing(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		c := tinyConfig()
		c.Accumulate, c.EMA = accumulate, 0.9
		plain, plainEvents := runWhole(t, c)
		c.GradflowEvery = 2
		measured, events := runWhole(t, c)
		requireEqualStates(t, plain.state, measured.state)
		require.Equal(t, ofType[EpochEnded](plainEvents)[1].Test, ofType[EpochEnded](events)[1].Test)
		require.Empty(t, ofType[Flowed](plainEvents))

		flows, err := measured.folder.ReadFlows()
		require.NoError(t, err)
		seen := ofType[Flowed](events)
		require.Len(t, flows, (measured.progress.Step+1)/2)
		for i, f := range flows {
			require.Equal(t, 2*i, f.Step)
			require.Equal(t, seen[i].Flow, f)
			require.LessOrEqual(t, f.Images, c.Batch)
			for _, l := range f.Layers {
				require.Positive(t, l.Update, "the update of %s after step %d", l.Name, f.Step)
			}
		}
	}
}

func TestGradflowResumes(t *testing.T) {
	c := tinyConfig()
	c.GradflowEvery = 3
	_, whole := runWhole(t, c)
	s, r := setup(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	r.onEvent = func(e Event) {
		if s, ok := e.(Stepped); ok && s.Step == 7 {
			cancel()
		}
	}
	f := folder(t, c)
	_, err := trainer(t, s).Run(ctx, f)
	require.ErrorIs(t, err, context.Canceled)

	s, _ = setup(t, c)
	s.Resume, err = OpenCheckpoint(f.Last())
	require.NoError(t, err)
	_, err = trainer(t, s).Run(context.Background(), f)
	require.NoError(t, err)
	flows, err := f.ReadFlows()
	require.NoError(t, err)
	want := ofType[Flowed](whole)
	require.Len(t, flows, len(want))
	for i := range want {
		require.Equal(t, want[i].Flow, flows[i])
	}
}

func TestReadFlowsErrors(t *testing.T) {
	f := &Folder{Path: t.TempDir()}
	_, err := f.ReadFlows()
	require.ErrorContains(t, err, "--gradflow-every")
	require.NoError(t, os.WriteFile(f.Gradflow(), []byte("{\"step\": 3}\nnonsense\n"), 0o644))
	_, err = f.ReadFlows()
	require.ErrorContains(t, err, "line 2")
	require.NoError(t, os.WriteFile(f.Gradflow(), []byte("{\"step\": 3}\n{\"step\": 6"), 0o644))
	flows, err := f.ReadFlows()
	require.NoError(t, err)
	require.Equal(t, []*gradflow.Flow{{Step: 3}}, flows, "a cut line is one that was being written")
}

// A run that diverges says where its numbers stop being finite.
func TestDivergenceSaysWhere(t *testing.T) {
	c := tinyConfig()
	c.LR, c.Warmup = Num(1e30), 0
	s, _ := setup(t, c)
	_, err := trainer(t, s).Run(context.Background(), folder(t, c))
	var diverged *DivergedError
	require.ErrorAs(t, err, &diverged)
	require.NotEmpty(t, diverged.Where)
	require.ErrorContains(t, err, "The first such number is in the ")
}

// Balancing shows in the heads' weights: learnt weights move away from those of the specs, and
// projected ones are never below them.
func TestHeadBalance(t *testing.T) {
	for balance, check := range map[string]func(weights []float64, first bool){
		"uncertainty": func(w []float64, first bool) {
			require.Equal(t, first, w[1] == 0.3, "%v", w)
		},
		"pcgrad": func(w []float64, _ bool) {
			require.GreaterOrEqual(t, w[0], 0.99)
			require.GreaterOrEqual(t, w[1], 0.29)
		},
	} {
		c := tinyConfig()
		c.HeadBalance = balance
		_, r := runWhole(t, c)
		for i, s := range ofType[Stepped](r) {
			check(s.Weights, i == 0)
		}
	}
	c := tinyConfig()
	c.HeadBalance, c.Accumulate = "pcgrad", 2
	require.ErrorContains(t, c.Check(), "set accumulate to 1")
	c.HeadBalance = "pcgrade"
	require.ErrorContains(t, c.Check(), "pcgrad")
}
