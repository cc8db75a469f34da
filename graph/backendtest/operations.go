package backendtest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// opCase builds one operation under test on x. A trained convolution makes x, so the operation's data gradient is tested by
// that convolution's filter gradient.
type opCase struct {
	name  string
	build func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// window draws a window that fits: stride 1 or 2; SAME, VALID or explicit, perhaps lopsided padding.
func window(rng *rand.Rand, h, w int) graph.Window {
	win := graph.Window{H: h, W: w, StrideH: 1 + rng.IntN(2), StrideW: 1 + rng.IntN(2)}
	switch rng.IntN(3) {
	case 0:
		win.Same = true
	case 1:
		win.Pads = graph.Pads{Top: rng.IntN(h/2 + 1), Bottom: rng.IntN(h/2 + 1), Left: rng.IntN(w/2 + 1), Right: rng.IntN(w/2 + 1)}
	}
	return win
}

var kernels = [][2]int{{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {3, 1}, {2, 2}}

func opCases() []opCase {
	var cases []opCase
	add := func(name string, build func(*graph.Graph, *graph.Node, *rand.Rand) *graph.Node) {
		cases = append(cases, opCase{name, build})
	}
	for _, k := range kernels {
		size := fmt.Sprintf("%dx%d", k[0], k[1])
		add("conv"+size, func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
			return g.Conv("op", x, pick(rng, 1, 3, 10, 16, 24, 40), window(rng, k[0], k[1]), nil)
		})
		add("conv_bias_relu"+size, func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
			x = g.Conv("conv", x, pick(rng, 3, 16, 33), window(rng, k[0], k[1]), nil)
			return g.ReLU("op", g.AddBias("bias", x, nil))
		})
		add("conv_bn_relu"+size, func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
			x = g.Conv("conv", x, pick(rng, 3, 16, 24), window(rng, k[0], k[1]), nil)
			return g.ReLU("op", g.BatchNorm("bn", x, 1e-3, 0.1))
		})
	}
	add("bias", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		return g.AddBias("op", g.ReLU("r", x), nil)
	})
	add("batchnorm", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		return g.BatchNorm("op", g.ReLU("r", x), 1e-3, 0.3)
	})
	add("batchnorm_relu_shared", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		y := g.BatchNorm("bn", x, 1e-3, 0.3)
		return g.Add("op", g.ReLU("r", y), y)
	})
	add("relu", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.ReLU("op", x) })
	for _, k := range []int{2, 3, 5} {
		pool := func(rng *rand.Rand) graph.Window {
			w := window(rng, k, k)
			w.Ceil = !w.Same && rng.IntN(2) == 0
			return w
		}
		add(fmt.Sprintf("maxpool%d", k), func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node { return g.MaxPool("op", x, pool(rng)) })
		add(fmt.Sprintf("avgpool%d", k), func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
			return g.AvgPool("op", x, pool(rng), rng.IntN(2) == 0)
		})
	}
	add("adaptive", func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
		return g.AdaptiveAvgPool("op", x, 1+rng.IntN(6), 1+rng.IntN(6))
	})
	add("global", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.GlobalAvgPool("op", x) })
	add("lrn", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.LRN("op", x, 5, 0.3, 0.75, 1) })
	add("lrn3", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.LRN("op", x, 3, 0.5, 0.6, 2) })
	add("concat", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		a := g.ReLU("a/relu", g.Conv("a/conv", x, 5, graph.Square(1, 1, 0), nil))
		b := g.Conv("b/conv", x, 16, graph.Square(3, 1, 1), nil)
		c := g.MaxPool("c/pool", x, graph.Square(3, 1, 1))
		inner := g.Concat("inner", a, b)
		return g.Concat("op", inner, c, g.BatchNorm("d/bn", g.Conv("d/conv", x, 7, graph.Square(1, 1, 0), nil), 1e-3, 0.1))
	})
	add("concat_twice", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		a := g.ReLU("a", x)
		b := g.Concat("b", a, x, a)
		return g.Concat("op", b, a)
	})
	add("add", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		y := g.Conv("branch/conv", x, x.Shape().C, graph.Square(3, 1, 1), nil)
		return g.Add("op", x, g.Scale("branch/scale", g.BatchNorm("branch/bn", y, 1e-3, 0.1), 0.17))
	})
	add("scale", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.Scale("op", x, -0.7) })
	add("dropout", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node { return g.Dropout("op", x, 0.4) })
	add("linear", func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node {
		return g.ReLU("op", g.AddBias("bias", g.Linear("fc", x, pick(rng, 2, 10, 65), nil), nil))
	})
	add("siblings", func(g *graph.Graph, x *graph.Node, _ *rand.Rand) *graph.Node {
		a := g.ReLU("a/relu", g.AddBias("a/bias", g.Conv("a/conv", x, 24, graph.Square(1, 1, 0), nil), nil))
		b := g.ReLU("b/relu", g.BatchNorm("b/bn", g.Conv("b/conv", x, 3, graph.Square(1, 1, 0), nil), 1e-3, 0.1))
		c := g.Conv("c/conv", x, 17, graph.Square(1, 1, 0), nil)
		return g.Concat("op", g.Conv("a/out", a, 6, graph.Square(3, 1, 1), nil), b, c)
	})
	return cases
}

func (s *suite) operations(t *testing.T) {
	for _, c := range opCases() {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(s.seed, uint64(graph.NodeKey(c.name))))
			for range 3 {
				g := graph.New(c.name)
				in := graph.Shape{H: 7 + rng.IntN(7), W: 7 + rng.IntN(7), C: pick(rng, 1, 3, 5)}
				if c.name == "siblings" {
					in.C = max(in.C, 3) // batch normalisation of one channel's multiples has a gradient of rounding errors alone
				}
				x := g.Input("image", in)
				x = g.Conv("first", x, pick(rng, 3, 8, 16, 24), graph.Square(1, 1, 0), nil)
				x = c.build(g, x, rng)
				g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("logits", x, pick(rng, 2, 7, 10), nil), Weight: 1})
				f := s.fixture(t, g, 1+rng.IntN(4), rng)
				o := f.options()
				o.Keep = []string{"op"}
				pr, m := f.run(o, f.feed())
				f.checkHeads(m)
				f.checkValues(pr, "op")
				f.checkValues(pr, "logits")
				f.checkStatistics()
				f.checkGradients(rng, 4)
			}
		})
	}
}

// checkStatistics compares the running statistics after a training step.
func (f *fixture) checkStatistics() {
	f.t.Helper()
	for _, p := range f.layout.Params {
		if !p.IsStatistic() {
			continue
		}
		want := f.ref.stats[p]
		if f.twin != nil {
			want = f.part(f.twin.state, graph.Value, p)
		}
		require.LessOrEqual(f.t, relativeError(f.get(graph.Value, p), want), 10*f.value, p.Name)
	}
}
