package exits

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers/layerstest"
)

// A runner gives each image the results of one plan of the whole network, also after a flush.
func TestRunner(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	g := layerstest.Trunk(t, 6)
	attachAll(t, g, auxhead.Spec{At: "m1", Kind: "gap"}, auxhead.Spec{At: "m2/tower1x1", Kind: "gap"}, auxhead.Spec{At: "m2", Kind: "gap"})
	layout, err := graph.NewLayout(g)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{Precision: graph.FP64, Debug: cpu.Debug{Poison: true}})
	require.NoError(t, err)
	s, err := b.NewState(layout, graph.StateOptions{})
	require.NoError(t, err)
	for _, p := range layout.Params {
		v := p.Initial(3)
		for i := range v {
			if p.Role != graph.Weight {
				v[i] += 0.5 * rng.Float32()
			}
		}
		require.NoError(t, s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))))
	}
	const images, batch, row = 29, 4, 6 * 6 * 3
	x := make([]float32, images*row)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	whole, err := graph.Load(b, s, graph.Options{Batch: images, Target: b.Target()})
	require.NoError(t, err)
	require.NoError(t, whole.Run(context.Background(), &graph.Feed{Images: x, Labels: make([]int32, images)}))
	defer func() { require.NoError(t, whole.Close()) }()
	c, err := NewCascade(g, nil)
	require.NoError(t, err)
	require.Len(t, c.Stages, 3)
	probabilities := make([][][]float64, images)
	var entropies []float64
	for _, exit := range c.Exits {
		d, err := whole.Read(exit.Logits)
		require.NoError(t, err)
		for i := range images {
			var p []float64
			sum, entropy := 0.0, 0.0
			for _, v := range d.Data().([]float64)[5*i:][:5] {
				p = append(p, math.Exp(v))
				sum += math.Exp(v)
			}
			for k := range p {
				p[k] /= sum
				entropy -= p[k] * math.Log(p[k])
			}
			probabilities[i] = append(probabilities[i], p)
			entropies = append(entropies, entropy)
		}
	}
	thresholds := make([]float64, len(c.Exits)-1)
	for e := range thresholds { // a third of the images leaves at each
		sorted := slices.Clone(entropies[e*images:][:images])
		slices.Sort(sorted)
		thresholds[e] = (sorted[images/3] + sorted[images/3+1]) / 2
	}
	seen := map[int32]bool{}
	left := make([]int, len(c.Exits))
	r, err := NewRunner(b, s, c, Rule{Entropy, thresholds}, graph.Options{Batch: batch, Target: b.Target()}, false, func(d Departure) {
		require.False(t, seen[d.Label])
		seen[d.Label] = true
		exit := 0
		for exit < len(thresholds) && entropies[exit*images+int(d.Label)] >= thresholds[exit] {
			exit++
		}
		require.Equal(t, exit, d.Exit, "image %d", d.Label)
		left[exit]++
		require.InDeltaSlice(t, probabilities[d.Label][exit], d.Probabilities, 1e-6) // activations wait as float32
		require.Len(t, d.Guesses, exit+1)
		for e, g := range d.Guesses {
			require.InDelta(t, entropies[e*images+int(d.Label)], g.Entropy, 1e-6)
			require.InDelta(t, slices.Max(probabilities[d.Label][e]), g.Confidence, 1e-6)
			require.InDelta(t, g.Confidence, probabilities[d.Label][e][g.Class], 1e-6)
		}
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	for from := 0; from < images; from += batch {
		n := min(batch, images-from)
		var labels []int32
		for i := range n {
			labels = append(labels, int32(from+i))
		}
		feed := make([]float32, batch*row)
		copy(feed, x[from*row:(from+n)*row])
		require.NoError(t, r.Images(context.Background(), labels, &graph.Feed{Images: feed}))
		if from%3 == 0 || from+n == images {
			require.NoError(t, r.Flush(context.Background()))
			require.Len(t, seen, from+n, "nothing waits behind a flush")
		}
	}
	for _, n := range []int{left[0], left[1] + left[2], left[3]} {
		require.Positive(t, n, "images leave in every stage: %v", left)
	}
}
