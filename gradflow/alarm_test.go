package gradflow

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tributary-ml/tributary/auxhead"
)

func TestWatch(t *testing.T) {
	flow := func(aux, cosine float64, dead int) *Flow {
		f := &Flow{Heads: []string{auxhead.Main, "aux1"}, Weights: []float64{1, 0.3}, ReLUs: []ReLU{{Name: "m1/relu", Channels: 8, Dead: dead}}}
		for range 3 {
			f.Layers = append(f.Layers, Layer{Gradient: []float64{2, 2 * aux}, Cosine: []float64{cosine}})
		}
		// A layer that only one head reaches says nothing about the two.
		f.Layers = append(f.Layers, Layer{Gradient: []float64{5, 0}, Cosine: []float64{0}}, Layer{Gradient: []float64{0, 1e9}, Cosine: []float64{0}})
		return f
	}
	kinds := func(w *Watch, f *Flow) (out []string) {
		for _, a := range w.See(f) {
			out = append(out, a.Kind+" "+a.Where)
			assert.True(t, strings.Contains(a.Message, ":") || strings.Contains(a.Message, "."), a.Message)
		}
		return out
	}
	var w Watch
	assert.Empty(t, kinds(&w, flow(0.5, 0.4, 4)), "a head as it should be")
	assert.Equal(t, []string{"head_vanishing aux1"}, kinds(&w, flow(1e-4, 0.4, 0)))
	assert.Empty(t, kinds(&w, flow(1e-4, 0.4, 0)), "once")
	assert.Empty(t, kinds(&w, flow(0.5, 0.4, 0)))
	assert.Equal(t, []string{"head_vanishing aux1"}, kinds(&w, flow(1e-4, 0.4, 0)), "again, after it had passed")
	assert.Equal(t, []string{"head_dominating aux1", "dead_relus m1/relu"}, kinds(&w, flow(11, 0.4, 5)))

	w = Watch{Warmup: 100}
	late := func(aux, cosine float64) *Flow { f := flow(aux, cosine, 0); f.Step = 100; return f }
	for range patience + 1 {
		assert.Empty(t, kinds(&w, flow(11, -0.5, 0)), "heads start a trunk: that is what they are for")
	}
	for range suspicion - 1 {
		assert.Empty(t, kinds(&w, late(1, -0.3)), "a few measurements are noise")
	}
	assert.Equal(t, []string{"head_fights aux1"}, kinds(&w, late(1, -0.3)))
	assert.Equal(t, []string{"head_dominating aux1"}, kinds(&w, late(11, -0.3)))
	w = Watch{Warmup: 100}
	for range patience - 1 {
		assert.Empty(t, kinds(&w, late(1, 0)))
	}
	assert.Equal(t, []string{"head_idle aux1"}, kinds(&w, late(1, 0.01)))
	assert.Empty(t, kinds(&w, late(1, 0.3)))

	w = Watch{Warmup: 100}
	for range patience {
		assert.Empty(t, kinds(&w, late(1, 0.5)))
	}
	for range patience - 1 {
		assert.Empty(t, kinds(&w, late(1, 0.01)), "the mean is of the last measurements")
	}
	assert.Equal(t, []string{"head_idle aux1"}, kinds(&w, late(1, 0.01)))

	f := flow(1e-4, 0.4, 0)
	f.Weights[1] = 0
	assert.Empty(t, kinds(&Watch{}, f), "a head of weight 0 is off")
}

// What heads share with the main one is by their own gradients and cosines: the medians, the upper
// one of two.
func TestShared(t *testing.T) {
	f := &Flow{Layers: []Layer{
		{Gradient: []float64{2, 1, 8}, Cosine: []float64{0.1, 0.9, -1}},
		{Gradient: []float64{2, 2, 4}, Cosine: []float64{0.2, 0.8, -1}},
		{Gradient: []float64{2, 3, 0}, Cosine: []float64{0.3, 0.7, -1}},
		{Gradient: []float64{0, 9, 9}, Cosine: []float64{0.4, 0.6, -1}},
	}}
	for h, want := range [][3]float64{1: {1, 0.2, 3}, 2: {4, 0.9, 2}} {
		if h > 0 {
			ratio, cosine, layers := f.shared(h)
			assert.Equal(t, want, [3]float64{ratio, cosine, float64(layers)}, "head %d", h)
		}
	}
	assert.Equal(t, 3.0, Median([]float64{4, 1, 3, 2}))
	assert.Equal(t, 2.0, Median([]float64{3, 1, 2}))
}
