package backendtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var batchNorm = operation{
	kind:     "batchnorm",
	make:     func(s statement) graph.Op { return graph.BatchNorm{Eps: s.float("eps", 0.1), Momentum: 0.3} },
	value:    batchNormValue,
	gradient: batchNormGradient,
	refuses: func(n *graph.Node, batch int) error {
		if batch*n.Shape().Pixels() < 2 {
			return fmt.Errorf("one pixel a channel has no variance: %s", n.Name())
		}
		return nil
	},
	cases: []opCase{
		{"batchnorm", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
			return g.BatchNorm("op", g.ReLU("r", x), 1e-3, 0.3)
		}},
		{"batchnorm_relu_shared", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
			y := g.BatchNorm("bn", x, 1e-3, 0.3)
			return g.Add("op", g.ReLU("r", y), y)
		}},
	},
}

func batchNormValue(e evaluation) {
	r, y, x, o, p := e.reference, e.y, e.x, e.n.Op().(graph.BatchNorm), e.n.Params()
	gamma, beta, runMean, runVar := r.params[p[0]], r.params[p[1]], r.params[p[2]], r.params[p[3]]
	c := e.out.C
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

// batchNormGradient is the gradient of a training step, where mean and variance depend on x.
func batchNormGradient(s sweep) {
	x, dy, p := s.x, s.dy, s.n.Params()
	gamma, dgamma, dbeta := s.params[p[0]], s.gradients[p[0]], s.gradients[p[1]]
	c := s.out.C
	m := float64(len(x) / c)
	for k := range c {
		var mean, variance float64
		for i := k; i < len(x); i += c {
			mean += x[i] / m
		}
		for i := k; i < len(x); i += c {
			variance += (x[i] - mean) * (x[i] - mean) / m
		}
		deviation := math.Sqrt(variance + s.n.Op().(graph.BatchNorm).Eps)
		for i := k; i < len(x); i += c {
			dbeta[k] += dy[i]
			dgamma[k] += dy[i] * (x[i] - mean) / deviation
		}
		for i := k; i < len(x); i += c {
			s.dx[i] += gamma[k] / deviation * (dy[i] - dbeta[k]/m - (x[i]-mean)/deviation*dgamma[k]/m)
		}
	}
}

// batchnorm adds a batch normalisation. It has a large eps if there are few values: with a small
// eps, two values always become -1 and 1, and their gradients are rounding alone.
func (g *generator) batchnorm(x string) string {
	eps := pick(g.Rand, 0.001, 0.1, 0.5)
	if g.shapes[x].Pixels() < 4 {
		eps = 0.5
	}
	return g.node(statement{kind: "batchnorm"}.set("eps", eps), x)
}

func drawBatchNorm(g *generator, x string, _, _ int) { g.batchnorm(x) }
