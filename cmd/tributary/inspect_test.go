package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/draw/drawtest"
	"github.com/tributary-ml/tributary/inception"
)

func TestInspect(t *testing.T) {
	list := command(t, "inspect")
	require.Equal(t, exitOK, list.code, list.errors)
	require.Contains(t, list.out, "inception_v3")
	require.Contains(t, list.out, "gap")

	r := command(t, "inspect", "--model", "googlenet", "--batch", "4")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"6,624,904", "13,004,888", "1.50 G", "reduced from", "arena", "steps  ", "backward", "inception4a", "torchvision"} {
		require.Contains(t, r.out, want)
	}
	r = command(t, "inspect", "--model", "inception_small", "--batch", "2", "--measure")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"training with heads", "training without heads", "head aux1", "head aux2", "% of the step", "images/s"} {
		require.Contains(t, r.out, want)
	}
	r = command(t, "inspect", "--heads", "none", "--width", "2", "--classes", "7", "--channels", "3", "--image-size", "32", "--steps")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"no heads", "32x32x3", "7 classes", "conv.forward", "update"} {
		require.Contains(t, r.out, want)
	}
	require.NotContains(t, r.out, "what each head adds")
}

func TestInspectDraws(t *testing.T) {
	dir := t.TempDir()
	svg := filepath.Join(dir, "n.svg")
	r := command(t, "inspect", "--model", "inception_small", "--svg", svg)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "drawn: "+svg)
	text, err := os.ReadFile(svg)
	require.NoError(t, err)
	drawtest.RequireInert(t, text)
	for _, want := range []string{"inception_small, 28x28x1, 10 classes", "aux1: gap, weight 0.3", "#f4b183", "#9dc3e6", "3×3 conv", "loss main"} {
		require.Contains(t, string(text), want)
	}
	r = command(t, "inspect", "--model", "inception_small", "--svg", filepath.Join(dir, "missing", "n.svg"))
	require.Equal(t, exitFailure, r.code)
	for _, args := range []string{"inspect --svg n.png", "gradflow --svg flow.PNG", "inspect --svg n.dot"} {
		r = command(t, strings.Fields(args)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.errors, "name a file that ends in .svg", args)
	}
}

// Everything in the drawing of every network is visible, wherever its heads are.
func TestDrawNetworks(t *testing.T) {
	for _, n := range inception.Networks() {
		for _, heads := range []string{"default", "none", "every:1:0.1:gap", "*/*:0.1:gap"} {
			if testing.Short() && heads == "*/*:0.1:gap" && n.Name != "googlenet" {
				continue
			}
			specs, err := auxhead.ParseSpecs(heads, n.Heads)
			require.NoError(t, err)
			m, err := inception.Build(n.Name, inception.Config{Heads: specs})
			require.NoError(t, err)
			t.Run(n.Name+" "+heads, func(t *testing.T) {
				d := drawtest.Check(t, drawModel(m))
				require.Less(t, d.Page.X1, 4*d.Page.Y1)
				require.Less(t, d.Page.Y1, 4*d.Page.X1)
			})
		}
	}
}

// A head is beside the place that it reads: a module's end, a tower's end, or a node within a
// tower.
func TestDrawHeads(t *testing.T) {
	var specs []auxhead.Spec
	for _, at := range []string{"conv1", "inception3a", "inception4a/tower1x1", "inception4a/tower3x3", "inception4b/tower3x3dbl/reduce/relu"} {
		specs = append(specs, auxhead.Spec{At: at, Weight: 0.1, Kind: "gap"})
	}
	m, err := inception.Build("inception_small", inception.Config{Heads: specs})
	require.NoError(t, err)
	n := drawModel(m)
	beside := map[string]string{}
	for _, x := range n.Nodes {
		if x.Beside != "" {
			beside[x.Name] = x.Beside
		}
	}
	require.Equal(t, map[string]string{"aux1": "conv1/conv", "aux2": "inception3a/concat", "aux3": "inception4a/tower1x1/conv",
		"aux4": "inception4a/tower3x3/3x3/conv", "aux5": "inception4b/tower3x3dbl/reduce/conv"}, beside)
	drawtest.Check(t, n)
}
