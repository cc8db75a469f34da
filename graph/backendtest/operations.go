package backendtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// operation is the suite's entry for one of graph's operations. It is in the file with the
// operation's name.
type operation struct {
	kind string // graph.Op.Kind
	// make returns the operation of a listing's statement.
	make func(statement) graph.Op
	// value is the definition in float64, as plain loops. It fills e.y, which is zero before.
	value func(e evaluation)
	// gradient is the reverse of value, as plain loops: it adds what s.dy sends to the gradients of
	// the inputs and of the parameters. checkGradients compares it with finite differences of
	// value.
	gradient func(s sweep)
	// refuses returns an error if a training plan cannot have the node at the batch size; nil: no
	// node is refused.
	refuses func(n *graph.Node, batch int) error
	// cases are networks with the operation under test. Their values and gradients are checked on
	// random shapes.
	cases []opCase
}

// table has all operations except the input.
var table = []operation{add, adaptiveAvgPool, avgPool, batchNorm, bias, concat, conv, dropout, linear, lrn, maxPool, relu, scale}

// operationOf returns the operation of a kind. It panics if the table has none.
func operationOf(kind string) operation {
	i := slices.IndexFunc(table, func(o operation) bool { return o.kind == kind })
	if i < 0 {
		panic(fmt.Sprintf("backendtest: the table has no operation %s: add it", kind))
	}
	return table[i]
}

// opCase builds one operation under test on x. A trained convolution computes x, so the gradient of
// its filters tests the data gradient of the operation.
type opCase struct {
	name  string
	build func(g *graph.Graph, x *graph.Node, rng *rand.Rand) *graph.Node
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// window draws a window that fits: stride 1 or 2; padding SAME, VALID or explicit, perhaps not
// symmetric.
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

func (s *suite) operations(t *testing.T) {
	var cases []opCase
	for _, o := range table {
		cases = append(cases, o.cases...)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(s.seed, uint64(graph.NodeKey(c.name))))
			for range 3 {
				g := graph.New(c.name)
				in := graph.Shape{H: 7 + rng.IntN(7), W: 7 + rng.IntN(7), C: pick(rng, 1, 3, 5)}
				if c.name == "siblings" {
					in.C = max(in.C, 3) // with one channel the branches are multiples of each other, and the gradient of batch normalisation is rounding alone
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

// checkStatistics checks the running statistics after a training step.
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
