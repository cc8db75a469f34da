package backendtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
)

func openExact() (b, exact graph.Backend, err error) {
	if b, err = cpu.New(cpu.Options{Precision: graph.FP64, Threads: 1, Debug: cpu.Debug{Poison: true}}); err == nil {
		exact, err = cpu.New(cpu.Options{Precision: graph.FP64, Threads: 1, Debug: cpu.Debug{Poison: true}})
	}
	return b, exact, err
}

// spoilers are faults of plans that a compiler could have. Each changes the first step that it
// applies to.
var spoilers = map[string]func(s graph.Step) bool{
	"a data gradient is not added": func(s graph.Step) bool {
		x, ok := s.(*graph.ConvBackwardData)
		return ok && off(&x.Accumulate)
	},
	"a data gradient is added to nothing": func(s graph.Step) bool {
		x, ok := s.(*graph.ConvBackwardData)
		return ok && on(&x.Accumulate)
	},
	"a filter's gradient of a later sweep is not added": func(s graph.Step) bool {
		x, ok := s.(*graph.ConvBackwardFilter)
		return ok && off(&x.Accumulate)
	},
	"a pool's gradient is not added": func(s graph.Step) bool {
		x, ok := s.(*graph.AdaptiveAvgPoolBackward)
		return ok && off(&x.Accumulate)
	},
	"a concatenation's part is not added": func(s graph.Step) bool {
		x, ok := s.(*graph.Copy)
		return ok && off(&x.Accumulate)
	},
	"a bias has no gradient": func(s graph.Step) bool {
		x, ok := s.(*graph.ConvBackwardFilter)
		if ok && x.Segments[0].BiasGradient != nil {
			x.Segments[0].BiasGradient = nil
			return true
		}
		return false
	},
	"a ReLU inside a batch normalisation does not mask the gradient": func(s graph.Step) bool {
		x, ok := s.(*graph.BatchNormBackward)
		return ok && off(&x.ReLU)
	},
	"a sum's factor is lost on the way back": func(s graph.Step) bool {
		x, ok := s.(*graph.AddBackward)
		if i := -1; ok {
			if i = slices.IndexFunc(x.Targets, func(t graph.AddTarget) bool { return t.Factor != 1 }); i >= 0 {
				x.Targets[i].Factor = 1
				return true
			}
		}
		return false
	},
	"a mask is drawn anew on the way back": func(s graph.Step) bool {
		x, ok := s.(*graph.DropoutStep)
		if ok && strings.HasPrefix(x.X.Buffer.Name, "d(") {
			x.Key++
			return true
		}
		return false
	},
	"a probe sees another channel": func(s graph.Step) bool {
		x, ok := s.(*graph.ProbeStep)
		if ok && x.X.Shape.C > 1 && x.X.Stride == x.X.Shape.C {
			x.X.Offset, x.X.N = x.X.Offset+1, x.X.N-1
			return true
		}
		return false
	},
	"running statistics do not stay": func(s graph.Step) bool {
		x, ok := s.(*graph.BatchNormForward)
		if ok && x.Momentum == 0 {
			x.Momentum = 0.3
			return true
		}
		return false
	},
	"a head has another one's weight": func(s graph.Step) bool {
		x, ok := s.(*graph.SoftmaxCrossEntropy)
		if ok && len(x.Heads) > 1 {
			x.Heads[0].DLogits, x.Heads[1].DLogits = x.Heads[1].DLogits, x.Heads[0].DLogits
			return true
		}
		return false
	},
}

func off(flag *bool) bool { was := *flag; *flag = false; return was }
func on(flag *bool) bool  { was := *flag; *flag = true; return !was }

// Planted faults are found within a few networks, and these are reduced to small ones.
func TestNetworksFindPlantedFaults(t *testing.T) {
	for name, spoil := range spoilers {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			spoilPlan := func(p *graph.Plan) { _ = slices.IndexFunc(p.Steps, spoil) }
			found := false
			search(Networks{Open: openExact, Workers: 1, Seeds: 300}, spoilPlan, func(seed int, wrong *failure, small listing, same *failure) bool {
				found = true
				require.LessOrEqual(t, len(small), 12, "of seed %d:\n%s", seed, small)
				b, exact, err := openExact()
				require.NoError(t, err)
				require.Nil(t, trials{b: b, exact: exact}.run(parse(small.String())), "without the fault:\n%s", small)
				require.NotNil(t, trials{b: b, exact: exact, spoil: spoilPlan}.run(parse(small.String())), "as it is printed:\n%s", small)
				t.Logf("seed %d: %v\n%s", seed, same, small)
				return false
			})
			require.True(t, found)
		})
	}
}

// Buffers that share memory while both live are also found.
func TestNetworksFindSharedMemory(t *testing.T) {
	found := false
	overlap := func(p *graph.Plan) {
		for _, b := range p.Buffers {
			if !b.External && b.Offset > 0 && b.Elem == graph.Float {
				b.Offset = 0
				break
			}
		}
	}
	search(Networks{Open: openExact, Workers: 1, Seeds: 30}, overlap, func(int, *failure, listing, *failure) bool {
		found = true
		return false
	})
	require.True(t, found)
}

// Parsing a printed listing gives the same listing, a seed always gives the same listing, and
// random listings have all operations and all kinds of statements.
func TestListings(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		l := random(seed)
		require.Equal(t, l.String(), random(seed).String())
		require.Equal(t, l.String(), parse(l.String()).String())
		n, err := l.build()
		require.NoError(t, err, "%s", l)
		for _, x := range n.g.Nodes() {
			seen[x.Op().Kind()]++
		}
		for _, s := range l {
			if s.name == "" {
				seen[s.kind]++
			}
		}
	}
	for _, o := range table {
		require.Greater(t, seen[o.kind], 20, "operation %s in 200 networks", o.kind)
	}
	for _, kind := range []string{"input", "head", "freeze", "keep", "probe"} {
		require.Greater(t, seen[kind], 20, kind)
	}
	for text, want := range map[string]string{
		"a = convolution image":          "no operation",
		"fc = linear image\nhead main f": "needs a name and logits",
		"keep image":                     "0 heads",
		"fc = linear image\nlook fc":     "no statement",
	} {
		_, err := parse(text).build()
		require.ErrorContains(t, err, want)
	}
}
