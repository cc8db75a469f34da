package ablate

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/train"
)

// bars is a data set of 8×8 images: class c has a bright bar in rows 2c and 2c+1, on noise.
type bars int

func (bars) Info() dataset.Info {
	return dataset.Info{Name: "bars", Classes: []string{"a", "b", "c", "d"}, C: 1, H: 8, W: 8, Mean: []float32{0.4}, Std: []float32{0.3}}
}

func (n bars) Len() int { return int(n) }

func (bars) Decode(i int, dst *dataset.Image) (int32, error) {
	dst.Reshape(8, 8, 1)
	r := graph.NewRandom(uint64(i), "bars")
	for y := range 8 {
		for x := range 8 {
			v := 160 * r.Uniform()
			if y/2 == i%4 {
				v += 95
			}
			dst.Pix[8*y+x] = byte(v)
		}
	}
	return int32(i % 4), nil
}

// tinyHeads are the defaults of the test's network, whose only place for a head is conv1.
var tinyHeads = auxhead.Defaults{Kind: "gap", Weight: 0.3, Specs: []auxhead.Spec{{Name: "aux1", At: "conv1", Kind: "gap", Weight: 0.3}}}

// bench trains ablations of a tiny network.
type bench struct {
	t       *testing.T
	folder  string
	opened  []string // variant and seed of every run that was opened
	onOpen  func(r *Run)
	onStep  func(r *Run, step int)
	poison  string // variant whose weights are not numbers
	results []*Results
	run     *Run // the open run
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, folder: filepath.Join(t.TempDir(), "ablation")}
}

func baseConfig() train.Config {
	c := train.Default()
	c.Model, c.Data, c.Augment = "tiny", "bars", "none"
	c.Epochs, c.Batch, c.LogEvery, c.Workers, c.Threads = 2, 8, 2, 1, 1
	c.LR = train.Num(0.05)
	return c
}

func (b *bench) ablation(c train.Config, o Options) *Ablation {
	p, err := NewPlan(c, o, tinyHeads)
	require.NoError(b.t, err)
	return &Ablation{Plan: p, Folder: b.folder, Classes: 4, Begin: b.begin, Options: b.options(), Show: func(r *Results) error { b.results = append(b.results, r); return nil }}
}

func (b *bench) begin(r *Run) {
	b.run = r
	b.opened = append(b.opened, filepath.Join(r.Variant, r.Config.Name))
	if b.onOpen != nil {
		b.onOpen(r)
	}
}

// options returns options with a tiny network and data of its size.
func (b *bench) options() tributary.Options {
	return tributary.Options{
		Data:         &dataset.Set{Train: bars(52), Test: bars(22)},
		HeadDefaults: tinyHeads,
		Network: func(g *graph.Graph, x *graph.Node, classes int) *graph.Node {
			x = g.Mark("conv1", g.ReLU("conv1/relu", g.Conv("conv1/conv", x, 8, graph.Square(3, 1, 1), nil)))
			x = g.MaxPool("pool", x, graph.Square(2, 2, 0))
			var init graph.Init
			if b.run != nil && b.run.Variant == b.poison {
				init = graph.Constant(float32(math.NaN()))
			}
			return g.AddBias("fc/bias", g.Linear("fc", x, classes, init), nil)
		},
		Report: func(e train.Event) {
			if e, ok := e.(train.Stepped); ok && b.onStep != nil {
				b.onStep(b.run, e.Step)
			}
		},
	}
}
