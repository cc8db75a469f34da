package backendtest

import (
	"math/rand/v2"
	"testing"

	"github.com/tributary-ml/tributary/graph"
)

// addends are sums whose inputs share memory in every way that there is: with each other, with a concatenation, with what is kept, and
// with heads. Each builds on a node of 6 channels.
var addends = []struct {
	name  string
	keep  []string
	build func(b sumBuilder, x *graph.Node)
}{
	{"twice", nil, func(b sumBuilder, x *graph.Node) {
		a := b.unit("a", x)
		b.head("main", b.ReLU("r", b.Add("add", a, a)))
	}},
	{"scale_twice", nil, func(b sumBuilder, x *graph.Node) {
		a := b.unit("a", x)
		s := b.Scale("s", a, 0.3)
		b.head("main", b.ReLU("r", b.Add("add", s, s, a)))
	}},
	{"two_scales", nil, func(b sumBuilder, x *graph.Node) {
		a := b.unit("a", x)
		b.head("main", b.ReLU("r", b.Add("add", b.Scale("s1", a, 0.3), b.Scale("s2", a, -0.5), b.unit("b", x))))
	}},
	{"scale_of_scale", nil, func(b sumBuilder, x *graph.Node) {
		b.head("main", b.ReLU("r", b.Add("add", b.Scale("s2", b.Scale("s1", b.unit("a", x), 0.5), 0.3), b.unit("b", x))))
	}},
	{"scale_of_shared", nil, func(b sumBuilder, x *graph.Node) {
		b.head("main", b.ReLU("r", b.Add("add", b.Scale("s", x, 0.5), b.unit("a", x))))
	}},
	{"kept_addend", []string{"a/relu"}, func(b sumBuilder, x *graph.Node) {
		b.head("main", b.ReLU("r", b.Add("add", b.unit("a", x), b.Scale("s", b.unit("b", x), 0.25))))
	}},
	{"kept_scale", []string{"s"}, func(b sumBuilder, x *graph.Node) {
		b.head("main", b.ReLU("r", b.Add("add", b.Scale("s", b.unit("b", x), 0.25), b.unit("a", x))))
	}},
	{"kept_sum", []string{"add"}, func(b sumBuilder, x *graph.Node) {
		b.head("main", b.ReLU("r", b.Add("add", b.unit("a", x), b.unit("b", x))))
	}},
	{"addend_in_concat", nil, func(b sumBuilder, x *graph.Node) {
		a, c := b.unit("a", x), b.unit("c", x)
		b.head("main", b.Concat("outer", b.Concat("inner", a, c), b.ReLU("r", b.Add("add", a, b.Scale("s", b.unit("b", x), 0.5)))))
	}},
	{"head_behind_concat", nil, func(b sumBuilder, x *graph.Node) {
		a, c := b.unit("a", x), b.unit("c", x)
		b.head("main", b.Concat("cat", a, c))
		b.head("aux", b.ReLU("r", b.Add("add", a, b.unit("b", x))))
	}},
	{"concat_of_addend", nil, func(b sumBuilder, x *graph.Node) {
		a := b.unit("a", x)
		b.head("main", b.ReLU("r", b.Add("add", a, b.Concat("cat", a))))
	}},
	{"heads_in_block", nil, func(b sumBuilder, x *graph.Node) {
		a := b.unit("a", x)
		inner := b.AddBias("inner/bias", b.Conv("inner", a, 6, graph.Square(1, 1, 0), nil), nil)
		s := b.Scale("s", inner, 0.3)
		sum := b.Add("add", a, s)
		b.head("main", b.ReLU("r", sum))
		b.head("aux1", s)
		b.head("aux2", sum)
		b.head("aux3", inner)
	}},
}

type sumBuilder struct{ *graph.Graph }

func (b sumBuilder) unit(name string, x *graph.Node) *graph.Node {
	return b.ReLU(name+"/relu", b.AddBias(name+"/bias", b.Conv(name+"/conv", x, 6, graph.Square(3, 1, 1), nil), nil))
}

func (b sumBuilder) head(name string, x *graph.Node) {
	b.AddLoss(graph.Loss{Name: name, Logits: b.Linear(name+"/fc", b.GlobalAvgPool(name+"/gap", x), 4, nil), Weight: 1})
}

// sums checks the gradients of sums, whoever takes over whose memory.
func (s *suite) sums(t *testing.T) {
	for _, c := range addends {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(s.seed, 8))
			b := sumBuilder{graph.New("sums")}
			c.build(b, b.unit("stem", b.Input("image", graph.Shape{H: 6, W: 5, C: 3})))
			f := s.fixture(t, b.Graph, 2, rng)
			for _, set := range []func(*graph.Options){
				func(*graph.Options) {},
				func(o *graph.Options) { o.Fusions.Residual = false },
				func(o *graph.Options) { o.SweepPerLoss = true },
				func(o *graph.Options) { o.Keep = c.keep },
				func(o *graph.Options) { o.Keep, o.Fusions.Residual = c.keep, false },
			} {
				o := f.options()
				set(&o)
				pr, m := f.run(o, f.feed())
				f.checkHeads(m)
				for _, k := range o.Keep {
					f.checkValues(pr, k)
				}
				f.checkGradients(rng, 2)
			}
		})
	}
}
