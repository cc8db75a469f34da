package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
)

// googlenetFiles writes a weights file of a GoogLeNet with 5 classes, and a batch of 2 images of
// 32×32.
func googlenetFiles(t *testing.T) (weights, batch string) {
	t.Helper()
	weights, batch = filepath.Join(t.TempDir(), "w.safetensors"), filepath.Join(t.TempDir(), "b.safetensors")
	m, err := inception.Build("googlenet", inception.Config{Classes: 5, Height: 32, Width: 32})
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	defer b.Close()
	l, err := graph.NewLayout(m.Graph)
	require.NoError(t, err)
	s, err := b.NewState(l, graph.StateOptions{})
	require.NoError(t, err)
	defer s.Close()
	for _, p := range l.Params {
		require.NoError(t, s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(7)))))
	}
	require.NoError(t, interop.Save(weights, s, graph.Value, nil))
	images := make([]float32, 2*32*32*3)
	r := graph.NewRandom(7, "images")
	for i := range images {
		images[i] = float32(r.Normal())
	}
	x := interop.Batch{N: 2, Shape: graph.Shape{H: 32, W: 32, C: 3}, Images: images, Labels: []int32{1, 4}}
	require.NoError(t, interop.WriteFile(batch, x.Tensors(), nil))
	return weights, batch
}

func TestGrads(t *testing.T) {
	weights, batch := googlenetFiles(t)
	out := filepath.Join(t.TempDir(), "g.safetensors")
	run := func(more ...string) *interop.File {
		r := command(t, append([]string{"grads", "--model", "googlenet", "--weights", weights, "--batch", batch, "--out", out}, more...)...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, "loss.total")
		f, err := interop.Open(out)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	value := func(f *interop.File, name string) float64 {
		v, err := f.Tensor(name)
		require.NoError(t, err)
		return v.Data.([]float64)[0]
	}
	f := run("--head-weights", "aux1=0.5,aux2=0.25")
	total := value(f, "loss.main") + 0.5*value(f, "loss.aux1") + 0.25*value(f, "loss.aux2")
	require.InEpsilon(t, total, value(f, "loss.total"), 1e-6)
	g, err := f.Tensor("aux1.fc2.weight")
	require.NoError(t, err)
	require.Equal(t, []int{5, 1024}, g.Shape)
	logits, err := f.Tensor("logits.main")
	require.NoError(t, err)
	require.Equal(t, []int{2, 5}, logits.Shape)
	_, err = f.Tensor("inception4a.branch2.1.conv.weight")
	require.NoError(t, err)

	dropped := run("--dropout", "on")
	require.NotEqual(t, value(f, "loss.main"), value(dropped, "loss.main"))

	r := command(t, "grads", "--model", "googlenet", "--weights", batch, "--batch", batch, "--out", out)
	require.NotEqual(t, exitOK, r.code)
	r = command(t, "grads", "--model", "googlenet", "--weights", weights, "--batch", batch, "--out", out, "--head-weights", "aux3=1")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errors, "aux2")
}

// Weights with another number of classes start a run: it takes over all but the classifiers.
func TestFineTune(t *testing.T) {
	weights, _ := googlenetFiles(t)
	data, out := squares(t), t.TempDir()
	args := []string{"train", "--model", "googlenet", "--data", "folder:" + data, "--image-size", "32", "--batch", "24", "--epochs", "1",
		"--warmup", "0", "--heads", "none", "--out", out, "--name", "tuned", "--init", weights}
	r := command(t, args...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.errors, "tells 5 classes apart, the data have 4: drawn anew are fc/")
	require.Contains(t, r.errors, "aux1.* that this network is built without")
	require.NoError(t, os.Remove(weights))
	r = command(t, append(args, "--name", "again")...)
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, "init:")
}
