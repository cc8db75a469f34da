package backendtest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// stages checks that an evaluation can be cut in two. A plan that starts at a node, with the node's
// activation from the whole plan as its feed, gives the logits of the whole plan. It does this for
// every kind of node that a plan can start at, with another batch size.
func (s *suite) stages(t *testing.T) {
	const batch = 3
	f := s.fixture(t, network(7), batch, rand.New(rand.NewPCG(s.seed, 8)))
	read := func(pr graph.Program, node string) []float64 {
		d, err := pr.Read(node)
		require.NoError(f.t, err)
		return numbers(f.t, d)
	}
	for at, heads := range map[string][]string{
		"stem/conv": nil, "stem/bn": nil, "stem/relu": nil, "mixed1": nil, "pool": {"main", "aux2"}, "mixed2": {"main"}, "residual": {"main"},
		"gap": {"main"}, "dropout": {"main"},
	} {
		t.Run(at, func(t *testing.T) {
			f.t = t
			keep := at
			if at == "dropout" {
				keep = "gap" // dropout is not part of an evaluation
			}
			whole, _ := f.run(graph.Options{Batch: batch, Keep: []string{keep}, Losses: heads, Target: s.b.Target()}, &graph.Feed{Images: f.images, Labels: f.ref.labels})
			x := read(whole, keep)
			var want [][]float64
			for _, l := range whole.Plan().Losses {
				want = append(want, read(whole, l.Logits.Name()))
			}
			// The first row is repeated at the end, so that the batch has another size.
			feed := &graph.Feed{Labels: append(f.ref.labels[:batch:batch], graph.IgnoreLabel)}
			for _, v := range append(x, x[:len(x)/batch]...) {
				feed.Images = append(feed.Images, float32(v))
			}
			rest, m := f.run(graph.Options{Batch: batch + 1, From: at, Losses: heads, Target: s.b.Target()}, feed)
			require.Equal(t, batch, m.Rows)
			require.Less(t, len(rest.Plan().Steps), len(whole.Plan().Steps)+1)
			for i, l := range rest.Plan().Losses {
				got := read(rest, l.Logits.Name())
				// The activations of an FP64 backend are converted to float32.
				require.LessOrEqual(t, relativeError(got[:len(want[i])], want[i]), max(f.value, 1e-6), l.Name)
				require.LessOrEqual(t, relativeError(got[len(want[i]):], want[i][:7]), max(f.value, 1e-6), "%s of the row that follows once more", l.Name)
			}
		})
	}
}
