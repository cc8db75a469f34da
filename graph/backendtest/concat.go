package backendtest

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var concat = operation{
	kind: "concat",
	make: func(statement) graph.Op { return graph.Concat{} },
	value: func(e evaluation) {
		from := 0
		for _, m := range e.n.Inputs() {
			c := m.Shape().C
			for i, v := range e.values[m] {
				e.y[i/c*e.out.C+from+i%c] = v
			}
			from += c
		}
	},
	gradient: func(s sweep) {
		from := 0
		for _, m := range s.n.Inputs() {
			c := m.Shape().C
			for i := range s.nodes[m] {
				s.nodes[m][i] += s.dy[i/c*s.out.C+from+i%c]
			}
			from += c
		}
	},
	cases: []opCase{
		{"concat", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
			a := g.ReLU("a/relu", g.Conv("a/conv", x, 5, graph.Square(1, 1, 0), nil))
			b := g.Conv("b/conv", x, 16, graph.Square(3, 1, 1), nil)
			c := g.MaxPool("c/pool", x, graph.Square(3, 1, 1))
			inner := g.Concat("inner", a, b)
			return g.Concat("op", inner, c, g.BatchNorm("d/bn", g.Conv("d/conv", x, 7, graph.Square(1, 1, 0), nil), 1e-3, 0.1))
		}},
		{"concat_twice", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
			a := g.ReLU("a", x)
			b := g.Concat("b", a, x, a)
			return g.Concat("op", b, a)
		}},
	},
}
