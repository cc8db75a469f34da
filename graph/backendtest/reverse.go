package backendtest

import (
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// reverse returns the reference's own gradient of Σ weight·loss by every node's output and by every
// parameter. It is a reverse sweep over the values of evaluate, each rule in plain loops.
// checkGradients compares it with finite differences.
func (r *reference) reverse(losses []*graph.Loss, weights []float64) (nodes map[*graph.Node][]float64, params map[*graph.Param][]float64) {
	nodes, params = map[*graph.Node][]float64{}, map[*graph.Param][]float64{}
	all := r.g.Nodes()
	for _, n := range all {
		nodes[n] = make([]float64, r.batch*n.Shape().Elements())
		for _, p := range n.Params() {
			params[p] = make([]float64, p.Elements())
		}
	}
	for i, l := range losses {
		r.lossGradient(nodes[l.Logits], l, weights[i])
	}
	for i := len(all) - 1; i >= 0; i-- {
		r.nodeGradient(all[i], nodes, params)
	}
	return nodes, params
}

// lossGradient adds the gradient of weight·loss to that of the logits. The teacher is a constant.
func (r *reference) lossGradient(d []float64, l *graph.Loss, weight float64) {
	k, rows, share := l.Logits.Shape().C, 0, 0.0
	for _, label := range r.labels {
		if label != graph.IgnoreLabel {
			rows++
		}
	}
	if r.training {
		share = l.Distill
	}
	for i, label := range r.labels {
		if label == graph.IgnoreLabel {
			continue
		}
		row := r.values[l.Logits][i*k:][:k]
		p := softmax(row, 1)
		for c := range row {
			target := l.Smoothing / float64(k)
			if c == int(label) {
				target += 1 - l.Smoothing
			}
			d[i*k+c] += weight / float64(rows) * (1 - share) * (p[c] - target)
		}
		if share > 0 {
			teacher := r.teacher
			if teacher == nil {
				teacher = r.values[r.g.MainLoss().Logits]
			}
			p, q := softmax(row, l.Temperature), softmax(teacher[i*k:][:k], l.Temperature)
			for c := range row {
				d[i*k+c] += weight / float64(rows) * share * l.Temperature * (p[c] - q[c])
			}
		}
	}
}

func softmax(v []float64, temperature float64) []float64 {
	out, sum := make([]float64, len(v)), 0.0
	for c, x := range v {
		out[c] = math.Exp(x / temperature)
		sum += out[c]
	}
	for c := range out {
		out[c] /= sum
	}
	return out
}

// nodeGradient adds what a node's gradient sends to its inputs' gradients and to its parameters'.
func (r *reference) nodeGradient(n *graph.Node, nodes map[*graph.Node][]float64, params map[*graph.Param][]float64) {
	if len(n.Inputs()) == 0 {
		return
	}
	dy, out, first := nodes[n], n.Shape(), n.Inputs()[0]
	x, dx, in := r.values[first], nodes[first], first.Shape()
	switch o := n.Op().(type) {
	case graph.Conv:
		p := n.Params()[0]
		r.convGradient(dy, x, dx, in, out, o.Window, r.params[p], params[p])
	case graph.Linear:
		p := n.Params()[0]
		r.convGradient(dy, x, dx, in, out, graph.Window{H: in.H, W: in.W, StrideH: 1, StrideW: 1}, r.params[p], params[p])
	case graph.AddBias:
		for i, d := range dy {
			dx[i] += d
			params[n.Params()[0]][i%out.C] += d
		}
	case graph.BatchNorm:
		r.batchNormGradient(dy, x, dx, n, o, params)
	case graph.ReLU:
		for i, d := range dy {
			if x[i] > 0 {
				dx[i] += d
			}
		}
	case graph.MaxPool:
		r.windows(in, out, o.Window, func(to int, taps []int, _ int) {
			for c := range in.C {
				best := taps[0]
				for _, t := range taps {
					if x[t*in.C+c] > x[best*in.C+c] {
						best = t
					}
				}
				dx[best*in.C+c] += dy[to*in.C+c]
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
					dx[t*in.C+c] += dy[to*in.C+c] / float64(d)
				}
			}
		})
	case graph.AdaptiveAvgPool:
		r.adaptiveGradient(dy, dx, in, out)
	case graph.LRN:
		for i, d := range dy {
			c := i % in.C
			lo, hi, s := max(0, c-o.Size/2), min(in.C-1, c+o.Size/2), o.K
			for j := lo; j <= hi; j++ {
				s += o.Alpha / float64(o.Size) * x[i-c+j] * x[i-c+j]
			}
			dx[i] += d * math.Pow(s, -o.Beta)
			for j := lo; j <= hi; j++ {
				dx[i-c+j] -= d * x[i] * o.Beta * math.Pow(s, -o.Beta-1) * 2 * o.Alpha / float64(o.Size) * x[i-c+j]
			}
		}
	case graph.Concat:
		from := 0
		for _, m := range n.Inputs() {
			c := m.Shape().C
			for i := range nodes[m] {
				nodes[m][i] += dy[i/c*out.C+from+i%c]
			}
			from += c
		}
	case graph.Add:
		for _, m := range n.Inputs() {
			for i, d := range dy {
				nodes[m][i] += d
			}
		}
	case graph.Scale:
		for i, d := range dy {
			dx[i] += o.Factor * d
		}
	case graph.Dropout: // linear, element by element: its own gradient
		masked := make([]float64, len(dy))
		dropoutValue(evaluation{reference: r, y: masked, x: dy, n: n})
		for i, d := range masked {
			dx[i] += d
		}
	default:
		panic(fmt.Sprintf("backendtest: the reference has no gradient of operation %s: add it", o.Kind()))
	}
}

func (r *reference) convGradient(dy, x, dx []float64, in, out graph.Shape, w graph.Window, f, df []float64) {
	r.windowsAt(in, out, w, func(to int, taps []int, where [][2]int) {
		for k := range out.C {
			d := dy[to*out.C+k]
			for i, t := range taps {
				base := ((k*w.H+where[i][0])*w.W + where[i][1]) * in.C
				for c := range in.C {
					df[base+c] += d * x[t*in.C+c]
					dx[t*in.C+c] += d * f[base+c]
				}
			}
		}
	})
}

func (r *reference) adaptiveGradient(dy, dx []float64, in, out graph.Shape) {
	for to := range dy {
		c, pixel := to%in.C, to/in.C
		n, p, q := pixel/out.Pixels(), pixel/out.W%out.H, pixel%out.W
		h0, h1 := p*in.H/out.H, ((p+1)*in.H+out.H-1)/out.H
		w0, w1 := q*in.W/out.W, ((q+1)*in.W+out.W-1)/out.W
		for h := h0; h < h1; h++ {
			for w := w0; w < w1; w++ {
				dx[((n*in.H+h)*in.W+w)*in.C+c] += dy[to] / float64((h1-h0)*(w1-w0))
			}
		}
	}
}

// batchNormGradient is that of a training step: mean and variance depend on x.
func (r *reference) batchNormGradient(dy, x, dx []float64, n *graph.Node, o graph.BatchNorm, params map[*graph.Param][]float64) {
	gamma, dgamma, dbeta := r.params[n.Params()[0]], params[n.Params()[0]], params[n.Params()[1]]
	c := n.Shape().C
	m := float64(len(x) / c)
	for k := range c {
		var mean, variance float64
		for i := k; i < len(x); i += c {
			mean += x[i] / m
		}
		for i := k; i < len(x); i += c {
			variance += (x[i] - mean) * (x[i] - mean) / m
		}
		s := math.Sqrt(variance + o.Eps)
		for i := k; i < len(x); i += c {
			dbeta[k] += dy[i]
			dgamma[k] += dy[i] * (x[i] - mean) / s
		}
		for i := k; i < len(x); i += c {
			dx[i] += gamma[k] / s * (dy[i] - dbeta[k]/m - (x[i]-mean)/s*dgamma[k]/m)
		}
	}
}
