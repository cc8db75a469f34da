package backendtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var maxPool = operation{
	kind: "maxpool",
	make: func(s statement) graph.Op { return graph.MaxPool{Window: s.window()} },
	value: func(e evaluation) {
		e.windows(e.in, e.out, e.n.Op().(graph.MaxPool).Window, func(to int, taps []int, _ int) {
			for c := range e.in.C {
				best := math.Inf(-1)
				for _, t := range taps {
					best = max(best, e.x[t*e.in.C+c])
				}
				e.y[to*e.in.C+c] = best
			}
		})
	},
	gradient: func(s sweep) {
		s.windows(s.in, s.out, s.n.Op().(graph.MaxPool).Window, func(to int, taps []int, _ int) {
			for c := range s.in.C {
				best := taps[0]
				for _, t := range taps {
					if s.x[t*s.in.C+c] > s.x[best*s.in.C+c] {
						best = t
					}
				}
				s.dx[best*s.in.C+c] += s.dy[to*s.in.C+c]
			}
		})
	},
	cases: poolCases("maxpool", func(g *graph.Graph, x *graph.Node, rng *rand.Rand, w graph.Window) *graph.Node {
		return g.MaxPool("op", x, w)
	}),
}

// poolCases are windows of several sizes, with or without ceil mode.
func poolCases(name string, pool func(g *graph.Graph, x *graph.Node, rng *rand.Rand, w graph.Window) *graph.Node) []opCase {
	var cases []opCase
	for _, k := range []int{2, 3, 5} {
		cases = append(cases, opCase{fmt.Sprint(name, k), func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
			w := window(rng, k, k)
			w.Ceil = !w.Same && rng.IntN(2) == 0
			return pool(g, x, rng, w)
		}})
	}
	return cases
}

func drawMaxPool(g *generator, x string, h, w int) { g.node(g.pooling("maxpool", h, w), x) }

// pooling draws stride, padding and ceil mode of a window.
func (g *generator) pooling(kind string, h, w int) statement {
	s := g.strided(statement{kind: kind}.set("window", fmt.Sprintf("%dx%d", h, w)), h, w)
	if s.args["pads"] != "same" && g.IntN(3) == 0 {
		s = s.set("ceil", 1)
	}
	return s
}
