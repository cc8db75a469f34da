package train

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// bars is a data set of 8×8 images: class c has a bright bar in rows 2c and 2c+1, on noise.
type bars struct {
	n, bad int // bad: index of an image that cannot be read, -1 if there is none
}

func (s bars) Info() dataset.Info {
	return dataset.Info{Name: "bars", Classes: []string{"a", "b", "c", "d"}, C: 1, H: 8, W: 8, Mean: []float32{0.4}, Std: []float32{0.3}, Mirror: true}
}

func (s bars) Len() int { return s.n }

func (s bars) Decode(i int, dst *dataset.Image) (int32, error) {
	if i == s.bad {
		return 0, &dataset.FileError{File: "bars/7.png", Offset: 3, Record: -1, Err: os.ErrInvalid}
	}
	dst.Reshape(8, 8, 1)
	r := graph.NewRandom(uint64(i), "bars")
	label := i % 4
	for y := range 8 {
		for x := range 8 {
			v := 160 * r.Uniform()
			if y/2 == label {
				v += 95
			}
			dst.Pix[8*y+x] = byte(v)
		}
	}
	return int32(label), nil
}

func barsSet() *dataset.Set { return &dataset.Set{Train: bars{52, -1}, Test: bars{22, -1}} }

// tinyNet has batch normalisation, dropout and an auxiliary head.
func tinyNet(smoothing float64) *graph.Graph {
	g := graph.New("tiny")
	x := g.Input("input", graph.Shape{H: 8, W: 8, C: 1})
	x = g.ReLU("relu1", g.BatchNorm("bn1", g.Conv("conv1", x, 8, graph.Square(3, 1, 1), nil), 1e-3, 0.1))
	aux := g.AddBias("aux1/bias", g.Linear("aux1/fc", g.Dropout("aux1/dropout", x, 0.5), 4, nil), nil)
	x = g.MaxPool("pool", x, graph.Square(2, 2, 0))
	x = g.ReLU("relu2", g.BatchNorm("bn2", g.Conv("conv2", x, 8, graph.Square(3, 1, 1), nil), 1e-3, 0.1))
	main := g.AddBias("fc/bias", g.Linear("fc", x, 4, nil), nil)
	g.AddLoss(graph.Loss{Name: "main", Logits: main, Weight: 1, Smoothing: smoothing})
	g.AddLoss(graph.Loss{Name: "aux1", Logits: aux, Weight: 0.3, Smoothing: smoothing, At: "relu1"})
	return g
}

func tinyConfig() Config {
	c := Default()
	c.Model, c.Data, c.Augment = "tiny", "bars", "crop-flip"
	c.Epochs, c.Batch, c.LogEvery = 2, 8, 2
	c.Warmup, c.Workers, c.Threads = 0.5, 2, 2
	c.LR = Num(0.02)
	return c
}

// recorder keeps a run's events.
type recorder struct {
	events  []Event
	onEvent func(Event)
}

func (r *recorder) report(e Event) {
	r.events = append(r.events, e)
	if r.onEvent != nil {
		r.onEvent(e)
	}
}

func ofType[E Event](r *recorder) []E {
	var out []E
	for _, e := range r.events {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// setup returns a run; the caller changes what it needs.
func setup(t *testing.T, c Config) (Setup, *recorder) {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: graph.Precision(c.Precision), Threads: c.Threads})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	r := &recorder{}
	g := tinyNet(c.LabelSmoothing)
	require.NoError(t, g.Err())
	g.Losses()[1].Distill, g.Losses()[1].Temperature = c.Distill, c.Temperature
	return Setup{Config: c, Graph: g, Backend: b, Data: barsSet(), Report: r.report}, r
}

// folder returns a new run's folder.
func folder(t *testing.T, c Config) *Folder {
	t.Helper()
	f, err := CreateFolder(t.TempDir(), "run", &c)
	require.NoError(t, err)
	return f
}

// trainer calls New and closes the trainer at the end of the test.
func trainer(t *testing.T, s Setup) *Trainer {
	t.Helper()
	tr, err := New(s)
	require.NoError(t, err)
	t.Cleanup(func() { tr.Close() })
	return tr
}

// runWhole trains a run from its beginning to its end in a new folder.
func runWhole(t *testing.T, c Config) (*Trainer, *recorder) {
	t.Helper()
	s, r := setup(t, c)
	tr := trainer(t, s)
	_, err := tr.Run(context.Background(), folder(t, c))
	require.NoError(t, err)
	return tr, r
}

// snapshot returns all of a state except gradients.
func snapshot(t *testing.T, s graph.State) map[string]*tensor.Dense {
	t.Helper()
	out := map[string]*tensor.Dense{}
	for _, k := range stateKeys(s) {
		v, err := s.Get(k.part, k.param)
		require.NoError(t, err)
		out[k.name()] = v
	}
	return out
}

// requireEqualStates compares two states bit for bit.
func requireEqualStates(t *testing.T, a, b graph.State) {
	t.Helper()
	x, y := snapshot(t, a), snapshot(t, b)
	require.Len(t, y, len(x))
	for name, v := range x {
		require.Equal(t, v.Data(), y[name].Data(), name)
	}
}
