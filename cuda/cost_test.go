//go:build cuda

package cuda

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

// A training step of GoogLeNet with both heads makes one launch for each step of the plan. A step
// has a second launch only where a sum over all pixels must be known before the rest can begin, or
// where parts of a sum are added up: the statistics and the gradients of a batch normalisation, the
// parts of a filter gradient, the norm of the whole gradient. One more launch pads the first
// layer's filters. Nothing else is copied, added or filled. The launches move what the plan's steps
// must move at least, once, and what the second launches read again.
func TestGoogLeNetStepIsLean(t *testing.T) {
	for _, p := range []graph.Precision{graph.FP32, graph.BF16} {
		t.Run(string(p), func(t *testing.T) {
			b, err := New(Options{Precision: p})
			require.NoError(t, err)
			defer func() { require.NoError(t, b.Close()) }()
			m, err := inception.Build("googlenet", inception.Config{})
			require.NoError(t, err)
			layout, err := graph.NewLayout(m.Graph)
			require.NoError(t, err)
			st, err := b.NewState(layout, graph.StateOptions{Slots: 1, EMA: true})
			require.NoError(t, err)
			defer func() { require.NoError(t, st.Close()) }()
			plan, err := graph.Compile(m.Graph, layout, graph.Options{Batch: 32, Training: true, Target: b.Target(),
				Normalize: &graph.Normalization{Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.2, 0.2, 0.2}},
				Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, WeightDecay: 1e-4, EMA: true}})
			require.NoError(t, err)
			pr, err := b.Load(plan, st)
			require.NoError(t, err)
			defer func() { require.NoError(t, pr.Close()) }()

			launches := pr.(*program).bound[0].list.Launches()
			table := newCostTable(launches)
			bytes := table.total.bytes
			t.Logf("%d launches for %d steps, %d MB for at least %d MB (%.2f times), %.1f GFLOP\n%s", len(launches), len(plan.Steps),
				bytes>>20, plan.Bytes()>>20, float64(bytes)/float64(plan.Bytes()), float64(table.total.flops)/1e9, table)

			norms := plan.Count("batchnorm.forward")
			require.Equal(t, 59, norms, "57 in the trunk and one in each head")
			require.Equal(t, norms, table.count("batchnorm_finalize"), "every batch normalisation has its sums from a convolution")
			require.Equal(t, norms, table.count("batchnorm_reduce"))
			require.Equal(t, norms, table.count("batchnorm_apply"))
			second := 2*norms + table.count("conv_backward_filter_reduce") + table.count("gradient_norm") + table.count("convert")
			require.Equal(t, len(plan.Steps)+second, len(launches))
			for _, kernel := range []string{"softmax_cross_entropy", "update", "gradient_norm", "normalize"} {
				require.Equal(t, 1, table.count(kernel), kernel)
			}
			for _, kernel := range []string{"scale", "add", "convert", "relu_backward", "relu", "bias_backward"} {
				require.LessOrEqual(t, table.count(kernel), map[string]int{"relu_backward": 2, "convert": 1}[kernel], kernel)
			}
			require.Equal(t, len(launches)+2, pr.(*program).bound[0].graph.Nodes(), "the graph has a copy to the device and one back besides")
			require.InEpsilon(t, plan.FLOPs(), table.total.flops, 0.01)
			require.Less(t, float64(bytes), 1.3*float64(plan.Bytes()))
		})
	}
}

// cost is what the launches of one kernel need.
type cost struct {
	kernel       string
	count        int
	flops, bytes int64
}

// costTable sums up launches by kernel, over all element types and tiles.
type costTable struct {
	rows  []cost
	total cost
}

var variant = regexp.MustCompile(`_(f32|tf32|bf16)(_\d+x\d+)?$`)

func newCostTable(launches []driver.Launch) *costTable {
	c := &costTable{}
	for _, l := range launches {
		name := variant.ReplaceAllString(l.Function.Name, "")
		i := slices.IndexFunc(c.rows, func(r cost) bool { return r.kernel == name })
		if i < 0 {
			i = len(c.rows)
			c.rows = append(c.rows, cost{kernel: name})
		}
		for _, r := range []*cost{&c.rows[i], &c.total} {
			r.count++
			r.flops += l.FLOPs
			r.bytes += l.Bytes
		}
	}
	return c
}

func (c *costTable) count(kernel string) int {
	for _, r := range c.rows {
		if r.kernel == kernel {
			return r.count
		}
	}
	return 0
}

func (c *costTable) String() string {
	var b strings.Builder
	slices.SortFunc(c.rows, func(x, y cost) int { return int(y.bytes>>10 - x.bytes>>10) })
	for _, r := range c.rows {
		fmt.Fprintf(&b, "%-30s %4d launches %10.1f MFLOP %8.1f MB\n", r.kernel, r.count, float64(r.flops)/1e6, float64(r.bytes)/(1<<20))
	}
	return b.String()
}

// A profile has a time for each launch, in order, and its runs count as steps.
func TestProfile(t *testing.T) {
	p := newPair(t, Options{}, network(graph.Shape{H: 7, W: 7, C: 6}))
	p.load(graph.Options{Batch: 2, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD, EMA: true}})
	f := p.feed(0)
	timings, err := Profile(context.Background(), p.programs[0], f, 3)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, p.programs[1].Run(context.Background(), f))
	}
	p.wantSame("logits")
	launches := p.programs[0].(*program).bound[0].list.Launches()
	require.Len(t, timings, len(launches))
	for i, l := range launches {
		require.Equal(t, l.Function, timings[i].Function)
		require.Equal(t, l.Node, timings[i].Node)
		require.GreaterOrEqual(t, timings[i].Time, time.Duration(0))
		require.Positive(t, l.Bytes, "%s of %s", l.Function.Name, l.Node)
	}
	_, err = Profile(context.Background(), p.programs[0], f, 0)
	require.ErrorContains(t, err, "0 runs")
	_, err = Profile(context.Background(), p.programs[1], f, 1)
	require.ErrorContains(t, err, "another backend")
}
