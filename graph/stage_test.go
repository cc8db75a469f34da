package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A plan that starts at a node has none of the steps before it, and takes the node's activation.
func TestPlanFromNode(t *testing.T) {
	g := inception(convBN)
	p := mustCompile(t, g, Options{Batch: 4, From: "mixed1", Target: Target{Fusions: AllFusions}})
	for _, s := range p.Steps {
		require.NotContains(t, s.NodeName(), "stem")
		require.NotContains(t, s.NodeName(), "mixed1")
	}
	m1, err := g.Find("mixed1")
	require.NoError(t, err)
	require.Equal(t, m1.Shape(), p.Images.Shape)
	require.True(t, p.Images.Buffer.External)
	whole := mustCompile(t, g, Options{Batch: 4, Losses: []string{"main"}, Target: Target{Fusions: AllFusions}})
	before := mustCompile(t, g, Options{Batch: 4, Losses: []string{"aux1"}, Keep: []string{"mixed1"}, Target: Target{Fusions: AllFusions}})
	after := mustCompile(t, g, Options{Batch: 4, From: "mixed1", Losses: []string{"main"}, Target: Target{Fusions: AllFusions}})
	require.Equal(t, whole.Count("conv.forward"), before.Count("conv.forward")+after.Count("conv.forward")-2, "aux1 has a convolution and a linear layer")

	padded := mustCompile(t, g, Options{Batch: 4, From: "mixed2/tower3x3", Losses: []string{"aux2"}, Target: Target{Fusions: AllFusions, PadInput: true}})
	require.Equal(t, 1, padded.Count("convert"), "10 channels become 12")
	require.Equal(t, 10, padded.Images.Shape.C)
}

func TestPlanFromNodeRefuses(t *testing.T) {
	g := inception(convBN)
	l, err := NewLayout(g)
	require.NoError(t, err)
	for want, o := range map[string]Options{
		`cannot start at mixed1/tower3x3: `:                               {Batch: 1, From: "mixed1/tower3x3"},
		"cannot start at mixed3: ":                                        {Batch: 1, From: "mixed3"}, // the heads come before it
		`unknown node or end point of test "mixed9"; the nearest: mixed1`: {Batch: 1, From: "mixed9"},
		"a training plan starts at the network's input":                   {Batch: 2, From: "mixed1", Training: true},
		"only images are normalised":                                      {Batch: 1, From: "mixed1", Normalize: &Normalization{Mean: make([]float32, 3), Std: []float32{1, 1, 1}}},
	} {
		_, err := Compile(g, l, o)
		require.ErrorContains(t, err, want)
	}
}
