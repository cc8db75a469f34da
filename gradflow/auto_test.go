package gradflow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tributary-ml/tributary/auxhead"
)

func TestChoose(t *testing.T) {
	places := map[string]string{"aux1": "m1", "aux2": "m2", "aux3": "m3", "aux4": "m4"}
	flow := func(along ...float64) *Flow {
		f := &Flow{Heads: []string{auxhead.Main, "aux1", "aux2", "aux3", "aux4"}}
		for range 3 { // layers that all heads reach; cosines of 0.5
			l := Layer{Gradient: []float64{2}, Cosine: make([]float64, 10)}
			for i, a := range along {
				size := 4 * a
				l.Cosine[i] = 0.5
				if a < 0 {
					size, l.Cosine[i] = -size, -0.5
				}
				l.Gradient = append(l.Gradient, size)
			}
			f.Layers = append(f.Layers, l)
		}
		return f
	}
	at := func(picked, _ []Choice) (out []string) {
		for _, c := range picked {
			out = append(out, c.At)
		}
		return out
	}
	assert.Equal(t, []string{"m2", "m4"}, at(Choose([]*Flow{flow(0.1, 0.9, 0.8, 0.3)}, places, 2)), "m3 is next to m2, and comes in order of depth")
	assert.Equal(t, []string{"m3"}, at(Choose([]*Flow{flow(0.1, 0.2, 0.8, 0.3)}, places, 1)))
	assert.Equal(t, []string{"m1"}, at(Choose([]*Flow{flow(0.4, -0.2, -0.8, -0.3)}, places, 2)), "what fights the main head is no place")
	assert.Equal(t, []string{"m1", "m3"}, at(Choose([]*Flow{flow(0.5, 0.1, 0.1, 0.1), flow(0.1, 0.1, 0.5, 0.1)}, places, 2)), "the mean counts")
	picked, all := Choose([]*Flow{flow(0.1, 0.9, 0.8, 0.3)}, places, 2)
	assert.InDelta(t, 0.9, all[0].Score, 1e-12)
	assert.Len(t, all, 4)
	assert.Len(t, picked, 2)
	picked, all = Choose(nil, places, 2)
	assert.Empty(t, append(picked, all...))
}

// Scores are what Choose says they are, for any gradients.
func TestScores(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const heads, layers = 4, 5
	places, names := map[string]string{}, []string{auxhead.Main}
	for h := range heads - 1 {
		names = append(names, fmt.Sprint("aux", h+1))
		places[names[h+1]] = fmt.Sprint("m", h+1)
	}
	var flows []*Flow
	want := map[string]float64{}
	for range 3 {
		f := &Flow{Heads: names}
		along := map[string][]float64{}
		for range layers {
			l := Layer{}
			for range heads {
				l.Gradient = append(l.Gradient, 0.1+rng.Float64())
			}
			for range Pairs(heads) {
				l.Cosine = append(l.Cosine, 2*rng.Float64()-1)
			}
			f.Layers = append(f.Layers, l)
			for k, p := range Pairs(heads) {
				if p[0] == 0 {
					place := places[names[p[1]]]
					along[place] = append(along[place], l.Cosine[k]*l.Gradient[p[1]]/l.Gradient[0])
				}
			}
		}
		for place, v := range along {
			slices.Sort(v)
			want[place] += v[layers/2] / 3
		}
		flows = append(flows, f)
	}
	_, all := Choose(flows, places, 2)
	assert.Len(t, all, heads-1)
	for i, c := range all {
		assert.InDelta(t, want[c.At], c.Score, 1e-12)
		assert.True(t, i == 0 || c.Score <= all[i-1].Score)
	}
}
