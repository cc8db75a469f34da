package auxhead_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// Heads are written as text, and attached to the end points of a network.
func Example() {
	g := graph.New("two modules")
	unit := layers.ConvBN(1e-3, 0.1, nil)
	x := g.Input("input", graph.Shape{H: 16, W: 16, C: 3})
	for _, module := range []string{"inception3a", "inception3b"} {
		a := g.Mark(module+"/tower1x1", unit(g, module+"/tower1x1", x, 8, graph.Square(1, 1, 0)))
		b := g.Mark(module+"/tower3x3", unit(g, module+"/tower3x3", x, 8, graph.Square(3, 1, 1)))
		x = g.Mark(module, g.Concat(module+"/concat", a, b))
	}
	g.AddLoss(graph.Loss{Name: auxhead.Main, Logits: layers.FC(g, "fc", g.GlobalAvgPool("pool", x), 10, nil, layers.Bias{}), Weight: 1})

	specs, err := auxhead.ParseSpecs("inception3a:0.3,inception3b/tower3x3:0.1:gap", auxhead.Defaults{Kind: "gap", Weight: 0.3})
	if err != nil {
		panic(err)
	}
	heads, err := auxhead.Attach(g, specs, auxhead.Options{Classes: 10})
	if err != nil {
		panic(err)
	}
	for _, h := range heads {
		fmt.Println(h.Name, "reads", h.At, "with weight", h.Weight)
	}
	// Output:
	// aux1 reads inception3a with weight 0.3
	// aux2 reads inception3b/tower3x3 with weight 0.1
}
