package backendtest

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var relu = operation{
	kind: "relu",
	make: func(statement) graph.Op { return graph.ReLU{} },
	value: func(e evaluation) {
		for i := range e.y {
			e.y[i] = max(e.x[i], 0)
		}
	},
	gradient: func(s sweep) {
		for i, d := range s.dy {
			if s.x[i] > 0 {
				s.dx[i] += d
			}
		}
	},
	cases: []opCase{{"relu", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.ReLU("op", x) }}},
}

func drawReLU(g *generator, x string, _, _ int) { g.node(statement{kind: "relu"}, x) }
