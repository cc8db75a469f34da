package interop

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
)

// float is an element type of values.
type float interface{ float32 | float64 }

// Shape returns the shape of a parameter in files: filters (K,R,S,C) become (K,C,R,S), the weights
// of a linear layer (K,H,W,C) become (K,C·H·W), and vectors stay.
func (n Name) Shape() []int {
	d := n.Param.Dims
	switch {
	case n.Param.Role != graph.Weight:
		return slices.Clone(d)
	case n.Linear():
		return []int{d[0], d[1] * d[2] * d[3]}
	}
	return []int{d[0], d[3], d[1], d[2]}
}

// ToFile converts a parameter's values (or its gradient), in the parameter's dimensions, to the
// tensor for a file.
func (n Name) ToFile(v *tensor.Dense) (Tensor, error) {
	t := Tensor{Name: n.File, Shape: n.Shape()}
	data, err := values(v)
	if err != nil {
		return t, fmt.Errorf("parameter %s: %w", n.Param.Name, err)
	}
	if !slices.Equal([]int(v.Shape()), n.Param.Dims) {
		return t, fmt.Errorf("parameter %s: values of shape %v for dimensions %v", n.Param.Name, v.Shape(), n.Param.Dims)
	}
	switch x := data.(type) {
	case []float32:
		t.Data = toFile(n, x)
	case []float64:
		t.Data = toFile(n, x)
	}
	return t, nil
}

// FromFile converts a tensor of a file to values in the parameter's dimensions: float64 if the
// tensor is float64, otherwise float32.
func (n Name) FromFile(t Tensor) (*tensor.Dense, error) {
	if !slices.Equal(t.Shape, n.Shape()) {
		return nil, fmt.Errorf("tensor %s has shape %v; parameter %s takes %v", t.Name, t.Shape, n.Param.Name, n.Shape())
	}
	switch x := t.Data.(type) {
	case []float32:
		return tensor.New(tensor.WithShape(n.Param.Dims...), tensor.WithBacking(fromFile(n, x))), nil
	case []float64:
		return tensor.New(tensor.WithShape(n.Param.Dims...), tensor.WithBacking(fromFile(n, x))), nil
	}
	return nil, fmt.Errorf("tensor %s has elements of type %T; parameter %s takes floats", t.Name, t.Data, n.Param.Name)
}

// values returns a dense tensor's elements, row-major.
func values(v *tensor.Dense) (any, error) {
	if v.RequiresIterator() {
		m, ok := v.Materialize().(*tensor.Dense)
		if !ok {
			return nil, errors.New("a view that cannot be materialised")
		}
		v = m
	}
	switch x := v.Data().(type) {
	case []float32, []float64, []int64:
		return x, nil
	case float32:
		return []float32{x}, nil
	case float64:
		return []float64{x}, nil
	}
	return nil, fmt.Errorf("elements of type %v: float32 and float64 are supported", v.Dtype())
}

// toFile permutes (K, H, W, C) to (K, C, H, W). Linear weights need the same permutation, because
// PyTorch flattens C, H, W.
func toFile[T float](n Name, in []T) []T {
	if n.Param.Role != graph.Weight {
		return slices.Clone(in)
	}
	d := n.Param.Dims
	return toChannelsFirst(in, d[0], d[1]*d[2], d[3])
}

func fromFile[T float](n Name, in []T) []T {
	if n.Param.Role != graph.Weight {
		return slices.Clone(in)
	}
	d := n.Param.Dims
	return toChannelsLast(in, d[0], d[1]*d[2], d[3])
}

// toChannelsFirst permutes (n, pixels, c) to (n, c, pixels).
func toChannelsFirst[T float](in []T, n, pixels, c int) []T {
	out := make([]T, len(in))
	for i := range n {
		a, b := in[i*pixels*c:], out[i*pixels*c:]
		for p := range pixels {
			for j := range c {
				b[j*pixels+p] = a[p*c+j]
			}
		}
	}
	return out
}

// toChannelsLast permutes (n, c, pixels) to (n, pixels, c).
func toChannelsLast[T float](in []T, n, pixels, c int) []T { return toChannelsFirst(in, n, c, pixels) }
