package gradflow

import (
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
