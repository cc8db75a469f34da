package tributary_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
	"github.com/tributary-ml/tributary/train"
)

// tiny builds a network of one module.
func tiny(g *graph.Graph, images *graph.Node, classes int) *graph.Node {
	x := g.Mark("stem", layers.ConvBN(1e-3, 0.1, nil)(g, "stem", images, 4, graph.Square(3, 2, 1)))
	return layers.FC(g, "fc", g.GlobalAvgPool("avgpool", x), classes, nil, layers.Bias{})
}

func tinyRun(t *testing.T) (train.Config, tributary.Options) {
	c := train.Default()
	c.Out, c.Name, c.Model, c.Augment, c.Heads = t.TempDir(), "run", "tiny", "none", "stem:0.3"
	c.Epochs, c.Batch, c.Warmup, c.Threads, c.Workers = 2, 8, 0, 1, 1
	return c, tributary.Options{Network: tiny, Data: &dataset.Set{Train: stripes(64), Test: stripes(20)}}
}

// weightsOf returns the elements of all tensors in a run's last checkpoint.
func weightsOf(t *testing.T, c train.Config) map[string]any {
	ck, err := train.OpenCheckpoint((&train.Folder{Path: filepath.Join(c.Out, c.Name)}).Last())
	require.NoError(t, err)
	defer ck.Close()
	all := map[string]any{}
	for _, name := range ck.Names() {
		v, err := ck.Tensor(graph.Value, name)
		require.NoError(t, err)
		all[name] = v.Data()
	}
	require.NotEmpty(t, all)
	return all
}

// A run whose context ends saves, and after resuming has the same bits as an uninterrupted one.
func TestInterruptAndResume(t *testing.T) {
	c, o := tinyRun(t)
	_, err := tributary.Train(t.Context(), c, o)
	require.NoError(t, err)
	want := weightsOf(t, c)

	c.Name = "interrupted"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Report = func(e train.Event) {
		if e, ok := e.(train.Stepped); ok && e.Step == 11 {
			cancel()
		}
	}
	_, err = tributary.Train(ctx, c, o)
	var interrupted *train.InterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.Equal(t, 11, interrupted.Step)
	require.NotEqual(t, want, weightsOf(t, c))

	o.Report = nil
	r, err := tributary.Resume(t.Context(), filepath.Join(c.Out, c.Name), o)
	require.NoError(t, err)
	_, err = tributary.Resume(t.Context(), filepath.Join(c.Out, c.Name), o)
	require.ErrorAs(t, err, new(*train.LockedError), "one at a time")
	s, err := r.Train(t.Context())
	require.NoError(t, err)
	require.True(t, s.Finished)
	require.NoError(t, r.Close())
	require.Equal(t, want, weightsOf(t, c))
}

// Predict's answers are those that Evaluate counts, and Predict ends when its caller does.
func TestPredictAgreesWithEvaluate(t *testing.T) {
	dir := photographs(filepath.Join(t.TempDir(), "photos"))
	c, o := tinyRun(t)
	c.Data, c.ImageSize, c.Epochs, o.Data = "folder:"+dir, 16, 1, nil
	_, err := tributary.Train(t.Context(), c, o)
	require.NoError(t, err)
	k, err := tributary.Load(filepath.Join(c.Out, c.Name), o)
	require.NoError(t, err)
	defer k.Close()
	require.Equal(t, []string{"blue", "red"}, k.Classes())
	r, err := k.Evaluate(t.Context(), tributary.TestOptions{Part: "val"})
	require.NoError(t, err)
	right, images := 0, 0
	for p, err := range k.Predict(t.Context(), []string{filepath.Join(dir, "val")}, tributary.PredictOptions{}) {
		require.NoError(t, err)
		require.Len(t, p.Classes, 2)
		require.InDelta(t, 1, p.Classes[0].Probability+p.Classes[1].Probability, 1e-6)
		images++
		if p.Classes[0].Class == filepath.Base(filepath.Dir(p.File)) {
			right++
		}
	}
	require.Equal(t, r.Images, images)
	require.Equal(t, r.Main().Correct1, right)
	seen := 0
	for _, err := range k.Predict(t.Context(), []string{filepath.Join(dir, "val")}, tributary.PredictOptions{Top: 1}) {
		require.NoError(t, err)
		if seen++; seen == 3 {
			break
		}
	}
	require.Equal(t, 3, seen)
}

// Errors are values that say what is wrong, and nothing is left behind.
func TestErrors(t *testing.T) {
	for name, change := range map[string]func(*train.Config, *tributary.Options){
		"unknown network": func(c *train.Config, o *tributary.Options) { o.Network = nil },
		"Options.Network returned no logi": func(c *train.Config, o *tributary.Options) {
			o.Network = func(*graph.Graph, *graph.Node, int) *graph.Node { return nil }
		},
		"unknown device":            func(c *train.Config, o *tributary.Options) { c.Device = "gpu" },
		"unknown node or end point": func(c *train.Config, o *tributary.Options) { o.Heads = []auxhead.Spec{{At: "stam", Weight: 0.1}} },
		"epochs: ":                  func(c *train.Config, o *tributary.Options) { c.Epochs = -1 },
		"no such file":              func(c *train.Config, o *tributary.Options) { c.Init = "missing.safetensors" },
	} {
		c, o := tinyRun(t)
		change(&c, &o)
		_, err := tributary.New(t.Context(), c, o)
		require.ErrorContains(t, err, name)
		files, err := os.ReadDir(c.Out)
		require.NoError(t, err)
		require.Empty(t, files, name)
	}
	_, err := tributary.Load(filepath.Join(t.TempDir(), "nothing"), tributary.Options{})
	require.ErrorAs(t, err, new(*tributary.ConfigError))
}

// A checkpoint holds no functions. A program that loads a custom network or custom heads must pass
// them again, and the error says so.
func TestOwnPartsAreNeededAgain(t *testing.T) {
	c, o := tinyRun(t)
	o.Heads = []auxhead.Spec{{At: "stem", Weight: 0.3, Build: func(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
		return g.Linear(name+"/fc", g.GlobalAvgPool(name+"/pool", x), classes, nil)
	}}}
	_, err := tributary.Train(t.Context(), c, o)
	require.NoError(t, err)
	run := filepath.Join(c.Out, c.Name)
	k, err := tributary.Load(run, o)
	require.NoError(t, err)
	defer k.Close()
	m, err := k.Save(filepath.Join(c.Out, "own.safetensors"), nil)
	require.NoError(t, err)
	require.Len(t, m.Heads, 1)
	require.FileExists(t, filepath.Join(c.Out, "own.safetensors"))
	_, err = tributary.Load(run, tributary.Options{})
	require.ErrorContains(t, err, `unknown network "tiny"`)
	_, err = tributary.Load(run, tributary.Options{Network: tiny})
	require.ErrorContains(t, err, `unknown kind of head "custom"`)
}

// Two heads of one's own stay what they are in a saved file, though their shapes are the same.
func TestSaveKeepsEachHead(t *testing.T) {
	c, o := tinyRun(t)
	o.Network = func(g *graph.Graph, images *graph.Node, classes int) *graph.Node {
		x := g.Mark("first", layers.ConvBN(1e-3, 0.1, nil)(g, "first", images, 4, graph.Square(3, 2, 1)))
		x = g.Mark("second", layers.ConvBN(1e-3, 0.1, nil)(g, "second", x, 4, graph.Square(3, 1, 1)))
		return layers.FC(g, "fc", g.GlobalAvgPool("avgpool", x), classes, nil, layers.Bias{})
	}
	head := func(pool func(g *graph.Graph, name string, x *graph.Node) *graph.Node) auxhead.Builder {
		return func(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
			return g.Linear(name+"/fc", g.GlobalAvgPool(name+"/global", pool(g, name, x)), classes, nil)
		}
	}
	o.Heads = []auxhead.Spec{
		{At: "first", Weight: 0.3, Name: "largest", Build: head(func(g *graph.Graph, name string, x *graph.Node) *graph.Node {
			return g.MaxPool(name+"/pool", x, graph.Square(2, 2, 0))
		})},
		{At: "second", Weight: 0.3, Name: "mean", Build: head(func(g *graph.Graph, name string, x *graph.Node) *graph.Node {
			return g.AvgPool(name+"/pool", x, graph.Square(2, 2, 0), false)
		})},
	}
	_, err := tributary.Train(t.Context(), c, o)
	require.NoError(t, err)
	k, err := tributary.Load(filepath.Join(c.Out, c.Name), o)
	require.NoError(t, err)
	defer k.Close()
	m, err := k.Save(filepath.Join(c.Out, "own.safetensors"), nil)
	require.NoError(t, err)
	for name, kind := range map[string]string{"largest": "maxpool", "mean": "avgpool"} {
		n, err := m.Graph.Find(name + "/pool")
		require.NoError(t, err)
		require.Equal(t, kind, n.Op().Kind())
	}
}

// What cannot be is an error, not a panic, whichever part of one's own it is about.
func TestMissingParts(t *testing.T) {
	c, o := tinyRun(t)
	whole := o.Data
	o.Data = &dataset.Set{Train: stripes(64)}
	_, err := tributary.New(t.Context(), c, o)
	require.ErrorContains(t, err, "images for training and images for testing")

	o.Data = whole
	r, err := tributary.New(t.Context(), c, o)
	require.NoError(t, err)
	_, err = r.Train(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	_, err = r.Train(t.Context())
	require.ErrorContains(t, err, "closed")

	k, err := tributary.Load(filepath.Join(c.Out, c.Name), o)
	require.NoError(t, err)
	for part, images := range map[string]int{"": 20, "test": 20, "train": 64} {
		result, err := k.Evaluate(t.Context(), tributary.TestOptions{Part: part})
		require.NoError(t, err)
		require.Equal(t, images, result.Images, part)
	}
	_, err = k.Evaluate(t.Context(), tributary.TestOptions{Part: "bogus"})
	require.ErrorContains(t, err, "bogus")
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())

	o.Network = func(g *graph.Graph, images *graph.Node, _ int) *graph.Node { return tiny(g, images, 3) }
	c.Name = "three"
	_, err = tributary.New(t.Context(), c, o)
	require.ErrorContains(t, err, "3 logits for 2 classes")
	c.Model = "my/net"
	_, err = tributary.New(t.Context(), c, o)
	require.ErrorContains(t, err, `"my/net"`)
}
