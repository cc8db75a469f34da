package vec

import "testing"

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
