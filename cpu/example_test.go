package cpu_test

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
)

// A backend runs a plan over a state of parameters.
func Example() {
	g := graph.New("sum of pixels")
	x := g.Input("input", graph.Shape{H: 2, W: 2, C: 1})
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", x, 2, graph.Constant(1)), Weight: 1})
	layout, err := graph.NewLayout(g)
	if err != nil {
		panic(err)
	}
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		panic(err)
	}
	defer b.Close()
	state, err := b.NewState(layout, graph.StateOptions{})
	if err != nil {
		panic(err)
	}
	defer state.Close()
	for _, p := range layout.Params {
		if err := state.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(1)))); err != nil {
			panic(err)
		}
	}
	program, err := graph.Load(b, state, graph.Options{Batch: 1, Keep: []string{"fc"}, Target: b.Target()})
	if err != nil {
		panic(err)
	}
	defer program.Close()
	if err := program.Run(context.Background(), &graph.Feed{Images: []float32{1, 2, 3, 4}, Labels: []int32{0}}); err != nil {
		panic(err)
	}
	logits, err := program.Read("fc")
	if err != nil {
		panic(err)
	}
	fmt.Println(logits.Data())
	// Output:
	// [10 10]
}
