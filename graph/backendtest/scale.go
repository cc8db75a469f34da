package backendtest

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var scale = operation{
	kind: "scale",
	make: func(s statement) graph.Op { return graph.Scale{Factor: s.float("factor", 0.37)} },
	value: func(e evaluation) {
		for i := range e.y {
			e.y[i] = e.n.Op().(graph.Scale).Factor * e.x[i]
		}
	},
	gradient: func(s sweep) {
		for i, d := range s.dy {
			s.dx[i] += s.n.Op().(graph.Scale).Factor * d
		}
	},
	cases: []opCase{{"scale", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.Scale("op", x, -0.7) }}},
}

func drawScale(g *generator, x string, _, _ int) {
	g.node(statement{kind: "scale"}.set("factor", pick(g.Rand, 0.37, -0.71, 1.3)), x)
}
