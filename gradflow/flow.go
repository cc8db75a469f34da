package gradflow

import (
	"context"
	"math"
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// Flow is the gradient flow of a network at one moment, split by head: the gradient that each
// head's loss, by itself, sends to every layer. Gradients are those of weight·loss, so they add up
// to the gradient of training.
type Flow struct {
	Step    int       `json:"step"`   // updates done before the measurement
	Images  int       `json:"images"` // number of images measured
	Heads   []string  `json:"heads"`  // the main head first
	Weights []float64 `json:"weights"`
	Losses  []float64 `json:"losses"`

	Places []Place `json:"places"` // in forward order
	Layers []Layer `json:"layers"` // in forward order
	ReLUs  []ReLU  `json:"relus"`  // in forward order
}

// Place is an end point of the network, or the image, with the gradient that arrives there from
// above.
type Place struct {
	Name     string    `json:"name"`
	Gradient []float64 `json:"gradient"` // L2 norm of the gradient with respect to the activation, over all images, by head; 0 if the head is below
}

// Layer is one layer: its filters, or another parameter tensor.
type Layer struct {
	Name     string    `json:"name"`     // of the parameter
	Gradient []float64 `json:"gradient"` // L2 norm, by head
	// Cosine is the cosine of the angle between the gradients of two heads, in the order of Pairs:
	// 1 if they agree, -1 if they fight, 0 if one of them sends nothing.
	Cosine []float64 `json:"cosine"`
	Weight float64   `json:"weight"` // L2 norm of the values
	Update float64   `json:"update"` // L2 norm of the last update's change; 0 if no update was observed (Meter.Before)
}

// Ratio returns the size of the update relative to the weights. It is about 1e-3 if training goes
// well.
func (l Layer) Ratio() float64 {
	if l.Weight == 0 {
		return 0
	}
	return l.Update / l.Weight
}

// ReLU is one rectifier.
type ReLU struct {
	Name     string  `json:"name"`
	Channels int     `json:"channels"`
	Dead     int     `json:"dead"`  // channels that are zero in every pixel of every image
	Zeros    float64 `json:"zeros"` // share of all values that are zero
}

// Pairs returns the pairs of n heads in the order of Layer.Cosine: (0,1), (0,2), …, (1,2), ….
func Pairs(n int) [][2]int {
	var out [][2]int
	for i := range n {
		for j := i + 1; j < n; j++ {
			out = append(out, [2]int{i, j})
		}
	}
	return out
}

// Meter measures gradient flow with plans of its own, one for each head, on the parameters of a
// run. It changes neither the run's plans nor its results. It writes only the state's gradient,
// which the next update overwrites, and snapshots.
type Meter struct {
	sweeps
	places []string
}

// MeterSnapshots returns the number of snapshots that a network with the given number of heads
// needs for a Meter or a Conflicts (graph.StateOptions.Snapshots): one for each head's gradient,
// and one for the values before an update.
func MeterSnapshots(heads int) int { return heads + 1 }

// NewMeter prepares measurements of a network's heads on batches of a run. o has the options of the
// run's training plan. The meter uses only as many images of each batch, at least two, as keep a
// measurement within the time of one training step. Its sweeps get three quarters of the step's
// arithmetic. The rest is for the probes, for comparing gradients, and because small batches are
// slower for their size (BenchmarkGradientFlow in bench/ times it).
func NewMeter(b graph.Backend, s graph.State, o graph.Options) (*Meter, error) {
	g := s.Layout().Graph
	m := &Meter{sweeps: sweeps{state: s, images: o.Batch}}
	for _, e := range g.EndPoints() {
		m.places = append(m.places, e.Name)
	}
	step, err := graph.Compile(g, s.Layout(), o)
	if err != nil {
		return nil, err
	}
	plans, err := m.plans(o, m.probes)
	if err != nil {
		return nil, err
	}
	if work, most := flops(plans), step.FLOPs()*3/4; work > most {
		m.images = max(2, int(int64(o.Batch)*most/work))
		if plans, err = m.plans(o, m.probes); err != nil {
			return nil, err
		}
	}
	return m, m.load(b, plans)
}

func flops(plans []*graph.Plan) (sum int64) {
	for _, p := range plans {
		sum += p.FLOPs()
	}
	return sum
}

// probes returns the probes in the plan of the i-th head: its gradient at every end point and, for
// the main head, the rectifiers.
func (m *Meter) probes(i int) (out []graph.Probe) {
	g := m.state.Layout().Graph
	below := graph.Ancestors(g.Losses()[i].Logits)
	for _, e := range g.EndPoints() {
		if below[e.Node] {
			out = append(out, graph.Probe{Node: e.Name, Gradient: true})
		}
	}
	for _, n := range g.Nodes() {
		if _, ok := n.Op().(graph.ReLU); ok && i == 0 && below[n] {
			out = append(out, graph.Probe{Node: n.Name()})
		}
	}
	return out
}

// Images returns the number of images of a batch that are measured.
func (m *Meter) Images() int { return m.images }

// Measure measures the flow on the first images of a training batch, with the feed's head weights
// and dropout masks. It must be called between updates.
func (m *Meter) Measure(ctx context.Context, feed *graph.Feed) (*Flow, error) {
	f := &Flow{Step: int(feed.Step), Images: m.images}
	gradient := map[string][]float64{}
	losses := m.state.Layout().Graph.Losses()
	for i, l := range losses {
		f.Heads, f.Weights = append(f.Heads, l.Name), append(f.Weights, m.weight(i, feed))
		loss, err := m.run(ctx, i, feed)
		if err != nil {
			return nil, err
		}
		f.Losses = append(f.Losses, loss)
		measures, err := m.programs[i].ProbeResults()
		if err != nil {
			return nil, err
		}
		for _, s := range measures {
			if !s.Gradient {
				f.ReLUs = append(f.ReLUs, relu(s))
				continue
			}
			if gradient[s.Node] == nil {
				gradient[s.Node] = make([]float64, len(losses))
			}
			gradient[s.Node][i] = math.Sqrt(sum(s.Squares))
		}
	}
	for _, p := range m.places {
		if gradient[p] != nil {
			f.Places = append(f.Places, Place{p, gradient[p]})
		}
	}
	return f, m.compare(f)
}

func relu(s graph.ProbeResult) ReLU {
	r := ReLU{Name: s.Node, Channels: len(s.Zeros)}
	for _, z := range s.Zeros {
		if int(z) == s.Rows {
			r.Dead++
		}
		r.Zeros += z
	}
	r.Zeros /= float64(s.Rows * len(s.Zeros))
	return r
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}

// compare fills in the layers from the heads' gradients in the snapshots.
func (m *Meter) compare(f *Flow) error {
	heads := len(f.Heads)
	pairs := Pairs(heads)
	products, err := m.products()
	if err != nil {
		return err
	}
	weight, err := m.state.Compare(graph.Value, graph.Value)
	if err != nil {
		return err
	}
	layout := m.state.Layout()
	index := map[*graph.Param]int{}
	for i, p := range layout.Params {
		index[p] = i
	}
	for _, p := range layout.Graph.Params() {
		if !layout.IsTrained(p) || p.Role != graph.Weight {
			continue
		}
		at := index[p]
		l := Layer{Name: p.Name, Gradient: make([]float64, heads), Cosine: make([]float64, len(pairs)), Weight: math.Sqrt(weight[at].Squares)}
		for i := range heads {
			if m.reached[i][p] {
				l.Gradient[i] = math.Sqrt(products[i][i][at].Squares)
			}
		}
		for k, pair := range pairs {
			if n := l.Gradient[pair[0]] * l.Gradient[pair[1]]; n > 0 {
				l.Cosine[k] = products[pair[0]][pair[1]][at].Dot / n
			}
		}
		f.Layers = append(f.Layers, l)
	}
	return nil
}

// Before stores the values before an update, for After.
func (m *Meter) Before() error { return m.state.Copy(graph.Snapshot(len(m.programs)), graph.Value) }

// After adds the sizes of the update that has been made since Before.
func (m *Meter) After(f *Flow) error {
	changes, err := m.state.Compare(graph.Snapshot(len(m.programs)), graph.Value)
	if err != nil {
		return err
	}
	layout := m.state.Layout()
	for i, p := range layout.Params {
		k := slices.IndexFunc(f.Layers, func(l Layer) bool { return l.Name == p.Name })
		if k >= 0 {
			f.Layers[k].Update = math.Sqrt(changes[i].Apart)
		}
	}
	return nil
}
