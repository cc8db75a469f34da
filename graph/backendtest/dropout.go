package backendtest

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var dropout = operation{
	kind:     "dropout",
	make:     func(s statement) graph.Op { return graph.Dropout{P: s.float("p", 0.4)} },
	value:    dropoutValue,
	gradient: dropoutGradient,
	cases:    []opCase{{"dropout", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.Dropout("op", x, 0.4) }}},
}

func dropoutValue(e evaluation) {
	r, y, x, n, o := e.reference, e.y, e.x, e.n, e.n.Op().(graph.Dropout)
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

// dropoutGradient applies dropout to dy: dropout is linear, element by element.
func dropoutGradient(s sweep) {
	masked := make([]float64, len(s.dy))
	dropoutValue(evaluation{reference: s.reference, n: s.n, x: s.dy, y: masked})
	for i, d := range masked {
		s.dx[i] += d
	}
}

func drawDropout(g *generator, x string, _, _ int) {
	g.node(statement{kind: "dropout"}.set("p", pick(g.Rand, 0.4, 0.2, 0)), x)
}
