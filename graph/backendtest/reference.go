package backendtest

import (
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// reference evaluates a graph in float64 as its operations are defined, node by node, with no plan,
// no fusion and no shared memory. All backends are compared with it.
type reference struct {
	g        *graph.Graph
	batch    int
	training bool
	// noDropout leaves dropout out of training.
	noDropout bool
	params    map[*graph.Param][]float64
	images    []float64
	labels    []int32
	seed      uint64
	step      uint64
	values    map[*graph.Node][]float64
	stats     map[*graph.Param][]float64 // running statistics after the step
	teacher   []float64                  // if not nil, the main head's logits as teacher: a teacher is a constant
}

// run evaluates every node and returns the mean loss of every head.
func (r *reference) run() []float64 {
	r.evaluate()
	losses := make([]float64, len(r.g.Losses()))
	for i, l := range r.g.Losses() {
		losses[i] = r.loss(l)
	}
	return losses
}

// evaluate evaluates every node.
func (r *reference) evaluate() {
	r.values = map[*graph.Node][]float64{}
	r.stats = map[*graph.Param][]float64{}
	for _, n := range r.g.Nodes() {
		r.values[n] = r.eval(n)
	}
}

// follow evaluates the nodes that depend on a node again, after a change of its value.
func (r *reference) follow(n *graph.Node) {
	changed := map[*graph.Node]bool{n: true}
	for _, m := range r.g.Nodes() {
		if slices.ContainsFunc(m.Inputs(), func(x *graph.Node) bool { return changed[x] }) {
			changed[m] = true
			r.values[m] = r.eval(m)
		}
	}
}

// total returns Σ weight·loss.
func (r *reference) total(weights []float64) float64 {
	t := 0.0
	for i, l := range r.run() {
		t += weights[i] * l
	}
	return t
}

// evaluation is a node that is being evaluated. x is the value of its first input, of shape in; y
// is the memory for its own value, of shape out.
type evaluation struct {
	*reference
	n       *graph.Node
	in, out graph.Shape
	x, y    []float64
}

func (r *reference) eval(n *graph.Node) []float64 {
	e := evaluation{reference: r, n: n, out: n.Shape(), y: make([]float64, r.batch*n.Shape().Elements())}
	if len(n.Inputs()) == 0 {
		copy(e.y, r.images)
		return e.y
	}
	e.x, e.in = r.values[n.Inputs()[0]], n.Inputs()[0].Shape()
	operationOf(n.Op().Kind()).value(e)
	return e.y
}

// windows calls f for every output pixel with the input pixels in its window, and with the number
// of taps that lie in the padded image.
func (r *reference) windows(in, out graph.Shape, w graph.Window, f func(to int, taps []int, padded int)) {
	r.windowsAt(in, out, w, func(to int, taps []int, _ [][2]int) {
		p, q := to/out.W%out.H, to%out.W
		rows := min(p*w.StrideH-w.Top+w.H, in.H+w.Bottom) - (p*w.StrideH - w.Top)
		cols := min(q*w.StrideW-w.Left+w.W, in.W+w.Right) - (q*w.StrideW - w.Left)
		f(to, taps, rows*cols)
	})
}

func (r *reference) windowsAt(in, out graph.Shape, w graph.Window, f func(to int, taps []int, where [][2]int)) {
	for n := range r.batch {
		for p := range out.H {
			for q := range out.W {
				var taps []int
				var where [][2]int
				for i := range w.H {
					for j := range w.W {
						h, ww := p*w.StrideH-w.Top+i, q*w.StrideW-w.Left+j
						if h >= 0 && h < in.H && ww >= 0 && ww < in.W {
							taps = append(taps, (n*in.H+h)*in.W+ww)
							where = append(where, [2]int{i, j})
						}
					}
				}
				f((n*out.H+p)*out.W+q, taps, where)
			}
		}
	}
}
