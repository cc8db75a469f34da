package interop

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

func model(t *testing.T, network string, cfg inception.Config) *graph.Graph {
	m, err := inception.Build(network, cfg)
	require.NoError(t, err)
	return m.Graph
}

func namesOf(t *testing.T, g *graph.Graph) *Names {
	n, err := NewNames(g)
	require.NoError(t, err)
	return n
}

// The names and shapes are exactly those of torchvision's and timm's state_dicts (testdata, made by
// bench/parity/names.py).
func TestNamesAreTorchvisionsAndTimms(t *testing.T) {
	for _, network := range []string{"googlenet", "inception_v3", "inception_v4", "inception_resnet_v2"} {
		b, err := os.ReadFile("testdata/" + network + ".names.txt")
		require.NoError(t, err)
		want := strings.Split(strings.TrimSpace(string(b)), "\n")
		names := namesOf(t, model(t, network, inception.Config{}))
		var got []string
		for _, n := range names.All() {
			dims := strings.Trim(strings.ReplaceAll(fmt.Sprint(n.Shape()), " ", "x"), "[]")
			got = append(got, n.File+" "+dims)
			found, err := names.Find(n.File)
			require.NoError(t, err)
			assert.Same(t, n.Param, found.Param)
			back, ok := names.Of(n.Param)
			assert.True(t, ok)
			assert.Equal(t, n.File, back.File)
		}
		for _, c := range names.Counters() {
			got = append(got, c+" scalar")
		}
		assert.ElementsMatch(t, want, got, network)
	}
}

func TestNamesElsewhere(t *testing.T) {
	for _, c := range []struct{ network, param, file string }{
		{"googlenet2014", "inception4a/tower5x5/5x5/conv/weight", "inception4a.branch3.1.conv.weight"},
		{"googlenet2014", "inception4a/tower5x5/5x5/bias/bias", "inception4a.branch3.1.conv.bias"},
		{"googlenet2014", "conv1/bias/bias", "conv1.conv.bias"},
		{"googlenet2014", "aux1/conv/conv/weight", "aux1.conv.conv.weight"},
		{"googlenet2014", "aux2/fc1/linear/weight", "aux2.fc1.weight"},
		{"googlenet2014", "fc/bias/bias", "fc.bias"},
		{"inception_small", "inception3a/tower3x3dbl/3x3b/bn/gamma", "inception3a.tower3x3dbl.3x3b.bn.weight"},
		{"inception_small", "aux1/fc/linear/weight", "aux1.fc.weight"},
	} {
		n, err := namesOf(t, model(t, c.network, inception.Config{})).Find(c.file)
		require.NoError(t, err)
		assert.Equal(t, c.param, n.Param.Name)
	}
	_, err := namesOf(t, model(t, "googlenet", inception.Config{})).Find("inception4a.branch2.conv.weight")
	assert.ErrorContains(t, err, "the nearest: inception4a.branch")

	g := graph.New("twice")
	x := g.Input("input", graph.Shape{H: 1, W: 1, C: 3})
	x = g.Linear("fc/linear/linear", x, 4, nil)
	g.Linear("fc.linear/linear", x, 4, nil)
	require.NoError(t, g.Err())
	_, err = NewNames(g)
	assert.ErrorContains(t, err, "would both be called fc.linear.weight in a file: rename the node")
}

// file[k][c][h][w] equals ours[k][h][w][c], for filters and for linear layers on a feature map.
func TestLayouts(t *testing.T) {
	names := namesOf(t, model(t, "googlenet", inception.Config{}))
	for _, file := range []string{"conv1.conv.weight", "aux1.fc1.weight", "aux1.fc1.bias"} {
		n, err := names.Find(file)
		require.NoError(t, err)
		ours := make([]float64, n.Param.Elements())
		for i := range ours {
			ours[i] = float64(i)
		}
		f, err := n.ToFile(tensor.New(tensor.WithShape(n.Param.Dims...), tensor.WithBacking(slices.Clone(ours))))
		require.NoError(t, err)
		assert.Equal(t, n.Shape(), f.Shape)
		theirs := f.Data.([]float64)
		if d := n.Param.Dims; len(d) == 4 {
			for _, i := range []([4]int){{0, 0, 0, 0}, {1, 2, 3, 1}, {63, 3, 2, 2}, {5, 0, 1, 0}} {
				k, h, w, c := i[0], i[1], i[2], i[3]
				assert.Equal(t, ours[((k*d[1]+h)*d[2]+w)*d[3]+c], theirs[((k*d[3]+c)*d[1]+h)*d[2]+w], file)
			}
		}
		back, err := n.FromFile(f)
		require.NoError(t, err)
		assert.Equal(t, ours, back.Data())
		assert.Equal(t, n.Param.Dims, []int(back.Shape()))
		_, err = n.FromFile(Tensor{file, []int{3}, []float32{1, 2, 3}})
		assert.ErrorContains(t, err, fmt.Sprintf("tensor %s has shape [3]; parameter %s takes %v", file, n.Param.Name, n.Shape()))
		_, err = n.ToFile(tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2})))
		assert.ErrorContains(t, err, "values of shape (2) for dimensions")
	}
}

// memory is a state and a program in plain memory.
type memory struct {
	graph.State // only the methods below are called
	graph.Program
	layout *graph.Layout
	values map[graph.Part]Values
	plan   *graph.Plan
}

func newMemory(t *testing.T, g *graph.Graph) *memory {
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	m := &memory{layout: l, values: map[graph.Part]Values{graph.Value: {}, graph.Gradient: {}}}
	for i, p := range l.Params {
		for part := range m.values {
			v := make([]float32, p.Elements())
			for j := range v {
				v[j] = float32(i) + float32(j)/float32(len(v))
			}
			m.values[part][p] = tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v))
		}
	}
	return m
}

func (m *memory) Layout() *graph.Layout { return m.layout }
func (m *memory) Parts() []graph.Part   { return []graph.Part{graph.Value, graph.Gradient} }
func (m *memory) Close() error          { return nil }
func (m *memory) Get(part graph.Part, p *graph.Param) (*tensor.Dense, error) {
	return m.values[part][p], nil
}
func (m *memory) Set(part graph.Part, p *graph.Param, v *tensor.Dense) error {
	m.values[part][p] = v
	return nil
}
func (m *memory) Plan() *graph.Plan                      { return m.plan }
func (m *memory) Run(context.Context, *graph.Feed) error { return nil }
func (m *memory) Metrics() (*graph.Metrics, error) {
	return &graph.Metrics{Rows: 2, Total: 3, Heads: []graph.HeadMetrics{{Name: "main", Loss: 2.7}, {Name: "aux1", Loss: 1}}}, nil
}
func (m *memory) Read(node string) (*tensor.Dense, error) {
	return tensor.New(tensor.WithShape(2, 10), tensor.WithBacking(make([]float32, 20))), nil
}

func small(t *testing.T, heads string) *graph.Graph {
	n, err := inception.Lookup("inception_small")
	require.NoError(t, err)
	specs, err := auxhead.ParseSpecs(heads, n.Heads)
	require.NoError(t, err)
	return model(t, "inception_small", inception.Config{Heads: specs})
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	from := newMemory(t, small(t, "default"))
	require.NoError(t, Save(path, from, graph.Value, map[string]string{"epoch": "3"}))
	to := newMemory(t, small(t, "default"))
	clear(to.values[graph.Value])
	v, notes, err := LoadFile(path, to.layout.Graph)
	require.NoError(t, err)
	assert.Empty(t, notes)
	require.NoError(t, v.Set(to, graph.Value))
	for i, p := range from.layout.Params {
		assert.Equal(t, from.values[graph.Value][p].Data(), to.values[graph.Value][to.layout.Params[i]].Data(), p.Name)
	}
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, map[string]string{"network": "inception_small", "format": "pt", "heads": "aux1.,aux2.", "epoch": "3"}, f.Metadata)
	_, err = f.Info("conv1.bn.num_batches_tracked")
	assert.NoError(t, err)
	assert.ErrorContains(t, Save(path, from, graph.Gradient, nil), "use value or ema")
}

// If the heads are off and the file has them, or the reverse, there is a note. Any other difference
// is an error that lists it.
func TestLoadWithOtherHeads(t *testing.T) {
	dir := t.TempDir()
	with, without, own := filepath.Join(dir, "with"), filepath.Join(dir, "without"), filepath.Join(dir, "own")
	require.NoError(t, Save(with, newMemory(t, small(t, "default")), graph.Value, nil))
	require.NoError(t, Save(without, newMemory(t, small(t, "none")), graph.Value, nil))
	g := model(t, "inception_small", inception.Config{Heads: []auxhead.Spec{{At: "inception3a", Kind: "gap", Name: "side"}}})
	require.NoError(t, Save(own, newMemory(t, g), graph.Value, nil))

	for _, c := range []struct {
		path, heads string
		notes       []string
		missing     int
	}{
		{with, "default", nil, 0},
		{with, "none", []string{"has weights for a head aux1.* that this network is built without: they are ignored", "head aux2.*"}, 0},
		{with, "inception4b", []string{"has weights for a head aux1.*"}, 0},
		{without, "default", []string{"has no weights for the head aux1.*: it keeps its initial values", "head aux2.*"}, 4},
		{own, "none", []string{"has weights for a head side.*"}, 0},
		{own, "inception4b", []string{"has no weights for the head aux2.*", "has weights for a head side.*"}, 2},
	} {
		g := small(t, c.heads)
		v, notes, err := LoadFile(c.path, g)
		require.NoError(t, err, "%s %s", c.path, c.heads)
		require.Len(t, notes, len(c.notes), "%v", notes)
		for i, want := range c.notes {
			assert.Contains(t, notes[i], want)
		}
		assert.Len(t, v, len(g.Params())-c.missing)
	}
}

func TestLoadErrors(t *testing.T) {
	g := small(t, "default")
	var tensors []Tensor
	for _, n := range namesOf(t, g).All() {
		tensors = append(tensors, Generated(n))
	}
	load := func(change func(map[string]*Tensor)) error {
		byName, b := map[string]*Tensor{}, bytes.Buffer{}
		for _, x := range tensors {
			byName[x.Name] = &x
		}
		change(byName)
		var list []Tensor
		for _, x := range byName {
			list = append(list, *x)
		}
		require.NoError(t, Write(&b, list, nil))
		f, err := read(b.Bytes())
		require.NoError(t, err)
		_, _, err = Load(f, g)
		return err
	}
	require.NoError(t, load(func(map[string]*Tensor) {}))
	for want, change := range map[string]func(map[string]*Tensor){
		"missing: fc.weight [10 224]":                           func(m map[string]*Tensor) { delete(m, "fc.weight") },
		"missing: aux1.fc.bias [10]":                            func(m map[string]*Tensor) { delete(m, "aux1.fc.bias") },
		"unexpected: fc2.weight [1]":                            func(m map[string]*Tensor) { m["x"] = &Tensor{"fc2.weight", []int{1}, []float32{1}} },
		"unexpected: aux1.extra [1]":                            func(m map[string]*Tensor) { m["x"] = &Tensor{"aux1.extra", []int{1}, []float32{1}} },
		"tensor fc.bias has shape [5]; parameter fc/bias/bias ": func(m map[string]*Tensor) { m["fc.bias"] = &Tensor{"fc.bias", []int{5}, make([]float32, 5)} },
		"tensor fc.bias has elements of type []int64":           func(m map[string]*Tensor) { m["fc.bias"] = &Tensor{"fc.bias", []int{10}, make([]int64, 10)} },
		"does not fit inception_small with 10 classes; build":   func(m map[string]*Tensor) { clear(m) },
		"\n  and 170 more":                                      func(m map[string]*Tensor) { clear(m) },
	} {
		assert.ErrorContains(t, load(change), want)
	}
}

// Generated returns a tensor with a parameter's shape in files.
func Generated(n Name) Tensor {
	v := make([]float32, n.Param.Elements())
	for i := range v {
		v[i] = float32(i)
	}
	return Tensor{n.File, n.Shape(), v}
}

func TestGradientsAndResults(t *testing.T) {
	m := newMemory(t, small(t, "default"))
	grads, err := Gradients(m)
	require.NoError(t, err)
	trained := 0
	for _, p := range m.layout.Params {
		if !p.IsStatistic() {
			trained++
		}
	}
	assert.Len(t, grads, trained)
	m.plan, err = graph.Compile(m.layout.Graph, m.layout, graph.Options{Batch: 2, Training: true, Losses: []string{"main", "aux1"}})
	require.NoError(t, err)
	results, err := Results(m)
	require.NoError(t, err)
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %v", r.Name, r.Shape))
	}
	assert.Equal(t, []string{"loss.total []", "loss.main []", "loss.aux1 []", "logits.main [2 10]", "logits.aux1 [2 10]"}, got)
	require.NoError(t, Write(&bytes.Buffer{}, append(grads, results...), nil))
}

func TestBatches(t *testing.T) {
	b := &Batch{N: 2, Shape: graph.Shape{H: 2, W: 3, C: 2}, Labels: []int32{4, -1}}
	for i := range 24 {
		b.Images = append(b.Images, float32(i))
	}
	path := filepath.Join(t.TempDir(), "b.safetensors")
	require.NoError(t, WriteFile(path, b.Tensors(), nil))
	got, err := ReadBatchFile(path)
	require.NoError(t, err)
	assert.Equal(t, b, got)
	assert.Equal(t, []float32{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}, b.Tensors()[0].Data.([]float32)[:12], "NCHW")
	for want, tensors := range map[string][]Tensor{
		`unknown tensor of x.safetensors "images"`:          {{"labels", []int{1}, []int64{1}}},
		"the images of a batch are (N, C, H, W) of float32": {{"images", []int{1, 2}, []float32{1, 2}}, {"labels", []int{1}, []int64{1}}},
		"the labels of a batch are (N) of int64":            {{"images", []int{1, 1, 1, 1}, []float32{1}}, {"labels", []int{2}, []int64{1, 2}}},
		"label 2147483648 of row 0":                         {{"images", []int{1, 1, 1, 1}, []float32{1}}, {"labels", []int{1}, []int64{math.MaxInt32 + 1}}},
	} {
		var b bytes.Buffer
		require.NoError(t, Write(&b, tensors, nil))
		f, err := read(b.Bytes())
		require.NoError(t, err)
		_, err = ReadBatch(f)
		assert.ErrorContains(t, err, want)
	}
}
