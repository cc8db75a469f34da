package backendtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/tributary-ml/tributary/graph"
)

var avgPool = operation{
	kind: "avgpool",
	make: func(s statement) graph.Op {
		return graph.AvgPool{Window: s.window(), IncludePad: s.args["padding"] == "counts"}
	},
	value: func(e evaluation) {
		o := e.n.Op().(graph.AvgPool)
		e.windows(e.in, e.out, o.Window, func(to int, taps []int, padded int) {
			d := len(taps)
			if o.IncludePad {
				d = padded
			}
			for c := range e.in.C {
				for _, t := range taps {
					e.y[to*e.in.C+c] += e.x[t*e.in.C+c] / float64(d)
				}
			}
		})
	},
	gradient: func(s sweep) {
		o := s.n.Op().(graph.AvgPool)
		s.windows(s.in, s.out, o.Window, func(to int, taps []int, padded int) {
			d := len(taps)
			if o.IncludePad {
				d = padded
			}
			for c := range s.in.C {
				for _, t := range taps {
					s.dx[t*s.in.C+c] += s.dy[to*s.in.C+c] / float64(d)
				}
			}
		})
	},
	cases: poolCases("avgpool", func(g *graph.Graph, x *graph.Node, rng *rand.Rand, w graph.Window) *graph.Node {
		return g.AvgPool("op", x, w, rng.IntN(2) == 0)
	}),
}

func drawAvgPool(g *generator, x string, h, w int) {
	s := g.pooling("avgpool", h, w)
	if g.IntN(2) == 0 {
		s = s.set("padding", "counts")
	}
	g.node(s, x)
}

var adaptiveAvgPool = operation{
	kind: "adaptive_avgpool",
	make: func(s statement) graph.Op {
		o := graph.AdaptiveAvgPool{H: 1, W: 1}
		if n := s.numbers("bins"); len(n) == 2 {
			o.H, o.W = n[0], n[1]
		}
		return o
	},
	value:    adaptiveAvgPoolValue,
	gradient: adaptiveAvgPoolGradient,
	cases: []opCase{
		{"adaptive", func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
			return g.AdaptiveAvgPool("op", x, 1+rng.IntN(6), 1+rng.IntN(6))
		}},
		{"global", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.GlobalAvgPool("op", x) }},
	},
}

func adaptiveAvgPoolValue(e evaluation) {
	y, x, in, out := e.y, e.x, e.in, e.out
	bin := func(i, n, size int) (int, int) { return i * size / n, ((i+1)*size + n - 1) / n }
	for n := range e.batch {
		for p := range out.H {
			h0, h1 := bin(p, out.H, in.H)
			for q := range out.W {
				w0, w1 := bin(q, out.W, in.W)
				for c := range in.C {
					s := 0.0
					for h := h0; h < h1; h++ {
						for w := w0; w < w1; w++ {
							s += x[((n*in.H+h)*in.W+w)*in.C+c]
						}
					}
					y[((n*out.H+p)*out.W+q)*in.C+c] = s / float64((h1-h0)*(w1-w0))
				}
			}
		}
	}
}

func adaptiveAvgPoolGradient(s sweep) {
	in, out := s.in, s.out
	for to, d := range s.dy {
		c, pixel := to%in.C, to/in.C
		n, p, q := pixel/out.Pixels(), pixel/out.W%out.H, pixel%out.W
		h0, h1 := p*in.H/out.H, ((p+1)*in.H+out.H-1)/out.H
		w0, w1 := q*in.W/out.W, ((q+1)*in.W+out.W-1)/out.W
		for h := h0; h < h1; h++ {
			for w := w0; w < w1; w++ {
				s.dx[((n*in.H+h)*in.W+w)*in.C+c] += d / float64((h1-h0)*(w1-w0))
			}
		}
	}
}

func drawAdaptiveAvgPool(g *generator, x string, _, _ int) {
	g.node(statement{kind: "adaptive_avgpool"}.set("bins", fmt.Sprintf("%dx%d", 1+g.IntN(4), 1+g.IntN(4))), x)
}
