package train

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

// A tally's result is the mean over all rows, whether batches are added one by one or in tallies
// that are merged.
func TestTally(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const heads = 3
	var whole, merged, part Tally
	var rows, total float64
	var losses, first, five [heads]float64
	for range 9 {
		m := &graph.Metrics{Rows: 1 + rng.IntN(20), Total: rng.Float64()}
		rows += float64(m.Rows)
		total += float64(m.Rows) * m.Total
		for h := range heads {
			x := graph.HeadMetrics{Name: fmt.Sprint("head", h), Loss: rng.Float64(), Correct1: rng.IntN(m.Rows + 1)}
			x.Correct5 = x.Correct1 + rng.IntN(m.Rows-x.Correct1+1)
			m.Heads = append(m.Heads, x)
			losses[h] += float64(m.Rows) * x.Loss
			first[h] += float64(x.Correct1)
			five[h] += float64(x.Correct5)
		}
		whole.add(m)
		part.add(m)
		if rng.IntN(3) == 0 {
			merged.merge(&part)
			part = Tally{}
		}
	}
	if part.Heads != nil {
		merged.merge(&part)
	}
	for _, x := range []Tally{whole, merged} {
		r := x.Result()
		require.Equal(t, int(rows), r.Images)
		require.InDelta(t, total/rows, r.Total, 1e-12)
		require.Len(t, r.Heads, heads)
		for h, got := range r.Heads {
			require.Equal(t, fmt.Sprint("head", h), got.Name)
			require.InDelta(t, losses[h]/rows, got.Loss, 1e-12)
			require.InDelta(t, first[h]/rows, got.Top1, 1e-12)
			require.InDelta(t, five[h]/rows, got.Top5, 1e-12)
			require.Equal(t, int(first[h]), got.Correct1)
			require.Equal(t, int(five[h]), got.Correct5)
		}
	}
	part = Tally{}
	part.merge(&whole)
	part.Heads[0].Loss++
	require.NotEqual(t, part, whole, "a copy")
}
