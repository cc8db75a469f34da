package interop_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
)

// everything returns a network with every operation, including the cases for which ONNX has no
// operator: windows that extend past padding that counts, bins of different sizes, vectors in place
// of images.
func everything() *graph.Graph {
	g := graph.New("everything")
	x := g.Input("image", graph.Shape{H: 15, W: 13, C: 3})
	x = g.ReLU("stem/relu", g.BatchNorm("stem/bn", g.Conv("stem", x, 8, graph.Window{H: 3, W: 5, StrideH: 2, StrideW: 1, Same: true}, nil), 1e-3, 0.1))
	a := g.MaxPool("max", x, graph.Square(3, 2, 1).CeilMode())
	b := g.AvgPool("counted", x, graph.Square(3, 2, 1).CeilMode(), true)
	c := g.AvgPool("left_out", x, graph.Square(3, 2, 1).CeilMode(), false)
	d := g.AddBias("bias", g.Scale("scale", g.LRN("lrn", a, 5, 0.2, 0.75, 1), 0.7), graph.HeNormal())
	x = g.Concat("concat", g.Add("add", a, b, c), d, g.AvgPool("over", g.Conv("narrow", a, 4, graph.Square(1, 1, 0), nil), graph.Square(3, 1, 1), true))
	x = g.AvgPool("hanging", x, graph.Window{H: 2, W: 4, StrideH: 2, StrideW: 3, Pads: graph.Pads{Top: 1, Left: 1, Right: 1}, Ceil: true}, true)
	x = g.AdaptiveAvgPool("bins", x, 3, 2)
	head := g.Linear("aux/fc", g.ReLU("aux/relu", g.Linear("aux/hidden", x, 12, nil)), 6, nil)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.GlobalAvgPool("logits", g.Conv("last", g.Concat("vectors",
		g.BatchNorm("hidden/bn", g.AddBias("hidden/bias", g.Linear("hidden", g.Dropout("dropout", x, 0.5), 9, nil), nil), 1e-3, 0.1),
		g.AdaptiveAvgPool("one", x, 1, 1)), 6, graph.Square(1, 1, 0), nil)), Weight: 1})
	g.AddLoss(graph.Loss{Name: "aux", Logits: g.AddBias("aux/bias", head, nil), Weight: 0.3, At: "bins"})
	return g
}

// evaluate saves a network with random weights as ONNX, and returns random images and each head's
// logits.
func evaluate(t *testing.T, g *graph.Graph, path string) (images []float32, logits []float32) {
	t.Helper()
	const batch = 2
	require.NoError(t, g.Err())
	rng := rand.New(rand.NewPCG(5, 6))
	layout, err := graph.NewLayout(g)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer b.Close()
	s, err := b.NewState(layout, graph.StateOptions{})
	require.NoError(t, err)
	defer s.Close()
	for _, p := range g.Params() {
		v := p.Initial(3)
		for i := range v {
			switch p.Role {
			case graph.Gamma, graph.RunningVar:
				v[i] = 0.5 + rng.Float32()
			case graph.Beta, graph.RunningMean, graph.Bias:
				v[i] = float32(rng.NormFloat64()) / 4
			}
		}
		require.NoError(t, s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))))
	}
	plan, err := graph.Compile(g, layout, graph.Options{Batch: batch, Target: b.Target()})
	require.NoError(t, err)
	pr, err := b.Load(plan, s)
	require.NoError(t, err)
	defer pr.Close()
	in := g.InputNode().Shape()
	f := &graph.Feed{Labels: make([]int32, batch), Images: make([]float32, batch*in.Elements())}
	images = make([]float32, len(f.Images))
	for n := range batch {
		for p := range in.Pixels() {
			for c := range in.C {
				v := float32(rng.NormFloat64())
				f.Images[(n*in.Pixels()+p)*in.C+c] = v
				images[(n*in.C+c)*in.Pixels()+p] = v
			}
		}
	}
	require.NoError(t, pr.Run(context.Background(), f))
	for _, l := range g.Losses() {
		v, err := pr.Read(l.Logits.Name())
		require.NoError(t, err)
		logits = append(logits, v.Data().([]float32)...)
	}
	require.NoError(t, interop.SaveONNX(path, s, graph.Value, map[string]string{"mean": "[0.5]"}))
	return images, logits
}

// onnxruntime computes the same from a file as the network does, for every network with its heads,
// and for every operation. ONNX_PYTHON is a Python with onnx and onnxruntime (make onnx).
func TestONNXRuntime(t *testing.T) {
	python := os.Getenv("ONNX_PYTHON")
	if python == "" {
		t.Skip("make onnx")
	}
	graphs := map[string]*graph.Graph{"everything": everything()}
	for _, n := range inception.Networks() {
		m, err := inception.Build(n.Name, inception.Config{Classes: 10})
		require.NoError(t, err)
		graphs[n.Name] = m.Graph
	}
	for name, g := range graphs {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.onnx")
			images, want := evaluate(t, g, path)
			data, err := binary.Append(nil, binary.LittleEndian, images)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "images"), data, 0o644))
			says, err := exec.Command(python, "testdata/run_onnx.py", path, filepath.Join(dir, "images"), filepath.Join(dir, "out")).Output()
			require.NoError(t, err, "%s", stderr(err))
			out, err := os.ReadFile(filepath.Join(dir, "out"))
			require.NoError(t, err)
			require.Len(t, out, 4*len(want))
			got := make([]float32, len(want))
			_, err = binary.Decode(out, binary.LittleEndian, got)
			require.NoError(t, err)
			var apart, norm float64
			for i, w := range want {
				apart += math.Pow(float64(w-got[i]), 2)
				norm += math.Pow(float64(w), 2)
			}
			require.Less(t, math.Sqrt(apart/norm), 1e-4)
			t.Logf("relative L2 distance of the logits %.1e", math.Sqrt(apart/norm))

			var model struct {
				Input    []any
				Outputs  [][]any
				Metadata map[string]string
			}
			require.NoError(t, json.Unmarshal(says, &model))
			in := g.InputNode().Shape()
			require.Equal(t, []any{"images", "tensor(float)", []any{"N", float64(in.C), float64(in.H), float64(in.W)}}, model.Input)
			require.Len(t, model.Outputs, len(g.Losses()))
			for i, l := range g.Losses() {
				require.Equal(t, []any{l.Name, "tensor(float)", []any{"N", float64(l.Logits.Shape().C)}}, model.Outputs[i])
			}
			require.Equal(t, g.Name(), model.Metadata["network"])
			require.Equal(t, "[0.5]", model.Metadata["mean"])
		})
	}
}

func stderr(err error) []byte {
	if e, ok := err.(*exec.ExitError); ok {
		return e.Stderr
	}
	return nil
}

// fields returns the fields of a protobuf message by number.
func fields(t *testing.T, b []byte) map[protowire.Number][][]byte {
	t.Helper()
	all := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		b = b[n:]
		n = protowire.ConsumeFieldValue(num, kind, b)
		require.Positive(t, n)
		v := b[:n]
		if kind == protowire.BytesType {
			v, _ = protowire.ConsumeBytes(v)
		}
		all[num] = append(all[num], v)
		b = b[n:]
	}
	return all
}

// A file is an ordered graph: every operator reads earlier values, every initializer is read, and
// has as many bytes as its dimensions require.
func TestONNXFile(t *testing.T) {
	m, err := inception.Build("inception_small", inception.Config{Classes: 4, Heads: []auxhead.Spec{{At: "inception3b", Weight: 0.3}}})
	require.NoError(t, err)
	for _, g := range []*graph.Graph{m.Graph, everything()} {
		path := filepath.Join(t.TempDir(), "model.onnx")
		evaluate(t, g, path)
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		model := fields(t, file)
		body := fields(t, model[7][0])
		known, read := map[string]bool{"images": true}, map[string]bool{}
		for _, b := range body[5] {
			f := fields(t, b)
			size, _ := protowire.ConsumeVarint(f[2][0])
			bytes := map[uint64]int{1: 4, 7: 8}[size]
			for _, d := range f[1] {
				n, _ := protowire.ConsumeVarint(d)
				bytes *= int(n)
			}
			require.Len(t, f[9][0], bytes)
			require.False(t, known[string(f[8][0])], "twice")
			known[string(f[8][0])] = true
		}
		for _, b := range body[1] {
			f := fields(t, b)
			for _, in := range f[1] {
				require.True(t, known[string(in)], "%s reads %s", f[3][0], in)
				read[string(in)] = true
			}
			require.False(t, known[string(f[2][0])], "twice")
			known[string(f[2][0])] = true
		}
		for _, b := range body[5] {
			require.True(t, read[string(fields(t, b)[8][0])])
		}
		require.Len(t, body[12], len(g.Losses()))
	}
}

// A network that cannot be written leaves no file.
func TestONNXRefuses(t *testing.T) {
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer b.Close()
	state := func(name string) graph.State {
		g := graph.New("test")
		x := g.Input("image", graph.Shape{H: 4, W: 4, C: 3})
		g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear(name, x, 2, nil), Weight: 1})
		l, err := graph.NewLayout(g)
		require.NoError(t, err)
		s, err := b.NewState(l, graph.StateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		return s
	}
	dir := t.TempDir()
	require.ErrorContains(t, interop.SaveONNX(filepath.Join(dir, "a"), state("main"), graph.Value, nil), "a node of the name main")
	require.ErrorContains(t, interop.SaveONNX(filepath.Join(dir, "a"), state("fc"), graph.Gradient, nil), "gradient of a state is not weights")
	require.ErrorContains(t, interop.SaveONNX(filepath.Join(dir, "none", "a"), state("fc"), graph.Value, nil), "no such file or directory")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
