package graph_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/graph"
)

// A network with a head is built node by node and compiled into plans for evaluation and for
// training.
func Example() {
	g := graph.New("tiny")
	x := g.Input("input", graph.Shape{H: 8, W: 8, C: 3})
	x = g.Mark("stem", g.ReLU("stem/relu", g.AddBias("stem/bias", g.Conv("stem/conv", x, 16, graph.Square(3, 1, 1), nil), nil)))
	y := g.MaxPool("pool", x, graph.Square(2, 2, 0))
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", y, 10, nil), Weight: 1})
	g.AddLoss(graph.Loss{Name: "aux", Logits: g.Linear("aux/fc", g.GlobalAvgPool("aux/pool", x), 10, nil), Weight: 0.3})
	layout, err := graph.NewLayout(g)
	if err != nil {
		panic(err)
	}
	for _, o := range []graph.Options{
		{Batch: 4, Losses: []string{"main"}},
		{Batch: 4, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9}},
	} {
		o.Target = graph.Target{Fusions: graph.AllFusions}
		p, err := graph.Compile(g, layout, o)
		if err != nil {
			panic(err)
		}
		fmt.Printf("training %v:", o.Training)
		for _, s := range p.Steps {
			fmt.Print(" ", s.Kind())
		}
		fmt.Println()
	}
	// Output:
	// training false: conv.forward maxpool.forward conv.forward softmax_cross_entropy
	// training true: conv.forward adaptive_avgpool.forward conv.forward maxpool.forward conv.forward softmax_cross_entropy conv.backward_filter conv.backward_data maxpool.backward conv.backward_filter conv.backward_data adaptive_avgpool.backward relu.backward conv.backward_filter update
}
