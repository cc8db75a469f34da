package backendtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
	"gorgonia.org/tensor"
)

// trials are the settings that networks are tried with.
type trials struct {
	b graph.Backend
	// exact gives the expected results. In FP64 its plan without fusions and shared memory gives
	// the gradients, which are compared with finite differences of the reference; the reference
	// gives everything else. In a precision that rounds, exact runs every plan that b runs.
	exact graph.Backend
	few   int // number of ways of making a plan that are tried, besides the usual one; 0 means all
	// spoil changes the plans that b runs, to show that the checks find the change.
	spoil func(*graph.Plan)
}

// failure is a fault that a network shows.
type failure struct {
	what string // kind of fault, which does not change while a listing is reduced
	text string
}

func (f *failure) Error() string { return f.what + ": " + f.text }

func fail(what, format string, args ...any) { panic(&failure{what, fmt.Sprintf(format, args...)}) }

func must[T any](v T, err error) T {
	if err != nil {
		fail("error", "%v", err)
	}
	return v
}

// run tries the network of a listing and returns its failure, or nil.
func (s trials) run(l listing) (wrong *failure) {
	t := &trial{trials: s}
	defer func() {
		if r := recover(); r != nil {
			var ok bool
			if wrong, ok = r.(*failure); !ok {
				wrong = &failure{"panic", fmt.Sprintf("%v\n%s", r, debug.Stack())}
			}
			if t.way != "" {
				wrong.text = "plan " + t.way + ": " + wrong.text
			}
		}
		for _, f := range slices.Backward(t.closers) {
			if err := f(); err != nil && wrong == nil {
				wrong = &failure{"close", err.Error()}
			}
		}
	}()
	var err error
	if t.subject, err = l.build(); err != nil {
		return &failure{"listing", err.Error()}
	}
	t.prepare()
	t.check()
	return nil
}

// trial is a network on the backends.
type trial struct {
	trials
	*subject
	rng      *rand.Rand
	ref      *reference
	at, here point
	labels   []int32
	weights  []float64
	way      string // name of the way that is being tried
	state    graph.State
	twin     graph.State // the state of exact
	known    map[string]graph.Program
	closers  []func() error
}

// point is the parameters and images at which a network is evaluated.
type point struct {
	params map[*graph.Param][]float32
	images []float32
}

// results are vectors of numbers by name: "value relu3", "gradient conv1/weight".
type results map[string][]float64

func (t *trial) prepare() {
	t.layout = must(graph.NewLayout(t.g))
	t.rng = rand.New(rand.NewPCG(t.seed, 10))
	t.at = point{params: map[*graph.Param][]float32{}}
	for _, p := range t.g.Params() {
		v, r := make([]float32, p.Elements()), graph.NewRandom(t.seed, p.Name)
		fan := 1.0
		for _, d := range p.Dims[1:] {
			fan *= float64(d)
		}
		for i := range v {
			switch p.Role {
			case graph.Weight:
				v[i] = float32(r.Normal() * math.Sqrt(2/fan))
			case graph.Gamma, graph.RunningVar:
				v[i] = float32(0.5 + r.Uniform())
			default:
				v[i] = float32(0.3 * r.Normal())
			}
		}
		t.at.params[p] = v
	}
	r := graph.NewRandom(t.seed, "image")
	t.at.images = make([]float32, t.batch*t.g.InputNode().Shape().Elements())
	for i := range t.at.images {
		t.at.images[i] = float32(r.Normal())
	}
	for i := range t.batch {
		label := int32(r.Uint32() % uint32(t.g.MainLoss().Logits.Shape().C))
		if i >= t.batch-t.ignored {
			label = graph.IgnoreLabel
		}
		t.labels = append(t.labels, label)
	}
	for _, l := range t.g.Losses() {
		t.weights = append(t.weights, l.Weight)
	}
	t.ref = &reference{g: t.g, batch: t.batch, labels: t.labels, seed: t.seed, step: 3}
	newState := func(b graph.Backend) graph.State {
		st := must(b.NewState(t.layout, graph.StateOptions{Slots: 1}))
		t.closers = append(t.closers, st.Close)
		return st
	}
	t.state, t.twin, t.known = newState(t.b), newState(t.exact), map[string]graph.Program{}

	// The layout has room for the gradient of every parameter that is trained and leads to a head.
	var logits []*graph.Node
	for _, l := range t.g.Losses() {
		logits = append(logits, l.Logits)
	}
	needed := graph.Ancestors(logits...)
	for _, n := range t.g.Nodes() {
		for _, p := range n.Params() {
			if want := p.Trainable && needed[n]; t.layout.IsTrained(p) != want {
				fail("layout", "%s is trained: %t, not %t", p.Name, !want, want)
			}
		}
	}
}

// rounds reports whether the precision rounds more than float32 does.
func (t *trial) rounds() bool { return t.exact.Target().Precision != graph.FP64 }

func (t *trial) bounds() bounds {
	b := tolerance[t.b.Target().Precision]
	if t.b.Target().Precision == graph.FP32 {
		b.gradient = 1e-2 // a random network cancels more than a designed one
	}
	return b
}

// way is a way of making and running a plan.
type way struct {
	name    string
	options graph.Options
	weights []float64 // of the plan's heads
	from    *graph.Node
	start   map[*graph.Param][]float32 // gradients to add to, with a factor of 0.5 for the new ones; nil: the run writes them
	lr      float64                    // learning rate of an update; 0: no update
	order   bool                       // run the steps in another order
}

// check tries all ways.
func (t *trial) check() {
	t.compare(way{name: "fused", options: graph.Options{Batch: t.batch, Training: true, Target: t.b.Target()}, weights: t.weights})
	for _, w := range t.ways() {
		t.compare(w)
	}
}

// ways returns the ways of making a plan besides the usual one.
func (t *trial) ways() []way {
	var ways []way
	add := func(name string, training bool, set func(*way)) {
		w := way{name: name, options: graph.Options{Batch: t.batch, Training: training, Target: t.b.Target()}, weights: t.weights}
		set(&w)
		ways = append(ways, w)
	}
	coin := func() bool { return t.rng.IntN(2) == 0 }
	some := graph.Fusions{Epilogue: coin(), Sums: coin(), NormReLU: coin(), Siblings: coin(), Residual: coin()}
	activations := slices.DeleteFunc(slices.Clone(t.probes), func(p graph.Probe) bool { return p.Gradient })
	add("unfused", true, func(w *way) { w.options.Fusions = graph.Fusions{} })
	add("partly fused", true, func(w *way) { w.options.Fusions = some })
	add("own memory", true, func(w *way) { w.options.Debug.NoReuse = true })
	add("a sweep for each loss", true, func(w *way) { w.options.Debug.SweepPerLoss = true })
	add("a sweep for each loss, partly fused, added", true, func(w *way) {
		w.options.Debug.SweepPerLoss, w.options.Fusions, w.start = true, some, t.gradients()
	})
	add("another order", true, func(w *way) { w.order = true })
	if len(t.keep)+len(t.probes) > 0 {
		add("watched", true, func(w *way) { w.options.Keep, w.options.Probes, w.options.FreezeStatistics = t.keep, t.probes, true })
		add("watched, partly fused", true, func(w *way) { w.options.Keep, w.options.Probes, w.options.Fusions = t.keep, t.probes, some })
		add("watched without dropout", true, func(w *way) { w.options.Keep, w.options.Probes, w.options.NoDropout = t.keep, t.probes, true })
	}
	someHeads := func(w *way) {
		order := t.rng.Perm(len(t.weights))[:1+t.rng.IntN(len(t.weights))]
		w.weights = nil
		for _, i := range order {
			w.options.Losses = append(w.options.Losses, t.g.Losses()[i].Name)
			w.weights = append(w.weights, pick(t.rng, 1, 0.5, 2))
		}
	}
	add("some heads", true, func(w *way) {
		someHeads(w)
		w.start = t.gradients()
	})
	add("updated", true, func(w *way) {
		w.options.Optimizer, w.lr = &graph.Optimizer{Rule: graph.SGD}, 0.1
	})
	add("evaluated", false, func(w *way) { w.options.Keep, w.options.Probes = t.keep, activations })
	add("some heads evaluated, partly fused", false, func(w *way) {
		someHeads(w)
		w.options.Keep, w.options.Probes, w.options.Fusions = t.keep, activations, some
	})
	add("evaluated from a node", false, func(w *way) {
		someHeads(w)
		for _, i := range t.rng.Perm(len(t.g.Nodes())) { // the first node that everything leads through; at worst the input
			w.from = t.g.Nodes()[i]
			w.options.From = w.from.Name()
			if _, err := graph.Compile(t.g, t.layout, w.options); err == nil {
				break
			}
		}
	})
	if t.few > 0 && t.few < len(ways) {
		t.rng.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		ways = ways[:t.few]
	}
	return ways
}

// gradients returns random values for every gradient.
func (t *trial) gradients() map[*graph.Param][]float32 {
	out := map[*graph.Param][]float32{}
	for _, p := range t.layout.Params {
		if t.layout.IsTrained(p) {
			v := make([]float32, p.Elements())
			for i := range v {
				v[i] = float32(t.rng.NormFloat64())
			}
			out[p] = v
		}
	}
	return out
}

// compare runs a plan on the backend and compares all results with the expected ones.
func (t *trial) compare(w way) {
	t.here = t.at
	t.way = w.name
	plan, err := graph.Compile(t.g, t.layout, w.options)
	if err != nil {
		fail("compile", "%v", err)
	}
	if w.order {
		plan = t.reordered(plan)
	}
	if t.spoil != nil {
		t.spoil(plan)
	}
	t.checkProbes(w, plan)
	if w.options.Training && !t.rounds() {
		t.differences(w)
	}
	pr := must(t.b.Load(plan, t.state))
	t.closers = append(t.closers, pr.Close)
	feed := t.feed(w)
	got := t.execute(pr, t.state, w, feed)
	want := t.expected(w, feed)
	var moved []results // expected results for inputs that are a little different
	for _, name := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[name]
		what, _, _ := strings.Cut(name, " ")
		if !ok || len(g) != len(want[name]) {
			fail(what, "%s: %d values, not %d", name, len(g), len(want[name]))
		}
		e, bound := distance(g, want[name]), t.bound(w, what, name, want)
		if math.IsInf(bound, 0) {
			fail("reference", "%s is not finite", name)
		}
		if e <= bound {
			continue
		}
		// Where rounding changes a decision, or a result is a small difference of large terms, a
		// change of the input as small as a rounding changes the expected result as much.
		for k := 0; k < 6 && e > bound; k++ {
			if k == len(moved) {
				moved = append(moved, t.beside(w, feed))
			}
			if d := distance(moved[k][name], want[name]); !math.IsInf(d, 0) {
				bound = max(bound, besides[t.b.Target().Precision].times*d)
			}
		}
		if !(e <= bound) {
			k := min(len(g), 12)
			fail(what, "%s is off by %.3g (L2), of %.3g; at most %.3g\n  got  %.6g\n  want %.6g", name, e, norm(want[name]), bound, g[:k], want[name][:k])
		}
	}
}

// bound returns the error that a result may always have.
func (t *trial) bound(w way, what, name string, want results) float64 {
	b := t.bounds()
	relative := b.value
	switch what {
	case "gradient", "update":
		relative = b.gradient
	case "squares":
		if strings.HasPrefix(name, "squares d(") {
			relative = 2 * b.gradient
		}
	case "loss", "statistic":
		relative = 10 * b.value
	}
	if w.from != nil {
		relative = max(relative, 1e-5) // the activations are converted to float32
	}
	if what == "zeros" && t.b.Target().Precision != graph.FP64 {
		return 2 // counts of signs: rounding decides the sign of values close to zero
	}
	floor := 0.0
	for other, v := range want {
		if strings.HasPrefix(other, what) {
			floor = max(floor, norm(v))
		}
	}
	return relative*norm(want[name]) + 0.1*relative*floor + 1e-3*relative
}

func norm(v []float64) float64 { return distance(v, make([]float64, len(v))) }

// distance returns |a-b| in L2. A NaN makes it infinite.
func distance(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	if math.IsNaN(s) {
		return math.Inf(1)
	}
	return math.Sqrt(s)
}

func (t *trial) feed(w way) *graph.Feed {
	f := &graph.Feed{Images: t.here.images, Labels: t.labels, Seed: t.ref.seed, Step: t.ref.step, HeadWeights: w.weights, LR: w.lr}
	if w.start != nil {
		f.Accumulate, f.GradScale = true, 0.5
	}
	if w.from != nil {
		t.evaluate(w)
		f.Images = narrow(t.ref.values[w.from])
	}
	return f
}

// reordered returns the plan with its steps in another order that Plan.Dependencies allows.
func (t *trial) reordered(p *graph.Plan) *graph.Plan {
	q := *p
	q.Steps, q.Phases = nil, nil
	after, done := p.Dependencies(), make([]bool, len(p.Steps))
	for len(q.Steps) < len(p.Steps) {
		var ready []int
		for i, list := range after {
			if !done[i] && !slices.ContainsFunc(list, func(j int) bool { return !done[j] }) {
				ready = append(ready, i)
			}
		}
		i := pick(t.rng, ready...)
		done[i] = true
		q.Steps, q.Phases = append(q.Steps, p.Steps[i]), append(q.Phases, p.Phases[i])
	}
	return &q
}

// execute runs a program once at a point and returns all results. Gradients that the program writes
// are NaN before the run.
func (t *trial) execute(pr graph.Program, st graph.State, w way, feed *graph.Feed) results {
	set := func(part graph.Part, p *graph.Param, v []float32) {
		if err := st.Set(part, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(slices.Clone(v)))); err != nil {
			fail("error", "%v", err)
		}
	}
	get := func(part graph.Part, p *graph.Param) []float64 { return floats(must(st.Get(part, p))) }
	for _, p := range t.layout.Params {
		set(graph.Value, p, t.here.params[p])
		if t.layout.IsTrained(p) {
			v := w.start[p]
			if v == nil {
				v = slices.Repeat([]float32{float32(math.NaN())}, p.Elements())
			}
			set(graph.Gradient, p, v)
			if w.lr > 0 {
				set(graph.Slot0, p, make([]float32, p.Elements()))
			}
		}
	}
	if err := pr.Run(context.Background(), feed); err != nil {
		fail("error", "%v", err)
	}
	m := must(pr.Metrics())
	out := results{}
	total := 0.0
	for i, h := range m.Heads {
		out["loss "+h.Name] = []float64{h.Loss}
		total += h.Weight * h.Loss
		if h.Name != pr.Plan().Losses[i].Name || h.Weight != feed.HeadWeights[i] {
			fail("loss", "head %d is %s of weight %v", i, h.Name, h.Weight)
		}
		out["value "+pr.Plan().Losses[i].Logits.Name()] = floats(must(pr.Read(pr.Plan().Losses[i].Logits.Name())))
	}
	if m.Rows != t.batch-t.ignored || math.Abs(m.Total-total) > 1e-9*math.Abs(total) {
		fail("loss", "%d rows, total %v", m.Rows, m.Total)
	}
	for _, k := range w.options.Keep {
		out["value "+k] = floats(must(pr.Read(k)))
	}
	for _, s := range must(pr.ProbeResults()) {
		out["squares "+s.Probe.String()], out["zeros "+s.Probe.String()] = s.Squares, s.Zeros
	}
	for _, p := range t.layout.Params {
		if w.options.Training && t.layout.IsTrained(p) {
			out["gradient "+p.Name] = get(graph.Gradient, p)
		}
		switch {
		case p.IsStatistic():
			out["statistic "+p.Name] = get(graph.Value, p)
		default:
			out["update "+p.Name] = get(graph.Value, p)
		}
	}
	return out
}

func floats(d *tensor.Dense) []float64 {
	switch v := d.Data().(type) {
	case []float32:
		return widen(v)
	case []float64:
		return slices.Clone(v)
	case float32:
		return []float64{float64(v)}
	case float64:
		return []float64{v}
	}
	panic(fmt.Sprintf("a tensor of %v", d.Dtype()))
}

// expected returns the results that a plan should give at a point.
func (t *trial) expected(w way, feed *graph.Feed) results {
	if t.rounds() {
		pr := t.known[w.name]
		if pr == nil {
			o := w.options
			o.PadInput = t.exact.Target().PadInput
			pr = must(t.exact.Load(must(graph.Compile(t.g, t.layout, o)), t.twin))
			t.known[w.name] = pr
			t.closers = append(t.closers, pr.Close)
		}
		return t.execute(pr, t.twin, w, feed)
	}
	out := results{}
	heads := t.heads(w)
	losses := t.evaluate(w)
	for i, l := range heads {
		out["loss "+l.Name] = []float64{losses[i]}
		out["value "+l.Logits.Name()] = t.ref.values[l.Logits]
	}
	for _, k := range w.options.Keep {
		out["value "+k] = t.ref.values[must(t.g.Find(k))]
	}
	var reverse map[*graph.Node][]float64
	if w.options.Training && len(w.options.Probes) > 0 {
		reverse, _ = t.ref.reverse(t.learning(w), w.weights)
	}
	for _, p := range w.options.Probes {
		n := must(t.g.Find(p.Node))
		v := t.ref.values[n]
		if p.Gradient {
			v = reverse[n]
		}
		if t.watches(w, p) {
			seen := see(p, v, n.Shape().C, 0)
			out["squares "+p.String()], out["zeros "+p.String()] = seen.Squares, seen.Zeros
		}
	}
	gradients := map[*graph.Param][]float64{}
	if w.options.Training {
		gradients = t.plain(w)
	}
	live := t.live(w)
	for _, n := range t.g.Nodes() {
		for _, p := range n.Params() {
			value := widen(t.here.params[p])
			g, trained := gradients[p]
			if trained {
				out["gradient "+p.Name] = g
				if w.start != nil {
					sum := widen(w.start[p])
					for i := range sum {
						sum[i] += 0.5 * g[i]
					}
					out["gradient "+p.Name] = sum
				}
			}
			switch {
			case p.IsStatistic():
				if s := t.ref.stats[p]; s != nil && w.options.Training && !w.options.FreezeStatistics && live[n] {
					value = s
				}
				out["statistic "+p.Name] = value
			default:
				for i := range value {
					if trained && w.lr > 0 {
						value[i] -= w.lr * g[i]
					}
				}
				out["update "+p.Name] = value
			}
		}
	}
	return out
}

// live returns the nodes that a plan computes.
func (t *trial) live(w way) map[*graph.Node]bool {
	var ends []*graph.Node
	for _, l := range t.heads(w) {
		ends = append(ends, l.Logits)
	}
	for _, k := range w.options.Keep {
		ends = append(ends, must(t.g.Find(k)))
	}
	for _, p := range w.options.Probes {
		ends = append(ends, must(t.g.Find(p.Node)))
	}
	return graph.Ancestors(ends...)
}

// besides has, for each precision, the relative distance from a point at which results are compared
// with those at the point, and the factor: a result may be off by times the change that it shows
// there. The step is a few roundings: the smallest change of a float32 parameter is 6e-8, and a
// value that is rounded before it is multiplied must change by a rounding to have an effect.
var besides = map[graph.Precision]struct{ step, times float64 }{
	graph.FP64: {1e-7, 30},
	graph.FP32: {1e-6, 30},
	graph.TF32: {5e-4, 3},
	graph.BF16: {4e-3, 3},
}

// beside returns the expected results for parameters and images that are off by a rounding.
func (t *trial) beside(w way, feed *graph.Feed) results {
	eps := besides[t.b.Target().Precision].step
	move := func(v []float32) []float32 {
		out := slices.Clone(v)
		for i := range out {
			out[i] *= float32(1 + eps*t.rng.NormFloat64())
		}
		return out
	}
	at := point{map[*graph.Param][]float32{}, move(t.at.images)}
	for _, p := range t.layout.Params {
		at.params[p] = move(t.at.params[p])
	}
	t.here = at
	defer func() { t.here = t.at }()
	f := *feed
	f.Images = move(feed.Images)
	if w.from == nil {
		f.Images = at.images
	}
	return t.expected(w, &f)
}

// heads returns the heads of a plan.
func (t *trial) heads(w way) []*graph.Loss {
	if w.options.Losses == nil {
		return t.g.Losses()
	}
	var out []*graph.Loss
	for _, name := range w.options.Losses {
		i := slices.IndexFunc(t.g.Losses(), func(l *graph.Loss) bool { return l.Name == name })
		out = append(out, t.g.Losses()[i])
	}
	return out
}

// evaluate runs the reference at a point and returns the losses of the plan's heads.
func (t *trial) evaluate(w way) []float64 {
	t.ref.params = map[*graph.Param][]float64{}
	for p, v := range t.here.params {
		t.ref.params[p] = widen(v)
	}
	t.ref.images = widen(t.here.images)
	t.ref.training, t.ref.noDropout, t.ref.teacher = w.options.Training, w.options.NoDropout, nil
	t.ref.evaluate()
	if t.ref.training {
		t.ref.teacher = slices.Clone(t.ref.values[t.g.MainLoss().Logits])
	}
	return t.losses(w)
}

// losses returns the losses of the plan's heads. A teacher keeps its values.
func (t *trial) losses(w way) []float64 {
	var out []float64
	for _, l := range t.learning(w) {
		out = append(out, t.ref.loss(l))
	}
	return out
}

// learning returns copies of the plan's heads. They learn from the main head only if it is the
// plan's first head.
func (t *trial) learning(w way) []*graph.Loss {
	heads := t.heads(w)
	var out []*graph.Loss
	for _, l := range heads {
		one := *l
		if heads[0] != t.g.MainLoss() {
			one.Distill = 0
		}
		out = append(out, &one)
	}
	return out
}

func plainKey(w way) string { return fmt.Sprint(w.options.Losses, w.options.NoDropout) }

// plain returns the gradients of a plan without fusions and shared memory.
func (t *trial) plain(w way) map[*graph.Param][]float64 {
	o := graph.Options{Batch: t.batch, Training: true, Losses: w.options.Losses, NoDropout: w.options.NoDropout, Debug: graph.Debug{NoReuse: true},
		Target: graph.Target{Precision: graph.FP64}}
	key := plainKey(w)
	pr := t.known[key]
	if pr == nil {
		pr = must(t.exact.Load(must(graph.Compile(t.g, t.layout, o)), t.twin))
		t.known[key] = pr
		t.closers = append(t.closers, pr.Close)
	}
	plain := way{options: o, weights: w.weights, start: map[*graph.Param][]float32{}}
	for _, p := range t.layout.Params {
		plain.start[p] = make([]float32, p.Elements()) // the gradient of what no head needs stays zero
	}
	feed := &graph.Feed{Images: t.here.images, Labels: t.labels, Seed: t.ref.seed, Step: t.ref.step, HeadWeights: w.weights}
	got := t.execute(pr, t.twin, plain, feed)
	out := map[*graph.Param][]float64{}
	for _, p := range t.layout.Params {
		if t.layout.IsTrained(p) {
			out[p] = got["gradient "+p.Name]
		}
	}
	return out
}

// errKink says that finite differences of two sizes, or to both sides, do not agree: a maximum or a
// ReLU switches in between.
var errKink = errors.New("kink")

// derivative returns the derivative of the plan's total loss by h, where move changes parameters by
// h.
func (t *trial) derivative(w way, move func(h float64)) (float64, error) {
	total := func(h float64) (sum float64) {
		move(h)
		for i, l := range t.losses(w) {
			sum += w.weights[i] * l
		}
		return sum
	}
	at := total(0)
	sides := func(h float64) (up, down float64) { return (total(h) - at) / h, (at - total(-h)) / h }
	up, down := sides(1e-5)
	nearUp, nearDown := sides(2.5e-6)
	move(0)
	slope, near := (up+down)/2, (nearUp+nearDown)/2
	// For a smooth function, the difference between the sides falls to a quarter with the step. The
	// rest of the difference is a kink at the point itself.
	kink := (4*(nearUp-nearDown) - (up - down)) / 3
	if math.Abs(slope-near) > 1e-6*max(1, math.Abs(slope)) || math.Abs(kink) > 1e-7+1e-5*math.Abs(slope) {
		return 0, errKink
	}
	return slope, nil
}

// differences compares the gradient of the plain plan with finite differences along one random
// direction per parameter. It does this once per plan.
func (t *trial) differences(w way) {
	if t.known[plainKey(w)] != nil {
		return
	}
	gradient := t.plain(w)
	t.evaluate(w)
	base := maps.Clone(t.ref.values)
	for _, n := range t.g.Nodes() {
		for _, p := range n.Params() {
			g, ok := gradient[p]
			if !ok {
				continue
			}
			at := slices.Clone(t.ref.params[p])
			direction := make([]float64, len(at))
			slope := 0.0
			for i := range direction {
				direction[i] = t.rng.NormFloat64() / math.Sqrt(float64(len(at)))
				slope += direction[i] * g[i]
			}
			d, err := t.derivative(w, func(h float64) {
				for i := range at {
					t.ref.params[p][i] = at[i] + h*direction[i]
				}
				t.ref.values = maps.Clone(base)
				t.ref.values[n] = t.ref.eval(n)
				t.ref.follow(n)
			})
			if err == nil && math.Abs(d-slope) > 2e-6*max(1, norm(g)) {
				fail("gradient", "%s of the plain plan: in a random direction the loss changes by %.9g, the gradient says %.9g", p.Name, d, slope)
			}
		}
	}
}

// checkProbes checks which probes a plan has: all except those of gradients that it does not have.
func (t *trial) checkProbes(w way, p *graph.Plan) {
	want, got := map[graph.Probe]int{}, map[graph.Probe]int{}
	for _, q := range w.options.Probes {
		if t.watches(w, q) {
			want[q]++
		}
	}
	for _, s := range p.Probes {
		got[s.Probe]++
	}
	if !maps.Equal(got, want) {
		fail("probes", "the plan has %v, not %v", got, want)
	}
}

// watches reports whether a plan has a requested probe. A plan has no gradient by a node that no
// head needs or that depends on nothing trained.
func (t *trial) watches(w way, p graph.Probe) bool {
	var logits []*graph.Node
	for _, l := range t.heads(w) {
		logits = append(logits, l.Logits)
	}
	n := must(t.g.Find(p.Node))
	return !p.Gradient || graph.Ancestors(logits...)[n] && t.trains(n)
}

// trains reports whether a node depends on a trained parameter.
func (t *trial) trains(n *graph.Node) bool {
	for m := range graph.Ancestors(n) {
		if slices.ContainsFunc(m.Params(), func(p *graph.Param) bool { return p.Trainable }) {
			return true
		}
	}
	return false
}
