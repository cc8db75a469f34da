package layers_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// A tower of a module is a chain of units.
func Example() {
	g := graph.New("tower")
	unit := layers.ConvBN(1e-3, 0.1, nil) // convolution, batch normalisation, ReLU
	x := g.Input("input", graph.Shape{H: 28, W: 28, C: 192})
	x = unit(g, "3x3/reduce", x, 96, graph.Square(1, 1, 0))
	x = unit(g, "3x3/conv", x, 128, graph.Square(3, 1, 1))
	fmt.Println(x.Shape(), g.Err())
	// Output:
	// 28x28x128 <nil>
}
