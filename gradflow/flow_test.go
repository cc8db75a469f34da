package gradflow

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tributary-ml/tributary/layers/layerstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
)

// flowRun is a training network with two heads on a backend, with random weights and images.
type flowRun struct {
	t       *testing.T
	backend graph.Backend
	state   graph.State
	options graph.Options
	program graph.Program
	feed    graph.Feed
}

func newFlowRun(t *testing.T, p graph.Precision, batch int) *flowRun {
	g := layerstest.Trunk(t, 8)
	_, err := auxhead.Attach(g, []auxhead.Spec{{At: "m1", Kind: "gap", Weight: 0.3}, {At: "m2/tower3x3", Kind: "gap", Weight: 0.2}}, auxhead.Options{Classes: 5})
	require.NoError(t, err)
	g.Losses()[1].Distill, g.Losses()[1].Temperature = 0.4, 2
	b, err := cpu.New(cpu.Options{Precision: p})
	require.NoError(t, err)
	layout, err := graph.NewLayout(g)
	require.NoError(t, err)
	s, err := b.NewState(layout, graph.StateOptions{Slots: 1, EMA: true, Snapshots: MeterSnapshots(len(g.Losses()))})
	require.NoError(t, err)
	for _, q := range layout.Params {
		require.NoError(t, s.Set(graph.Value, q, tensor.New(tensor.WithShape(q.Dims...), tensor.WithBacking(q.Initial(1)))))
	}
	r := &flowRun{t: t, backend: b, state: s, options: graph.Options{Batch: batch, Training: true, Target: b.Target(),
		Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, EMA: true}}}
	r.program = r.load(r.options)
	rng := rand.New(rand.NewPCG(1, 2))
	r.feed = graph.Feed{LR: 0.1, EMADecay: 0.9}
	for range batch * 8 * 8 * 3 {
		r.feed.Images = append(r.feed.Images, float32(rng.NormFloat64()))
	}
	for range batch {
		r.feed.Labels = append(r.feed.Labels, int32(rng.IntN(5)))
	}
	return r
}

func (r *flowRun) load(o graph.Options) graph.Program {
	p, err := graph.Compile(r.state.Layout().Graph, r.state.Layout(), o)
	require.NoError(r.t, err)
	pr, err := r.backend.Load(p, r.state)
	require.NoError(r.t, err)
	return pr
}

func (r *flowRun) meter() *Meter {
	m, err := NewMeter(r.backend, r.state, r.options)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, m.Close()) })
	return m
}

func (r *flowRun) get(part graph.Part) map[string]any {
	out := map[string]any{}
	for _, p := range r.state.Layout().Params {
		if d, err := r.state.Get(part, p); err == nil {
			out[p.Name] = d.Data()
		}
	}
	return out
}

// The heads' gradients, combined by their sizes and angles, have the size of the gradient of
// training.
func TestFlowAddsUp(t *testing.T) {
	r := newFlowRun(t, graph.FP64, 16)
	m := r.meter()
	require.Greater(t, m.Images(), 2)
	var work int64
	for _, p := range m.programs {
		work += p.Plan().FLOPs()
	}
	require.LessOrEqual(t, work, r.load(r.options).Plan().FLOPs()*3/4, "a measurement costs no more than a step")
	f, err := m.Measure(context.Background(), &r.feed)
	require.NoError(t, err)
	require.Equal(t, []string{auxhead.Main, "aux1", "aux2"}, f.Heads)
	require.Equal(t, []float64{1, 0.3, 0.2}, f.Weights)

	o := r.options
	o.Batch, o.Optimizer = m.Images(), nil
	o.Probes = []graph.Probe{{Node: "m1", Gradient: true}, {Node: "m3", Gradient: true}}
	whole := r.load(o)
	require.NoError(t, whole.Run(context.Background(), r.feed.First(whole.Plan())))
	metrics, err := whole.Metrics()
	require.NoError(t, err)
	for i, h := range metrics.Heads {
		assert.InDelta(t, h.Loss, f.Losses[i], 1e-12)
	}
	own, err := r.state.Compare(graph.Gradient, graph.Gradient)
	require.NoError(t, err)
	squares := map[string]float64{}
	for i, p := range r.state.Layout().Params {
		squares[p.Name] = own[i].Squares
	}
	require.NotEmpty(t, f.Layers)
	for _, l := range f.Layers {
		var want float64
		for _, g := range l.Gradient {
			want += g * g
		}
		for k, p := range Pairs(3) {
			want += 2 * l.Cosine[k] * l.Gradient[p[0]] * l.Gradient[p[1]]
			assert.LessOrEqual(t, math.Abs(l.Cosine[k]), 1+1e-9)
		}
		assert.InEpsilon(t, want, squares[l.Name], 1e-9, l.Name)
	}
	layer := func(name string) Layer {
		for _, l := range f.Layers {
			if l.Name == name {
				return l
			}
		}
		t.Fatalf("no layer %s", name)
		return Layer{}
	}
	stem := layer("m1/tower3x3/conv/weight")
	for _, g := range stem.Gradient {
		assert.Positive(t, g, "every head reaches the first module")
	}
	deep := layer("m3/tower3x3/conv/weight")
	assert.Positive(t, deep.Gradient[0])
	assert.Equal(t, []float64{0, 0}, deep.Gradient[1:], "no head is above the last module")
	assert.Equal(t, []float64{0, 0, 0}, deep.Cosine)
	assert.Zero(t, layer("aux1/fc/linear/weight").Gradient[0])

	measures, err := whole.ProbeResults()
	require.NoError(t, err)
	places := map[string][]float64{}
	for _, p := range f.Places {
		places[p.Name] = p.Gradient
	}
	assert.InEpsilon(t, math.Sqrt(sum(measures[0].Squares)), places["m3"][0], 1e-9, "nothing but the main head is above m3")
	assert.Equal(t, []float64{0, 0}, places["m3"][1:])
	for _, g := range places["m1"][:2] {
		assert.Positive(t, g)
	}
	assert.Positive(t, places["m2/tower3x3"][2])
	assert.Zero(t, places["m2/tower1x1"][2], "the head is on the other tower")
	require.Len(t, f.ReLUs, 6)
	for _, u := range f.ReLUs {
		assert.Equal(t, 4, u.Channels)
		assert.Less(t, u.Dead, 4)
		assert.InDelta(t, 0.5, u.Zeros, 0.3)
	}
}

// Measuring between updates changes no bit of a run: neither values, running statistics, the
// optimizer's state nor averages.
func TestMeasuringChangesNothing(t *testing.T) {
	var states []map[graph.Part]map[string]any
	for _, measure := range []bool{false, true} {
		r := newFlowRun(t, graph.FP32, 4)
		var m *Meter
		if measure {
			m = r.meter()
		}
		for step := range 4 {
			r.feed.Step = uint64(step)
			var f *Flow
			if measure && step%2 == 1 {
				var err error
				f, err = m.Measure(context.Background(), &r.feed)
				require.NoError(t, err)
				require.NoError(t, m.Before())
			}
			require.NoError(t, r.program.Run(context.Background(), &r.feed))
			if f != nil {
				require.NoError(t, m.After(f))
				for _, l := range f.Layers {
					assert.InDelta(t, 0.05, l.Ratio(), 0.05, l.Name)
					assert.Positive(t, l.Update, l.Name)
				}
			}
		}
		all := map[graph.Part]map[string]any{}
		for _, p := range r.state.Parts() {
			all[p] = r.get(p)
		}
		states = append(states, all)
	}
	require.Equal(t, states[0], states[1])
}

// A head whose ReLUs are all off is detected: its channels are dead.
func TestFlowSeesDeadReLUs(t *testing.T) {
	r := newFlowRun(t, graph.FP32, 4)
	beta, err := r.state.Layout().Graph.Param("m2/tower1x1/bn/beta")
	require.NoError(t, err)
	require.NoError(t, r.state.Set(graph.Value, beta, tensor.New(tensor.WithShape(4), tensor.WithBacking([]float32{-100, 0, -100, -100}))))
	f, err := r.meter().Measure(context.Background(), &r.feed)
	require.NoError(t, err)
	for _, u := range f.ReLUs {
		if u.Name == "m2/tower1x1/relu" {
			assert.Equal(t, 3, u.Dead)
			assert.Greater(t, u.Zeros, 0.75)
			return
		}
	}
	t.Fatal("the rectifier was not measured")
}
