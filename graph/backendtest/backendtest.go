// Package backendtest is the one compliance suite that every backend passes: values and gradients of every operation on
// random shapes against a float64 reference and its finite differences, the plans' fusions and memory against their plain
// meaning, and the optimizers against their formulas.
package backendtest

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
	"gorgonia.org/tensor"
)

// bounds are what a precision may be off by. Values are compared by relative L2 error, gradients by the difference to a
// finite difference relative to the tensor's largest gradient.
type bounds struct{ value, gradient float64 }

// The float32 bounds are some tens of roundings (6e-8 each) deep in sums of at most a few thousand terms; tf32 has 10
// mantissa bits (5e-4 a rounding) and bf16 7 (4e-3), in products whose sums are kept in float32.
var tolerance = map[graph.Precision]bounds{
	graph.FP64: {1e-11, 1e-5},
	graph.FP32: {2e-5, 1e-3},
	graph.TF32: {3e-3, 2e-2},
	graph.BF16: {2e-2, 1e-1},
}

// RunAll runs the whole suite on a backend. Random choices come from seed, which failures name.
func RunAll(t *testing.T, b graph.Backend, seed uint64) {
	t.Logf("backend %s, precision %s, seed %d", b.Name(), b.Precision(), seed)
	t.Run("operations", func(t *testing.T) { testOperations(t, b, seed) })
	t.Run("plans", func(t *testing.T) { testPlans(t, b, seed) })
	t.Run("heads", func(t *testing.T) { testHeads(t, b, seed) })
	t.Run("evaluation", func(t *testing.T) { testEvaluation(t, b, seed) })
	t.Run("optimizers", func(t *testing.T) { testOptimizers(t, b, seed) })
	t.Run("gorgonia", func(t *testing.T) { testOracle(t, b, seed) })
	t.Run("errors", func(t *testing.T) { testErrors(t, b) })
}

// fixture is a graph with random parameters and a random batch, on a backend and in the reference.
type fixture struct {
	t       *testing.T
	b       graph.Backend
	g       *graph.Graph
	layout  *graph.Layout
	state   graph.State
	ref     *reference
	images  []float32
	weights []float64 // of the heads
	probes  map[*graph.Param][]probe
	probed  []float64 // the weights that the probes are for
}

func newFixture(t *testing.T, b graph.Backend, g *graph.Graph, batch int, rng *rand.Rand) *fixture {
	t.Helper()
	require.NoError(t, g.Err())
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	st, err := b.NewState(l, graph.StateOptions{Slots: 2, EMA: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	f := &fixture{t: t, b: b, g: g, layout: l, state: st}
	f.ref = &reference{g: g, batch: batch, training: true, params: map[*graph.Param][]float64{}, seed: rng.Uint64(), step: uint64(rng.IntN(100))}
	for _, p := range g.Params() {
		v := make([]float32, p.Elements())
		fan := 1.0
		for _, d := range p.Dims[1:] {
			fan *= float64(d)
		}
		for i := range v {
			switch p.Role {
			case graph.Weight:
				v[i] = float32(rng.NormFloat64() * math.Sqrt(2/fan))
			case graph.Gamma, graph.RunningVar:
				v[i] = float32(0.5 + rng.Float64())
			default:
				v[i] = float32(0.3 * rng.NormFloat64())
			}
		}
		f.set(graph.Value, p, v)
		f.ref.params[p] = widen(v)
	}
	in := g.InputNode().Shape()
	f.images = make([]float32, batch*in.Elements())
	for i := range f.images {
		f.images[i] = float32(rng.NormFloat64())
	}
	f.ref.images = widen(f.images)
	classes := g.Losses()[0].Logits.Shape().C
	for range batch {
		f.ref.labels = append(f.ref.labels, int32(rng.IntN(classes)))
	}
	for _, l := range g.Losses() {
		f.weights = append(f.weights, l.Weight)
	}
	return f
}

func widen(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

func (f *fixture) set(part graph.Part, p *graph.Param, v []float32) {
	f.t.Helper()
	require.NoError(f.t, f.state.Set(part, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))))
}

func (f *fixture) get(part graph.Part, p *graph.Param) []float64 {
	f.t.Helper()
	d, err := f.state.Get(part, p)
	require.NoError(f.t, err)
	return numbers(f.t, d)
}

func numbers(t *testing.T, d *tensor.Dense) []float64 {
	t.Helper()
	switch v := d.Data().(type) {
	case []float32:
		return widen(v)
	case []float64:
		return v
	case float32:
		return []float64{float64(v)}
	case float64:
		return []float64{v}
	}
	require.Fail(t, "a tensor of floats", "%v", d.Dtype())
	return nil
}

func (f *fixture) feed() *graph.Feed {
	return &graph.Feed{Images: f.images, Labels: f.ref.labels, Seed: f.ref.seed, Step: f.ref.step, HeadWeights: f.weights}
}

// options are those of a training plan without optimizer, with the backend's fusions.
func (f *fixture) options() graph.Options {
	return graph.Options{Batch: f.ref.batch, Training: true, Fusions: f.b.Fusions()}
}

// run compiles, loads and runs a plan once.
func (f *fixture) run(o graph.Options, feed *graph.Feed) (graph.Program, *graph.Metrics) {
	f.t.Helper()
	p, err := graph.Compile(f.g, f.layout, o)
	require.NoError(f.t, err)
	pr, err := f.b.Load(p, f.state)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { require.NoError(f.t, pr.Close()) })
	require.NoError(f.t, pr.Run(context.Background(), feed))
	m, err := pr.Metrics()
	require.NoError(f.t, err)
	return pr, m
}

// gradients copies out the gradient of every trained parameter.
func (f *fixture) gradients() map[string][]float64 {
	f.t.Helper()
	out := map[string][]float64{}
	for _, p := range f.layout.Params {
		if f.layout.IsTrained(p) {
			out[p.Name] = f.get(graph.Gradient, p)
		}
	}
	return out
}

// checkValues compares one activation with the reference.
func (f *fixture) checkValues(pr graph.Program, node string) {
	f.t.Helper()
	d, err := pr.Read(node)
	require.NoError(f.t, err)
	n, err := f.g.Find(node)
	require.NoError(f.t, err)
	e := relativeError(numbers(f.t, d), f.ref.values[n])
	require.LessOrEqual(f.t, e, tolerance[f.b.Precision()].value, "relative L2 error of %s %s", n.Op().Kind(), node)
}

// probe is one element of a parameter, with the derivative of the reference's total loss by it.
type probe struct {
	index int
	slope float64
}

// checkGradients compares sampled elements of every parameter's gradient with central differences of the reference's loss.
// The differences are taken once for each set of head weights.
func (f *fixture) checkGradients(rng *rand.Rand, samples int) {
	f.t.Helper()
	if f.probes == nil || !slices.Equal(f.probed, f.weights) {
		f.takeProbes(rng, samples)
	}
	tol := tolerance[f.b.Precision()].gradient
	for p, probes := range f.probes {
		got := f.get(graph.Gradient, p)
		largest := 0.0
		for _, v := range got {
			require.False(f.t, math.IsNaN(v), "gradient of %s has a NaN", p.Name)
			largest = max(largest, math.Abs(v))
		}
		for _, q := range probes {
			require.InDelta(f.t, q.slope, got[q.index], tol*largest+1e-9, "gradient of %s[%d]; the largest is %g", p.Name, q.index, largest)
		}
	}
}

func (f *fixture) takeProbes(rng *rand.Rand, samples int) {
	f.t.Helper()
	f.probes, f.probed = map[*graph.Param][]probe{}, slices.Clone(f.weights)
	tried, kinks := 0, 0
	for _, p := range f.layout.Params {
		if !f.layout.IsTrained(p) {
			continue
		}
		v := f.ref.params[p]
		for range min(samples, len(v)) {
			i := rng.IntN(len(v))
			tried++
			if s, smooth := f.slope(v, i); smooth {
				f.probes[p] = append(f.probes[p], probe{i, s})
			} else {
				kinks++
			}
		}
	}
	require.Less(f.t, kinks, tried/3+1, "finite differences met too many kinks to say anything")
	f.ref.run()
}

// slope is the derivative of the reference's total loss by one value, and whether two step sizes agree about it: they do not
// where a maximum or a ReLU switches in between.
func (f *fixture) slope(v []float64, i int) (float64, bool) {
	at := v[i]
	central := func(h float64) float64 {
		v[i] = at + h
		up := f.ref.total(f.weights)
		v[i] = at - h
		down := f.ref.total(f.weights)
		v[i] = at
		return (up - down) / (2 * h)
	}
	a, b := central(1e-5), central(2e-6)
	return a, math.Abs(a-b) <= 1e-6*max(1, math.Abs(a))
}

// relativeError is |a-b|/|b| in L2; a NaN anywhere makes it infinite.
func relativeError(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var d, s float64
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
		s += b[i] * b[i]
	}
	e := math.Sqrt(d) / max(math.Sqrt(s), 1e-30)
	if math.IsNaN(e) {
		return math.Inf(1)
	}
	return e
}
