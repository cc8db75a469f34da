package gradflow

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
)

// sent is what each head sends to every trained parameter by itself. It comes from one plan of the
// whole network, in which the other heads have a weight of zero.
type sent struct {
	gradients []map[string][]float64 // by head
	places    []map[string]float64   // by head: norms
	relus     map[string][]float64   // activations
}

func (r *flowRun) sends(images int, weights []float64) sent {
	o := r.options
	o.Batch, o.Optimizer, o.FreezeStatistics = images, nil, true
	g := r.state.Layout().Graph
	for _, e := range g.EndPoints() {
		o.Probes = append(o.Probes, graph.Probe{Node: e.Name, Gradient: true})
	}
	for _, n := range g.Nodes() {
		if _, ok := n.Op().(graph.ReLU); ok {
			o.Keep = append(o.Keep, n.Name())
		}
	}
	pr := r.load(o)
	defer func() { require.NoError(r.t, pr.Close()) }()
	out := sent{relus: map[string][]float64{}}
	for i := range weights {
		feed := r.feed.First(pr.Plan())
		feed.HeadWeights = make([]float64, len(weights))
		feed.HeadWeights[i] = weights[i]
		require.NoError(r.t, pr.Run(context.Background(), feed))
		gradients, places := map[string][]float64{}, map[string]float64{}
		for _, p := range r.state.Layout().Params {
			if r.state.Layout().IsTrained(p) {
				gradients[p.Name] = r.numbers(graph.Gradient, p)
			}
		}
		results, err := pr.ProbeResults()
		require.NoError(r.t, err)
		for _, m := range results {
			squares := 0.0
			for _, v := range m.Squares {
				squares += v
			}
			places[m.Node] = math.Sqrt(squares)
		}
		out.gradients, out.places = append(out.gradients, gradients), append(out.places, places)
	}
	for _, k := range o.Keep {
		d, err := pr.Read(k)
		require.NoError(r.t, err)
		out.relus[k] = d.Data().([]float64)
	}
	return out
}

// numbers are a parameter's elements of an FP64 state, copied.
func (r *flowRun) numbers(part graph.Part, p *graph.Param) []float64 {
	d, err := r.state.Get(part, p)
	require.NoError(r.t, err)
	return slices.Clone(d.Data().([]float64))
}

// shuffle gives a run other parameters, images and labels.
func (r *flowRun) shuffle(rng *rand.Rand) {
	for _, p := range r.state.Layout().Params {
		v := r.numbers(graph.Value, p)
		for i := range v {
			if p.Role == graph.Weight {
				v[i] += 0.3 * rng.NormFloat64()
			} else {
				v[i] += 0.4 * rng.Float64()
			}
		}
		require.NoError(r.t, r.state.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))))
	}
	for i := range r.feed.Images {
		r.feed.Images[i] = float32(rng.NormFloat64())
	}
	for i := range r.feed.Labels {
		r.feed.Labels[i] = int32(rng.IntN(5))
	}
}

func dot(a, b []float64) (s float64) {
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// Every number of a measurement is what its comment says, for weights of the feed, by gradients of
// each head by itself.
func TestFlowIsWhatHeadsSend(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	for range 3 {
		r := newFlowRun(t, graph.FP64, 12)
		r.shuffle(rng)
		r.feed.HeadWeights = []float64{0.5 + rng.Float64(), rng.Float64(), rng.Float64()}
		m := r.meter()
		f, err := m.Measure(context.Background(), &r.feed)
		require.NoError(t, err)
		require.Equal(t, r.feed.HeadWeights, f.Weights)
		want := r.sends(m.Images(), f.Weights)
		before := map[string][]float64{}
		var weights []string
		g := r.state.Layout().Graph
		for _, p := range g.Params() {
			before[p.Name] = r.numbers(graph.Value, p)
			if p.Role == graph.Weight {
				weights = append(weights, p.Name)
			}
		}
		require.NoError(t, m.Before())
		require.NoError(t, r.program.Run(context.Background(), &r.feed))
		require.NoError(t, m.After(f))

		close := func(want, got float64, what ...any) {
			t.Helper()
			require.InDelta(t, want, got, 1e-9*math.Max(1e-3, math.Abs(want)), what...)
		}
		require.Len(t, f.Layers, len(weights))
		for k, l := range f.Layers {
			require.Equal(t, weights[k], l.Name)
			for h := range f.Heads {
				v := want.gradients[h][l.Name]
				close(math.Sqrt(dot(v, v)), l.Gradient[h], "gradient of %s at %s", f.Heads[h], l.Name)
			}
			pair := 0
			for a := range f.Heads {
				for b := a + 1; b < len(f.Heads); b++ {
					x, y := want.gradients[a][l.Name], want.gradients[b][l.Name]
					cosine := 0.0
					if n := math.Sqrt(dot(x, x) * dot(y, y)); n > 0 {
						cosine = dot(x, y) / n
					}
					require.Equal(t, [2]int{a, b}, Pairs(len(f.Heads))[pair])
					close(cosine, l.Cosine[pair], "cosine of %s and %s at %s", f.Heads[a], f.Heads[b], l.Name)
					pair++
				}
			}
			p, err := g.Param(l.Name)
			require.NoError(t, err)
			old, change := before[l.Name], r.numbers(graph.Value, p)
			for i := range change {
				change[i] -= old[i]
			}
			close(math.Sqrt(dot(old, old)), l.Weight, "size of %s", l.Name)
			close(math.Sqrt(dot(change, change)), l.Update, "update of %s", l.Name)
			close(math.Sqrt(dot(change, change)/dot(old, old)), l.Ratio(), "relative update of %s", l.Name)
		}
		require.Len(t, f.Places, len(g.EndPoints()))
		for k, e := range g.EndPoints() {
			require.Equal(t, e.Name, f.Places[k].Name)
			for h := range f.Heads {
				close(want.places[h][e.Name], f.Places[k].Gradient[h], "gradient of %s at %s", f.Heads[h], e.Name)
			}
		}
		for _, u := range f.ReLUs {
			v := want.relus[u.Name]
			live, zeros := map[int]bool{}, 0
			for i, x := range v {
				if x > 0 {
					live[i%u.Channels] = true
				} else {
					zeros++
				}
			}
			require.Equal(t, u.Channels-len(live), u.Dead, u.Name)
			close(float64(zeros)/float64(len(v)), u.Zeros, u.Name)
		}
	}
}

// The weights that Conflicts finds are those of the algorithm as the paper has it, on vectors:
// gradients of each head by itself, over the parameters that two heads reach. A head of negative
// weight conflicts with the others.
func TestConflictsAreThoseOfVectors(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 3))
	surgery := 0
	for trial := range 4 {
		r := newFlowRun(t, graph.FP64, 5)
		r.shuffle(rng)
		r.feed.Step = uint64(trial)
		if trial%2 == 1 { // then the sweep of aux1 does not run the main head, and leaves that one's gradient where it is
			r.state.Layout().Graph.Losses()[1].Distill = 0
		}
		r.feed.HeadWeights = []float64{1, 0.5 + rng.Float64(), -0.5 - rng.Float64()}
		o := r.options
		o.Optimizer = nil
		c, err := NewConflicts(r.backend, r.state, o)
		require.NoError(t, err)
		got, err := c.Weights(context.Background(), &r.feed, 8)
		require.NoError(t, err)
		require.NoError(t, c.Close())

		each := r.sends(5, r.feed.HeadWeights).gradients
		vectors, sum := make([][]float64, len(each)), []float64(nil)
		for _, p := range r.state.Layout().Params {
			reach := 0
			for _, g := range each {
				if dot(g[p.Name], g[p.Name]) > 0 {
					reach++
				}
			}
			if reach < 2 {
				continue
			}
			for i, g := range each {
				vectors[i] = append(vectors[i], g[p.Name]...)
			}
		}
		sum = make([]float64, len(vectors[0]))
		order := graph.NewRandom(8, fmt.Sprintf("pcgrad %d", trial))
		for i, g := range vectors {
			own := slices.Clone(g)
			for _, j := range permutation(len(vectors), order) {
				if d := dot(own, vectors[j]); j != i && d < 0 {
					surgery++
					for k := range own {
						own[k] -= d / dot(vectors[j], vectors[j]) * vectors[j][k]
					}
				}
			}
			for k, v := range own {
				sum[k] += v
			}
		}
		for k, want := range sum {
			v := 0.0
			for i, g := range vectors {
				v += got[i] / r.feed.HeadWeights[i] * g[k]
			}
			require.InDelta(t, want, v, 1e-9*math.Sqrt(dot(sum, sum)))
		}
	}
	require.Positive(t, surgery, "there are conflicts")
}
