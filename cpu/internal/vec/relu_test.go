package vec

import (
	"math"
	"testing"
)

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
