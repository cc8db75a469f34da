package backendtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var conv = operation{
	kind: "conv",
	make: func(s statement) graph.Op { return graph.Conv{Filters: s.number("filters", 3), Window: s.window()} },
	value: func(e evaluation) {
		e.conv(e.y, e.x, e.in, e.out, e.n.Op().(graph.Conv).Window, e.params[e.n.Params()[0]])
	},
	gradient: func(s sweep) { s.convGradient(s.n.Op().(graph.Conv).Window) },
	cases:    convCases(),
}

func convCases() []opCase {
	cases := []opCase{{"siblings", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		a := g.ReLU("a/relu", g.AddBias("a/bias", g.Conv("a/conv", x, 24, graph.Square(1, 1, 0), nil), nil))
		b := g.ReLU("b/relu", g.BatchNorm("b/bn", g.Conv("b/conv", x, 3, graph.Square(1, 1, 0), nil), 1e-3, 0.1))
		c := g.Conv("c/conv", x, 17, graph.Square(1, 1, 0), nil)
		return g.Concat("op", g.Conv("a/out", a, 6, graph.Square(3, 1, 1), nil), b, c)
	}}}
	for _, k := range [][2]int{{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {3, 1}, {2, 2}} {
		size := fmt.Sprintf("%dx%d", k[0], k[1])
		cases = append(cases,
			opCase{"conv" + size, func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
				return g.Conv("op", x, pick(rng, 1, 3, 10, 16, 24, 40), window(rng, k[0], k[1]), nil)
			}},
			opCase{"conv_bias_relu" + size, func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
				x = g.Conv("conv", x, pick(rng, 3, 16, 33), window(rng, k[0], k[1]), nil)
				return g.ReLU("op", g.AddBias("bias", x, nil))
			}},
			opCase{"conv_bn_relu" + size, func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
				x = g.Conv("conv", x, pick(rng, 3, 16, 24), window(rng, k[0], k[1]), nil)
				return g.ReLU("op", g.BatchNorm("bn", x, 1e-3, 0.1))
			}})
	}
	return cases
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

func (s sweep) convGradient(w graph.Window) {
	p := s.n.Params()[0]
	f, df := s.params[p], s.gradients[p]
	s.windowsAt(s.in, s.out, w, func(to int, taps []int, where [][2]int) {
		for k := range s.out.C {
			d := s.dy[to*s.out.C+k]
			for i, t := range taps {
				base := ((k*w.H+where[i][0])*w.W + where[i][1]) * s.in.C
				for c := range s.in.C {
					df[base+c] += d * s.x[t*s.in.C+c]
					s.dx[t*s.in.C+c] += d * f[base+c]
				}
			}
		}
	})
}

var linear = operation{
	kind: "linear",
	make: func(s statement) graph.Op { return graph.Linear{Features: s.number("features", 3)} },
	value: func(e evaluation) {
		e.conv(e.y, e.x, e.in, e.out, graph.Window{H: e.in.H, W: e.in.W, StrideH: 1, StrideW: 1}, e.params[e.n.Params()[0]])
	},
	gradient: func(s sweep) { s.convGradient(graph.Window{H: s.in.H, W: s.in.W, StrideH: 1, StrideW: 1}) },
	cases: []opCase{{"linear", func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
		return g.ReLU("op", g.AddBias("bias", g.Linear("fc", x, pick(rng, 2, 10, 65), nil), nil))
	}}},
}

func drawLinear(g *generator, x string, _, _ int) {
	g.node(statement{kind: "linear"}.set("features", g.filters()), x)
}
