package backendtest

import (
	"fmt"
	"math"
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// reference evaluates a graph in float64 exactly as its operations are defined, node by node, with no plan, no fusion and
// no memory sharing: what every backend is measured against.
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
	teacher   []float64                  // the main head's logits, where they are to stay what they were: a teacher is a constant
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

// follow evaluates what depends on a node once more: its value has been changed.
func (r *reference) follow(n *graph.Node) {
	changed := map[*graph.Node]bool{n: true}
	for _, m := range r.g.Nodes() {
		if slices.ContainsFunc(m.Inputs(), func(x *graph.Node) bool { return changed[x] }) {
			changed[m] = true
			r.values[m] = r.eval(m)
		}
	}
}

// total is Σ weight·loss.
func (r *reference) total(weights []float64) float64 {
	t := 0.0
	for i, l := range r.run() {
		t += weights[i] * l
	}
	return t
}

func (r *reference) loss(l *graph.Loss) float64 {
	x := r.values[l.Logits]
	k := l.Logits.Shape().C
	sum, rows := 0.0, 0
	for i, label := range r.labels {
		if label == graph.IgnoreLabel {
			continue
		}
		rows++
		row := x[i*k:][:k]
		z := 0.0
		for _, v := range row {
			z += math.Exp(v)
		}
		share := 0.0
		if r.training {
			share = l.Distill
		}
		for c, v := range row {
			target := l.Smoothing / float64(k)
			if c == int(label) {
				target += 1 - l.Smoothing
			}
			sum -= (1 - share) * target * (v - math.Log(z))
		}
		if share > 0 {
			teacher := r.teacher
			if teacher == nil {
				teacher = r.values[r.g.MainLoss().Logits]
			}
			sum += share * l.Temperature * l.Temperature * divergence(teacher[i*k:][:k], row, l.Temperature)
		}
	}
	return sum / float64(max(rows, 1))
}

// divergence is KL(softmax(u/t) ‖ softmax(v/t)).
func divergence(u, v []float64, t float64) (kl float64) {
	var zu, zv float64
	for c := range u {
		zu += math.Exp(u[c] / t)
		zv += math.Exp(v[c] / t)
	}
	for c := range u {
		q := math.Exp(u[c]/t) / zu
		kl += q * (u[c]/t - math.Log(zu) - v[c]/t + math.Log(zv))
	}
	return kl
}

// hits counts the rows whose label is among the k largest logits, ties to the lower class.
func (r *reference) hits(l *graph.Loss, k int) int {
	x, classes, hits := r.values[l.Logits], l.Logits.Shape().C, 0
	for i, label := range r.labels {
		if label == graph.IgnoreLabel {
			continue
		}
		rank := 0
		for c, v := range x[i*classes:][:classes] {
			if w := x[i*classes+int(label)]; v > w || v == w && c < int(label) {
				rank++
			}
		}
		if rank < k {
			hits++
		}
	}
	return hits
}

func (r *reference) eval(n *graph.Node) []float64 {
	var x []float64
	var in graph.Shape
	if len(n.Inputs()) > 0 {
		x, in = r.values[n.Inputs()[0]], n.Inputs()[0].Shape()
	}
	out := n.Shape()
	y := make([]float64, r.batch*out.Elements())
	switch o := n.Op().(type) {
	case graph.Input:
		copy(y, r.images)
	case graph.Conv:
		r.conv(y, x, in, out, o.Window, r.params[n.Params()[0]])
	case graph.Linear:
		r.conv(y, x, in, out, graph.Window{H: in.H, W: in.W, StrideH: 1, StrideW: 1}, r.params[n.Params()[0]])
	case graph.AddBias:
		for i := range y {
			y[i] = x[i] + r.params[n.Params()[0]][i%out.C]
		}
	case graph.BatchNorm:
		r.batchNorm(y, x, n, o)
	case graph.ReLU:
		for i := range y {
			y[i] = max(x[i], 0)
		}
	case graph.MaxPool:
		r.windows(in, out, o.Window, func(to int, taps []int, _ int) {
			for c := range in.C {
				best := math.Inf(-1)
				for _, t := range taps {
					best = max(best, x[t*in.C+c])
				}
				y[to*in.C+c] = best
			}
		})
	case graph.AvgPool:
		r.windows(in, out, o.Window, func(to int, taps []int, padded int) {
			d := len(taps)
			if o.IncludePad {
				d = padded
			}
			for c := range in.C {
				for _, t := range taps {
					y[to*in.C+c] += x[t*in.C+c] / float64(d)
				}
			}
		})
	case graph.AdaptiveAvgPool:
		r.adaptive(y, x, in, out)
	case graph.LRN:
		for i := range y {
			c, s := i%in.C, 0.0
			for j := max(0, c-o.Size/2); j <= min(in.C-1, c+o.Size/2); j++ {
				v := x[i-c+j]
				s += v * v
			}
			y[i] = x[i] * math.Pow(o.K+o.Alpha/float64(o.Size)*s, -o.Beta)
		}
	case graph.Concat:
		from := 0
		for _, m := range n.Inputs() {
			c := m.Shape().C
			for i, v := range r.values[m] {
				y[i/c*out.C+from+i%c] = v
			}
			from += c
		}
	case graph.Add:
		for _, m := range n.Inputs() {
			for i, v := range r.values[m] {
				y[i] += v
			}
		}
	case graph.Scale:
		for i := range y {
			y[i] = o.Factor * x[i]
		}
	case graph.Dropout:
		r.dropout(y, x, n, o)
	default:
		panic(fmt.Sprintf("backendtest: the reference has no operation %s: add it", o.Kind()))
	}
	return y
}

func (r *reference) conv(y, x []float64, in, out graph.Shape, w graph.Window, f []float64) {
	r.windowsAt(in, out, w, func(to int, taps []int, where [][2]int) {
		for k := range out.C {
			s := 0.0
			for i, t := range taps {
				base := ((k*w.H+where[i][0])*w.W + where[i][1]) * in.C
				for c := range in.C {
					s += f[base+c] * x[t*in.C+c]
				}
			}
			y[to*out.C+k] = s
		}
	})
}

// windows calls f for every output pixel with the input pixels that its window covers, and the number of taps that lie in the
// padded image.
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

func (r *reference) adaptive(y, x []float64, in, out graph.Shape) {
	bin := func(i, n, size int) (int, int) { return i * size / n, ((i+1)*size + n - 1) / n }
	for n := range r.batch {
		for p := range out.H {
			h0, h1 := bin(p, out.H, in.H)
			for q := range out.W {
				w0, w1 := bin(q, out.W, in.W)
				for c := range in.C {
					s := 0.0
					for h := h0; h < h1; h++ {
						for w := w0; w < w1; w++ {
							s += x[((n*in.H+h)*in.W+w)*in.C+c]
						}
					}
					y[((n*out.H+p)*out.W+q)*in.C+c] = s / float64((h1-h0)*(w1-w0))
				}
			}
		}
	}
}

func (r *reference) batchNorm(y, x []float64, n *graph.Node, o graph.BatchNorm) {
	p := n.Params()
	gamma, beta, runMean, runVar := r.params[p[0]], r.params[p[1]], r.params[p[2]], r.params[p[3]]
	c := n.Shape().C
	m := float64(len(x) / c)
	newMean, newVar := make([]float64, c), make([]float64, c)
	for k := range c {
		mean, variance := runMean[k], runVar[k]
		if r.training {
			mean, variance = 0, 0
			for i := k; i < len(x); i += c {
				mean += x[i] / m
			}
			for i := k; i < len(x); i += c {
				variance += (x[i] - mean) * (x[i] - mean) / m
			}
			newMean[k] = (1-o.Momentum)*runMean[k] + o.Momentum*mean
			newVar[k] = (1-o.Momentum)*runVar[k] + o.Momentum*variance*m/(m-1)
		}
		for i := k; i < len(x); i += c {
			y[i] = gamma[k]*(x[i]-mean)/math.Sqrt(variance+o.Eps) + beta[k]
		}
	}
	if r.training {
		r.stats[p[2]], r.stats[p[3]] = newMean, newVar
	}
}

func (r *reference) dropout(y, x []float64, n *graph.Node, o graph.Dropout) {
	key := graph.StreamKey(r.seed, graph.NodeKey(n.Name()))
	for e := range y {
		b := uint64(e / 4)
		word := graph.Philox4x32([4]uint32{uint32(b), uint32(b >> 32), uint32(r.step), uint32(r.step >> 32)}, key)[e%4]
		switch {
		case !r.training || r.noDropout:
			y[e] = x[e]
		case float64(word) >= o.P*(1<<32):
			y[e] = x[e] / (1 - o.P)
		}
	}
}
