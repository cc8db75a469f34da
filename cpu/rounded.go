package cpu

import (
	"math"

	"github.com/tributary-ml/tributary/cpu/internal/conv"
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// This file is the reference path in a precision of a GPU's tensor cores. It computes in float64
// and rounds where the GPU rounds. TF32 rounds the operands of convolutions. BF16 rounds the
// weights of convolutions, and all activations and gradients in memory.

// rounding has the rounding function of each precision.
var rounding = map[graph.Precision]func(float64) float64{graph.TF32: roundTF32, graph.BF16: roundBF16}

// roundTF32 rounds to 10 bits of mantissa, ties away from zero (PTX: cvt.rna.tf32.f32).
func roundTF32(v float64) float64 {
	u := math.Float32bits(float32(v))
	return float64(math.Float32frombits((u + 1<<12) &^ (1<<13 - 1)))
}

// roundBF16 rounds to 7 bits of mantissa, ties to even (PTX: cvt.rn.bf16.f32).
func roundBF16(v float64) float64 {
	if v != v {
		return v
	}
	u := math.Float32bits(float32(v))
	return float64(math.Float32frombits((u + 1<<15 - 1 + u>>16&1) &^ (1<<16 - 1)))
}

// roundedConv rounds the operands of all products. Sums stay in float64, and so does the gradient
// of a bias, which has no products.
type roundedConv struct {
	*referenceConv[float64]
	round func(float64) float64
}

func (c roundedConv) all(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = c.round(x)
	}
	return out
}

func (c roundedConv) forward(g conv.Geometry, x []float64, ldx int, segs []segment[float64]) {
	rounded := make([]segment[float64], len(segs))
	for i, s := range segs {
		rounded[i] = s
		rounded[i].w = c.all(s.w)
	}
	c.referenceConv.forward(g, c.all(x), ldx, rounded)
}

func (c roundedConv) backwardData(g conv.Geometry, segs []segment[float64], dx []float64, lddx int, accumulate bool) {
	rounded := make([]segment[float64], len(segs))
	for i, s := range segs {
		rounded[i] = s
		rounded[i].w, rounded[i].y = c.all(s.w), c.all(s.y)
	}
	c.referenceConv.backwardData(g, rounded, dx, lddx, accumulate)
}

func (c roundedConv) backwardFilter(g conv.Geometry, x []float64, ldx int, segs []segment[float64], accumulate bool) {
	x = c.all(x)
	for _, s := range segs {
		biases := s
		s.y, s.dbias = c.all(s.y), nil
		c.referenceConv.backwardFilter(g, x, ldx, []segment[float64]{s}, accumulate)
		if biases.dbias == nil {
			continue
		}
		dy := vec.Mat[float64]{Data: biases.y, Rows: g.N * g.P * g.Q, Cols: s.k, Stride: s.ldy}
		sums := make([]float64, s.k)
		vec.ColumnSum(dy, sums)
		storeSums(biases.dbias, sums, accumulate)
	}
}

// rounded returns f followed by rounding to bfloat16 of the step's results, where the plan stores
// bfloat16.
func (b *binder[T]) rounded(s graph.Step, f func(*run)) func(*run) {
	var written []vec.Mat[T]
	s.Views(func(v graph.View, a graph.Access) {
		if a&graph.Write != 0 && v.Buffer.Elem == graph.BFloat16 {
			written = append(written, b.mat(v))
		}
	})
	if written == nil {
		return f
	}
	return func(r *run) {
		f(r)
		for _, m := range written {
			for i := range m.Rows {
				row := m.Row(i)
				for j, v := range row {
					row[j] = T(roundBF16(float64(v)))
				}
			}
		}
	}
}
