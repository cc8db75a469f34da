package backendtest

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var add = operation{
	kind: "add",
	make: func(statement) graph.Op { return graph.Add{} },
	value: func(e evaluation) {
		for _, m := range e.n.Inputs() {
			for i, v := range e.values[m] {
				e.y[i] += v
			}
		}
	},
	gradient: func(s sweep) {
		for _, m := range s.n.Inputs() {
			for i, d := range s.dy {
				s.nodes[m][i] += d
			}
		}
	},
	cases: []opCase{{"add", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		y := g.Conv("branch/conv", x, x.Shape().C, graph.Square(3, 1, 1), nil)
		return g.Add("op", x, g.Scale("branch/scale", g.BatchNorm("branch/bn", y, 1e-3, 0.1), 0.17))
	}}},
}
