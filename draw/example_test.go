package draw_test

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/graph"
)

// A network is drawn as an SVG file. Each node has a box, and the nodes that follow a convolution
// are in its box.
func ExampleGraph() {
	g := graph.New("tiny")
	x := g.Input("input", graph.Shape{H: 8, W: 8, C: 3})
	x = g.ReLU("conv1/relu", g.Conv("conv1/conv", x, 16, graph.Square(3, 1, 1), nil))
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 10, nil), Weight: 1})
	svg, err := draw.Graph(g, "a tiny network", nil).SVG()
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(string(svg), "3×3 conv + relu"))
	// Output:
	// true
}
