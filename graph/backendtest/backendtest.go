// Package backendtest is the compliance suite that every backend must pass. It compares values and
// gradients of every operation, on random shapes, with a float64 reference and its finite
// differences; it compares plans with fusions and shared memory with plans without them; it
// compares augmented images bit by bit, and the optimizers with their formulas. RunNetworks does
// the same with random networks.
//
// In a precision that rounds the operands or the memory, finite differences say little. Rounding
// sometimes changes the decision of a ReLU or a maximum. Where a gradient is a small difference of
// large terms (before a batch normalisation, for example), the difference may be rounding alone.
// Such a backend is compared with a model of itself: a backend that runs the same plan in float64
// and rounds in the same places. Then the two differ only by float32 sums, and by values that these
// sums make round the other way now and then.
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

// bounds are the largest errors that a precision may have. Values are compared by relative L2
// error: with the reference in FP64 and FP32, otherwise with the model.
type bounds struct{ value, gradient float64 }

// The float32 bounds are some tens of roundings (6e-8 each) in sums of at most a few thousand
// terms. In comparison with a model, one number that rounds the other way is off by a unit of its
// precision, 2^-10 (tf32) or 2^-7 (bf16), and the smallest tensors here have two elements.
// Gradients pass more roundings, and cancellation may cost them leading digits.
var tolerance = map[graph.Precision]bounds{
	graph.FP64: {1e-11, 1e-9},
	graph.FP32: {2e-5, 1e-3},
	graph.TF32: {2e-4, 5e-3},
	graph.BF16: {4e-3, 2e-2},
}

// RunAll runs the whole suite on a backend. If the precision is neither FP64 nor FP32, the backend
// is compared with model, a nearly exact backend of the same precision; for FP64 and FP32 model is
// nil. Random choices come from seed, which failures print.
func RunAll(t *testing.T, b, model graph.Backend, seed uint64) {
	precision := b.Target().Precision
	require.Equal(t, precision == graph.FP64 || precision == graph.FP32, model == nil, "a model is for precisions that round")
	if model != nil {
		require.Equal(t, precision, model.Target().Precision, "the model's precision")
	}
	t.Logf("backend %s, precision %s, seed %d", b.Name(), precision, seed)
	s := &suite{b, model, tolerance[precision], seed}
	t.Run("operations", s.operations)
	t.Run("plans", s.plans)
	t.Run("heads", s.heads)
	t.Run("evaluation", s.evaluation)
	t.Run("augmentation", s.augmentation)
	t.Run("probes", s.probes)
	t.Run("large", s.large)
	t.Run("stages", s.stages)
	t.Run("comparisons", s.comparisons)
	t.Run("optimizers", s.optimizers)
	if model == nil {
		t.Run("gorgonia", s.gorgonia)
	}
	t.Run("errors", s.errors)
}

// suite is one run of all tests.
type suite struct {
	b, model graph.Backend
	bounds
	seed uint64
}

// fixture is a graph with random parameters and a random batch, on a backend and in the reference.
type fixture struct {
	t *testing.T
	*suite
	twin    *twin // nil: the reference gives the expected results
	g       *graph.Graph
	layout  *graph.Layout
	state   graph.State
	ref     *reference
	images  []float32
	weights []float64 // of the heads
	probes  map[*graph.Param][]probe
	probed  []float64 // the weights that the probes are for
}

// twin is the model's side of a fixture. It runs whatever the backend runs.
type twin struct {
	state    graph.State
	programs map[graph.Program]graph.Program // the model's program, by the backend's
	metrics  *graph.Metrics                  // of the last run
}

func (s *suite) fixture(t *testing.T, g *graph.Graph, batch int, rng *rand.Rand) *fixture {
	t.Helper()
	require.NoError(t, g.Err())
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	newState := func(b graph.Backend) graph.State {
		st, err := b.NewState(l, graph.StateOptions{Slots: 2, EMA: true, Snapshots: 2})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		return st
	}
	f := &fixture{t: t, suite: s, g: g, layout: l, state: newState(s.b)}
	if s.model != nil {
		f.twin = &twin{state: newState(s.model), programs: map[graph.Program]graph.Program{}}
	}
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
	classes := g.MainLoss().Logits.Shape().C
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
	d := tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))
	require.NoError(f.t, f.state.Set(part, p, d))
	if f.twin != nil {
		require.NoError(f.t, f.twin.state.Set(part, p, d))
	}
}

func (f *fixture) get(part graph.Part, p *graph.Param) []float64 {
	f.t.Helper()
	return f.part(f.state, part, p)
}

func (f *fixture) part(s graph.State, part graph.Part, p *graph.Param) []float64 {
	f.t.Helper()
	d, err := s.Get(part, p)
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

// options returns the options of a training plan without optimizer, for the backend's target.
func (f *fixture) options() graph.Options {
	return graph.Options{Batch: f.ref.batch, Training: true, Target: f.b.Target()}
}

// load compiles and loads a plan.
func (f *fixture) load(b graph.Backend, s graph.State, o graph.Options) graph.Program {
	f.t.Helper()
	p, err := graph.Compile(f.g, f.layout, o)
	require.NoError(f.t, err)
	pr, err := b.Load(p, s)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { require.NoError(f.t, pr.Close()) })
	return pr
}

// run compiles, loads and runs a plan once.
func (f *fixture) run(o graph.Options, feed *graph.Feed) (graph.Program, *graph.Metrics) {
	f.t.Helper()
	pr := f.load(f.b, f.state, o)
	if f.twin != nil {
		o.PadInput = f.model.Target().PadInput
		f.twin.programs[pr] = f.load(f.model, f.twin.state, o)
	}
	return pr, f.again(pr, feed)
}

// again runs a program again, perhaps with another feed.
func (f *fixture) again(pr graph.Program, feed *graph.Feed) *graph.Metrics {
	f.t.Helper()
	once := func(pr graph.Program) *graph.Metrics {
		require.NoError(f.t, pr.Run(context.Background(), feed))
		m, err := pr.Metrics()
		require.NoError(f.t, err)
		return m
	}
	if f.twin != nil {
		f.twin.metrics = once(f.twin.programs[pr])
	}
	return once(pr)
}

// checkHeads checks the losses and hits of the last run.
func (f *fixture) checkHeads(m *graph.Metrics) {
	f.t.Helper()
	if f.twin != nil {
		for i, want := range f.twin.metrics.Heads {
			require.InEpsilon(f.t, want.Loss, m.Heads[i].Loss, f.value, "loss of %s", want.Name)
			require.Equal(f.t, want.Correct1, m.Heads[i].Correct1, want.Name)
			require.Equal(f.t, want.Correct5, m.Heads[i].Correct5, want.Name)
		}
		return
	}
	for i, loss := range f.ref.run() {
		l, h := f.g.Losses()[i], m.Heads[i]
		require.InEpsilon(f.t, loss, h.Loss, 20*f.value, "loss of %s", l.Name)
		require.Equal(f.t, f.ref.hits(l, 1), h.Correct1, l.Name)
		require.Equal(f.t, f.ref.hits(l, 5), h.Correct5, l.Name)
	}
}

// gradients returns copies of the gradients of all trained parameters.
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

// checkValues checks one activation.
func (f *fixture) checkValues(pr graph.Program, node string) {
	f.t.Helper()
	read := func(pr graph.Program) []float64 {
		d, err := pr.Read(node)
		require.NoError(f.t, err)
		return numbers(f.t, d)
	}
	n, err := f.g.Find(node)
	require.NoError(f.t, err)
	want := f.ref.values[n]
	if f.twin != nil {
		want = read(f.twin.programs[pr])
	}
	require.LessOrEqual(f.t, relativeError(read(pr), want), f.value, "relative L2 error of %s %s", n.Op().Kind(), node)
}

// probe is one element of a parameter, with the derivative of the reference's total loss by it.
type probe struct {
	index int
	slope float64
}

// checkGradients compares the gradient of every parameter with the reference's, and sampled
// elements of the reference's gradient with central differences of its loss. The differences are
// taken once for each set of head weights. If the fixture has a model, checkGradients compares with
// the model's gradients instead.
func (f *fixture) checkGradients(rng *rand.Rand, samples int) {
	f.t.Helper()
	if f.twin != nil {
		f.compareGradients()
		return
	}
	if f.probes == nil || !slices.Equal(f.probed, f.weights) {
		f.takeProbes(rng, samples)
	}
	_, want := f.ref.reverse(f.g.Losses(), f.weights)
	most := 0.0
	for _, p := range f.layout.Params {
		if f.layout.IsTrained(p) {
			most = max(most, norm(want[p]))
		}
	}
	for _, p := range f.layout.Params {
		if !f.layout.IsTrained(p) {
			continue
		}
		largest := 0.0
		for _, v := range want[p] {
			largest = max(largest, math.Abs(v))
		}
		for _, q := range f.probes[p] {
			require.InDelta(f.t, q.slope, want[p][q.index], 1e-5*largest+1e-9, "the reference's gradient of %s[%d]; the largest is %g", p.Name, q.index, largest)
		}
		e := distance(f.get(graph.Gradient, p), want[p])
		require.LessOrEqual(f.t, e, f.gradient*(norm(want[p])+0.1*most), "L2 error of the gradient of %s, of %g; the largest is %g", p.Name, norm(want[p]), most)
	}
}

// compareGradients compares the gradient of every parameter with the model's.
func (f *fixture) compareGradients() {
	f.t.Helper()
	for _, p := range f.layout.Params {
		if f.layout.IsTrained(p) {
			e := relativeError(f.get(graph.Gradient, p), f.part(f.twin.state, graph.Gradient, p))
			require.LessOrEqual(f.t, e, f.gradient, "relative L2 error of the gradient of %s", p.Name)
		}
	}
}

func (f *fixture) takeProbes(rng *rand.Rand, samples int) {
	f.t.Helper()
	f.probes, f.probed = map[*graph.Param][]probe{}, slices.Clone(f.weights)
	f.ref.run()
	f.ref.teacher = slices.Clone(f.ref.values[f.g.MainLoss().Logits])
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
	f.ref.teacher = nil
	f.ref.run()
}

// slope returns the derivative of the reference's total loss by one value. It also reports whether
// two step sizes agree: they do not if a maximum or a ReLU switches in between.
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

// relativeError returns |a-b|/|b| in L2. A NaN makes it infinite.
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
