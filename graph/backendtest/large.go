package backendtest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// large checks a network with activations, and one parameter, so large that backends split them:
// the rows of a reduction, the rows and images of other steps, and the elements of a parameter. It
// finds pieces that are left out or counted twice.
func (s *suite) large(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 12))
	g := graph.New("large")
	x := g.Input("image", graph.Shape{H: 44, W: 43, C: 3})
	x = g.ReLU("relu", g.BatchNorm("bn", g.Conv("conv", x, 20, graph.Square(1, 1, 0), nil), 1e-3, 0.1))
	a := g.MaxPool("max", x, graph.Square(3, 1, 1))
	b := g.Dropout("dropout", g.LRN("lrn", x, 5, 0.3, 0.75, 1), 0.4)
	y := g.ReLU("sum/relu", g.Add("sum", a, g.Scale("scale", b, 0.3), x))
	y = g.Concat("concat", g.AvgPool("avg", y, graph.Square(3, 1, 1), true), g.AddBias("bias", g.ReLU("other", b), nil))
	y = g.Linear("wide", g.GlobalAvgPool("gap", y), 900, nil)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("logits", g.ReLU("wide/relu", g.AddBias("wide/bias", y, nil)), 7, nil), Weight: 1})
	f := s.fixture(t, g, 2, rng)
	values := map[*graph.Param][]float64{}
	for _, p := range f.layout.Params {
		values[p] = f.get(graph.Value, p)
	}
	for _, u := range []graph.Fusions{s.b.Target().Fusions, {}} {
		for p, v := range values { // a run changes the running statistics
			f.set(graph.Value, p, narrow(v))
		}
		o := f.options()
		o.Fusions = u
		o.Keep = []string{"relu", "max", "lrn", "dropout", "sum/relu", "avg", "bias", "gap"}
		o.Probes = []graph.Probe{{Node: "relu"}, {Node: "concat"}, {Node: "relu", Gradient: true}, {Node: "bias", Gradient: true}}
		pr, m := f.run(o, f.feed())
		f.checkHeads(m)
		for _, k := range o.Keep {
			f.checkValues(pr, k)
		}
		f.checkStatistics()
		f.checkGradients(rng, 0)
		for _, wrong := range f.wrongProbes(pr) {
			t.Error(wrong)
		}
	}

	// One step of plain gradient descent changes every element of every parameter by its gradient.
	o := f.options()
	o.Optimizer = &graph.Optimizer{Rule: graph.SGD, EMA: true}
	for p, v := range values {
		f.set(graph.Value, p, narrow(v))
		f.set(graph.Average, p, narrow(v))
		if f.layout.IsTrained(p) {
			f.set(graph.Slot0, p, make([]float32, len(v)))
		}
	}
	require.NoError(t, f.state.Copy(graph.Snapshot(0), graph.Value))
	feed := f.feed()
	feed.LR, feed.EMADecay = 0.5, 0.75
	_, m := f.run(o, feed)
	compared, err := f.state.Compare(graph.Snapshot(0), graph.Value)
	require.NoError(t, err)
	norm := 0.0
	for i, p := range f.layout.Params {
		if !f.layout.IsTrained(p) {
			continue
		}
		step := f.get(graph.Gradient, p)
		want, average := make([]float64, len(step)), make([]float64, len(step))
		var apart, squares, dot float64
		for k, d := range step {
			norm += d * d
			apart += 0.25 * d * d
			want[k] = values[p][k] - 0.5*d
			squares += values[p][k] * values[p][k]
			dot += values[p][k] * want[k]
			average[k] = values[p][k] - 0.25*0.5*d
		}
		require.LessOrEqual(t, relativeError(f.get(graph.Value, p), want), 1e-6, "update of %s", p.Name)
		require.LessOrEqual(t, relativeError(f.get(graph.Average, p), average), 1e-6, "average of %s", p.Name)
		require.InDelta(t, apart, compared[i].Apart, 1e-4*apart+1e-9, "the update's size at %s", p.Name)
		require.InDelta(t, squares, compared[i].Squares, 1e-6*squares, "the size of %s", p.Name)
		require.InDelta(t, dot, compared[i].Dot, 1e-6*squares, "the product of %s before and after", p.Name)
	}
	require.InEpsilon(t, norm, m.GradNorm*m.GradNorm, 1e-5)
}
