// Package layerstest has a small network for tests of heads.
package layerstest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// Trunk returns three modules m1 to m3 of side×side×8 with two towers each, and the classifier
// "main" of 5 classes.
func Trunk(t *testing.T, side int) *graph.Graph {
	t.Helper()
	g := graph.New("trunk")
	unit := layers.ConvBN(1e-3, 0.1, nil)
	x := g.Input("input", graph.Shape{H: side, W: side, C: 3})
	for _, m := range []string{"m1", "m2", "m3"} {
		a := g.Mark(m+"/tower1x1", unit(g, m+"/tower1x1", x, 4, graph.Square(1, 1, 0)))
		b := g.Mark(m+"/tower3x3", unit(g, m+"/tower3x3", x, 4, graph.Square(3, 1, 1)))
		x = g.Mark(m, g.Concat(m+"/concat", a, b))
	}
	x = g.GlobalAvgPool("avgpool", x)
	g.AddLoss(graph.Loss{Name: "main", Logits: layers.FC(g, "fc", x, 5, nil, layers.Bias{}), Weight: 1})
	require.NoError(t, g.Err())
	return g
}
