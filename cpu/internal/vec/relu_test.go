package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var flags = []bool{false, true}

func TestScaleShift(t *testing.T) { each(t, testScaleShift[float64], testScaleShift[float32]) }

func testScaleShift[T Float](t *testing.T) {
	for _, shape := range shapes {
		for _, clamp := range flags {
			for _, bias := range flags {
				x := newFrame[T](t, shape[0], shape[1]).random()
				scale, shift := channels[T](t, shape[1]), channels[T](t, shape[1])
				want := func(i, c int) float64 {
					v := x.at(i, c)*float64(scale[c]) + float64(shift[c])
					if bias {
						v = x.at(i, c) + float64(shift[c])
					}
					if clamp {
						v = max(v, 0)
					}
					return v
				}
				s := scale
				if bias {
					s = nil
				}
				y, z := newFrame[T](t, shape[0], shape[1]), x.clone(t)
				ScaleShift(y.Mat, x.Mat, s, shift, clamp)
				y.equal(t, want)
				ScaleShift(z.Mat, z.Mat, s, shift, clamp)
				z.equal(t, want)
			}
		}
	}
}

func TestReLU(t *testing.T) { each(t, testReLU[float64], testReLU[float32]) }

func testReLU[T Float](t *testing.T) {
	for _, shape := range shapes {
		x := newFrame[T](t, shape[0], shape[1]).random()
		if shape[0] > 1 {
			x.Row(1)[0] = T(math.NaN())
		}
		y, dy := newFrame[T](t, shape[0], shape[1]), newFrame[T](t, shape[0], shape[1]).random()
		ReLU(y.Mat, x.Mat)
		y.equal(t, func(i, c int) float64 { return max(x.at(i, c), 0) })

		g := func(i, c int) float64 {
			if y.at(i, c) <= 0 {
				return 0
			}
			return dy.at(i, c)
		}
		dx, sum, same := newFrame[T](t, shape[0], shape[1]), newFrame[T](t, shape[0], shape[1]).random(), dy.clone(t)
		before := sum.clone(t)
		ReLUBackward(dx.Mat, dy.Mat, y.Mat, false)
		dx.equal(t, g)
		ReLUBackward(sum.Mat, dy.Mat, y.Mat, true)
		sum.equal(t, func(i, c int) float64 { return before.at(i, c) + g(i, c) })
		ReLUBackward(same.Mat, same.Mat, y.Mat, false)
		same.equal(t, g)
		ReLU(x.Mat, x.Mat)
		x.equal(t, y.at)
	}
}

func TestArithmetic(t *testing.T) { each(t, testArithmetic[float64], testArithmetic[float32]) }

func testArithmetic[T Float](t *testing.T) {
	for _, shape := range shapes {
		x, y := newFrame[T](t, shape[0], shape[1]).random(), newFrame[T](t, shape[0], shape[1]).random()
		z := y.clone(t)
		Add(y.Mat, x.Mat)
		y.equal(t, func(i, c int) float64 { return z.at(i, c) + x.at(i, c) })
		y = z.clone(t)
		Axpy(y.Mat, x.Mat, 0.3)
		y.equal(t, func(i, c int) float64 { return z.at(i, c) + float64(T(0.3))*x.at(i, c) })
		y = newFrame[T](t, shape[0], shape[1])
		Scale(y.Mat, x.Mat, -0.3)
		y.equal(t, func(i, c int) float64 { return float64(T(-0.3)) * x.at(i, c) })
		Scale(x.Mat, x.Mat, -0.3)
		x.equal(t, y.at)
		z = newFrame[T](t, shape[0], shape[1])
		Copy(z.Mat, y.Mat)
		z.equal(t, y.at)
		Fill(z.Mat, 7)
		z.equal(t, func(i, c int) float64 { return 7 })
	}
}

func TestMat(t *testing.T) {
	m := Dense([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 4)
	require.Equal(t, []float32{4, 5, 6, 7}, m.Row(1))
	s := Mat[float32]{Data: m.Data[1:11], Rows: 3, Cols: 2, Stride: 4}.RowRange(1, 3)
	require.Equal(t, Mat[float32]{Data: []float32{5, 6, 7, 8, 9, 10}, Rows: 2, Cols: 2, Stride: 4}, s)
	require.Panics(t, func() { Add(s, m) }, "shapes differ")
	require.Panics(t, func() { Fill(Mat[float32]{Data: make([]float32, 7), Rows: 2, Cols: 4, Stride: 4}, 0) }, "data is short")
	require.Panics(t, func() { Fill(Mat[float32]{Data: make([]float32, 7), Rows: 2, Cols: 4, Stride: 3}, 0) }, "rows overlap")
	require.NotPanics(t, func() { Add(s.RowRange(1, 1), s.RowRange(2, 2)) })
}
