package backendtest

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var bias = operation{
	kind: "bias",
	make: func(statement) graph.Op { return graph.AddBias{} },
	value: func(e evaluation) {
		for i := range e.y {
			e.y[i] = e.x[i] + e.params[e.n.Params()[0]][i%e.out.C]
		}
	},
	gradient: func(s sweep) {
		for i, d := range s.dy {
			s.dx[i] += d
			s.gradients[s.n.Params()[0]][i%s.out.C] += d
		}
	},
	cases: []opCase{{"bias", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		return g.AddBias("op", g.ReLU("r", x), nil)
	}}},
}

func drawBias(g *generator, x string, _, _ int) { g.node(statement{kind: "bias"}, x) }
