package parity

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/interop"
)

// The seeds of the streams for weights and images, and for projections.
const (
	seedWeights    = 1
	seedProjection = 2
)

// symmetric draws the next number in [-1, 1).
func symmetric(r *graph.Random) float64 { return 2*r.Uniform() - 1 }

// Generate returns the values of the parameter with a name and shape in files. It equals generate
// in common.py bit for bit.
func Generate(name string, shape []int) interop.Tensor {
	count := 1
	for _, d := range shape {
		count *= d
	}
	offset, scale := 0.0, 0.0
	switch {
	case strings.HasSuffix(name, "running_mean"):
	case strings.HasSuffix(name, "running_var"):
		offset = 1
	case len(shape) == 4: // filters: uniform with variance 2/fan_in
		scale = math.Sqrt(6 / float64(count/shape[0]))
	case len(shape) == 2: // linear layers: uniform with variance 1/fan_in
		scale = math.Sqrt(3 / float64(shape[1]))
	case strings.HasSuffix(name, ".weight"): // batch normalisation's scale, in [0.5, 1.5)
		offset, scale = 1, 0.5
	default: // biases and shifts
		scale = 0.2
	}
	r := graph.NewRandom(seedWeights, name)
	v := make([]float32, count)
	for i := range v {
		product := scale * symmetric(r) // rounded separately: the conversion below forbids a fused multiply-add
		v[i] = float32(offset + float64(product))
	}
	return interop.Tensor{Name: name, Shape: shape, Data: v}
}

// Weights returns generated values for all parameters of a graph.
func Weights(g *graph.Graph) (interop.Values, error) {
	names, err := interop.NewNames(g)
	if err != nil {
		return nil, err
	}
	out := interop.Values{}
	for _, n := range names.All() {
		if out[n.Param], err = n.FromFile(Generate(n.File, n.Shape())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Batch returns n generated images of size×size×3, uniform in [-2, 2), and labels below classes.
func Batch(n, size, classes int) (*interop.Batch, error) {
	if n < 1 || size < 1 || classes < 1 {
		return nil, fmt.Errorf("batch of %d images of %dx%d with %d classes", n, size, size, classes)
	}
	shape := graph.Shape{H: size, W: size, C: 3}
	b := &interop.Batch{N: n, Shape: shape, Images: make([]float32, n*shape.Elements()), Labels: make([]int32, n)}
	r := graph.NewRandom(seedWeights, "images")
	pixels := shape.Pixels()
	for i := range n {
		for c := range shape.C {
			for p := range pixels {
				b.Images[(i*pixels+p)*shape.C+c] = float32(2 * symmetric(r))
			}
		}
	}
	r = graph.NewRandom(seedWeights, "labels")
	for i := range b.Labels {
		b.Labels[i] = int32(r.Uint32() % uint32(classes))
	}
	return b, nil
}
