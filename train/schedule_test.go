package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchedules(t *testing.T) {
	// 10 epochs of 4 updates, base rate 2, no warm-up.
	for spec, want := range map[string]map[int]float64{
		"constant":          {0: 2, 39: 2},
		"step:3:0.5":        {0: 2, 11: 2, 12: 1, 23: 1, 24: 0.5},
		"exponential:2:0.5": {0: 2, 4: 2 * math.Sqrt(0.5), 8: 1, 16: 0.5},
		"poly:2":            {0: 2, 20: 0.5, 30: 0.125},
		"poly":              {10: 2 * math.Sqrt(0.75)},
		"cosine":            {0: 2, 20: 1, 10: 1 + math.Cos(math.Pi/4)},
		"cosine:0.5":        {0: 2, 20: 1.5},
	} {
		c := Default()
		c.Schedule, c.Epochs, c.Warmup, c.LR = spec, 10, 0, Num(2)
		r, err := newRate(&c, 4)
		require.NoError(t, err)
		for step, v := range want {
			require.InDelta(t, v, r.at(step), 1e-12, "%s at %d", spec, step)
		}
		for step := range r.total {
			require.Greater(t, r.at(step), 0.0, "%s at %d", spec, step)
		}
	}
}

func TestWarmup(t *testing.T) {
	c := Default()
	c.Schedule, c.Epochs, c.Warmup, c.LR = "cosine", 3, 1, Num(1)
	r, err := newRate(&c, 4)
	require.NoError(t, err)
	for step, v := range []float64{0.25, 0.5, 0.75, 1, 1} {
		require.InDelta(t, v, r.at(step), 1e-12, "step %d", step)
	}
	require.InDelta(t, 0.5, r.at(8), 1e-12, "half way from the warm-up's end")
}

func TestEMADecayWarmsUp(t *testing.T) {
	require.InDelta(t, 0.1, emaDecay(0.999, 0), 1e-12)
	require.InDelta(t, 11.0/20, emaDecay(0.999, 10), 1e-12)
	require.Equal(t, 0.999, emaDecay(0.999, 1_000_000))
}
