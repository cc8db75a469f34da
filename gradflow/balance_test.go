package gradflow

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

// Uncertainty weights settle where every head counts by the same amount.
func TestUncertainty(t *testing.T) {
	var u Uncertainty
	base, losses := []float64{1, 0.3}, []float64{2, 0.25}
	assert.Equal(t, base, u.Weights(base))
	for range 5000 {
		u.Learn(base, losses, 0.05)
	}
	w := u.Weights(base)
	assert.InDelta(t, 0.5, w[0]*losses[0]/base[0], 1e-3)
	assert.InDelta(t, 0.5, w[1]*losses[1]/base[1], 1e-3)
	u = Uncertainty{}
	u.Learn(base, []float64{1e9, 1}, 1)
	assert.Equal(t, mostUncertain, u.LogVariance[0])
}

// PCGrad has a closed form for two gradients. For more, what remains of each does not conflict with
// the gradient it was last projected away from.
func TestPCGrad(t *testing.T) {
	r := graph.NewRandom(1, "test")
	assert.Equal(t, []float64{1, 1}, PCGrad([][]float64{{4, 1}, {1, 9}}, r), "no conflict")
	c := PCGrad([][]float64{{4, -2}, {-2, 9}}, r)
	assert.InDelta(t, 1+2.0/4, c[0], 1e-12, "g1, and what g2 loses along it")
	assert.InDelta(t, 1+2.0/9, c[1], 1e-12)
	assert.Equal(t, []float64{1, 1}, PCGrad([][]float64{{4, 0}, {0, 0}}, r), "a head that sends nothing")

	// Compare with the paper's algorithm on vectors.
	for trial := range 20 {
		r := graph.NewRandom(uint64(trial), "vectors")
		const n, dim = 4, 5
		var g [n][dim]float64
		gram := make([][]float64, n)
		for i := range g {
			for k := range dim {
				g[i][k] = r.Normal()
			}
		}
		dot := func(a, b [dim]float64) (s float64) {
			for k := range a {
				s += a[k] * b[k]
			}
			return s
		}
		for i := range g {
			for j := range g {
				gram[i] = append(gram[i], dot(g[i], g[j]))
			}
		}
		c := PCGrad(gram, graph.NewRandom(9, "order"))
		order := graph.NewRandom(9, "order")
		var want, got [dim]float64
		for i := range g {
			own := g[i]
			for _, j := range permutation(n, order) {
				if d := dot(own, g[j]); j != i && d < 0 {
					for k := range own {
						own[k] -= d / dot(g[j], g[j]) * g[j][k]
					}
				}
			}
			for k := range want {
				want[k] += own[k]
				got[k] += c[i] * g[i][k]
			}
		}
		for k := range want {
			assert.InDelta(t, want[k], got[k], 1e-9)
		}
	}
}

func TestPermutation(t *testing.T) {
	r, seen := graph.NewRandom(3, "p"), map[[3]int]int{}
	for range 600 {
		p := permutation(3, r)
		seen[[3]int(p)]++
	}
	require.Len(t, seen, 6)
	for p, n := range seen {
		assert.Greater(t, n, 60, "%v", p)
	}
}

// The weights that Conflicts finds are no smaller than the heads' own, and the same for the same
// seed.
func TestConflicts(t *testing.T) {
	r := newFlowRun(t, graph.FP64, 5)
	o := r.options
	o.Optimizer = nil
	c, err := NewConflicts(r.backend, r.state, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	r.feed.HeadWeights = []float64{1, 0.5, 0.7}
	w, err := c.Weights(context.Background(), &r.feed, 1)
	require.NoError(t, err)
	require.Len(t, w, 3)
	for i, x := range w {
		require.GreaterOrEqual(t, x, 0.99*r.feed.HeadWeights[i], "a conflict makes weights larger: what one loses along the other, the other has more")
	}
	again, err := c.Weights(context.Background(), &r.feed, 1)
	require.NoError(t, err)
	require.Equal(t, w, again)
}
