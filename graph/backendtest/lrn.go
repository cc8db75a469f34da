package backendtest

import (
	"math"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var lrn = operation{
	kind: "lrn",
	make: func(s statement) graph.Op { return graph.LRN{Size: s.number("size", 3), Alpha: 0.4, Beta: 0.75, K: 1} },
	value: func(e evaluation) {
		o, channels := e.n.Op().(graph.LRN), e.in.C
		for i := range e.y {
			c, s := i%channels, 0.0
			for j := max(0, c-o.Size/2); j <= min(channels-1, c+o.Size/2); j++ {
				v := e.x[i-c+j]
				s += v * v
			}
			e.y[i] = e.x[i] * math.Pow(o.K+o.Alpha/float64(o.Size)*s, -o.Beta)
		}
	},
	gradient: func(s sweep) {
		o, channels := s.n.Op().(graph.LRN), s.in.C
		for i, d := range s.dy {
			c := i % channels
			lo, hi, sum := max(0, c-o.Size/2), min(channels-1, c+o.Size/2), o.K
			for j := lo; j <= hi; j++ {
				sum += o.Alpha / float64(o.Size) * s.x[i-c+j] * s.x[i-c+j]
			}
			s.dx[i] += d * math.Pow(sum, -o.Beta)
			for j := lo; j <= hi; j++ {
				s.dx[i-c+j] -= d * s.x[i] * o.Beta * math.Pow(sum, -o.Beta-1) * 2 * o.Alpha / float64(o.Size) * s.x[i-c+j]
			}
		}
	},
	cases: []opCase{
		{"lrn", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.LRN("op", x, 5, 0.3, 0.75, 1) }},
		{"lrn3", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.LRN("op", x, 3, 0.5, 0.6, 2) }},
	},
}

func drawLRN(g *generator, x string, _, _ int) {
	g.node(statement{kind: "lrn"}.set("size", pick(g.Rand, 1, 3, 5)), x)
}
