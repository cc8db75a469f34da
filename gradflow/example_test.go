package gradflow_test

import (
	"os"

	"github.com/tributary-ml/tributary/gradflow"
)

// A measurement is printed as a table. In a training run, train.Config.GradflowEvery makes
// measurements; a Meter makes them for any run.
func Example() {
	gradflow.Print(os.Stdout, &gradflow.Flow{
		Step: 100, Images: 32, Heads: []string{"main", "aux1"}, Weights: []float64{1, 0.3}, Losses: []float64{2.1, 2.2},
		Places: []gradflow.Place{{Name: "inception3a", Gradient: []float64{0.002, 0.009}}, {Name: "inception4a", Gradient: []float64{0.03, 0}}},
		Layers: []gradflow.Layer{
			{Name: "conv1/conv/weight", Gradient: []float64{0.01, 0.05}, Cosine: []float64{0.25}, Weight: 2, Update: 0.004},
		},
	}, false)
	// Output:
	// after 100 updates, on 32 images; heads and weights: main 1, aux1 0.3
	//
	// gradient at                          from main   from aux1
	// inception3a                              0.002       0.009
	// inception4a                               0.03           ·
	//
	// median over a module's layers of        layers   from main   from aux1  cos m·aux1  upd/weight
	// conv1                                        1        0.01        0.05       +0.25     2.0e-03
	//
	// dead ReLU channels: 0 of 0
}
