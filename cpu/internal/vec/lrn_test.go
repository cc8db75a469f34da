package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLRN(t *testing.T) { each(t, testLRN[float64], testLRN[float32]) }

func testLRN[T Float](t *testing.T) {
	for _, o := range []LRN{
		{Size: 5, Alpha: 1e-4, Beta: 0.75, K: 1}, {Size: 5, Alpha: 1.5, Beta: 0.75, K: 2},
		{Size: 4, Alpha: 0.7, Beta: 0.6, K: 1}, {Size: 3, Alpha: 0.9, Beta: 0.75, K: 1},
	} {
		for _, shape := range shapes {
			x, dy := newFrame[T](t, shape[0], shape[1]).random(), newFrame[T](t, shape[0], shape[1]).random()
			y, s, dx := newFrame[T](t, shape[0], shape[1]), newFrame[T](t, shape[0], shape[1]), newFrame[T](t, shape[0], shape[1])
			sum, same, z := newFrame[T](t, shape[0], shape[1]).random(), dy.clone(t), x.clone(t)
			before := sum.clone(t)
			around := func(c int) (lo, hi int) { return max(0, c-o.Size/2), min(shape[1], c+(o.Size-1)/2+1) }
			base := func(i, c int) float64 {
				v := o.K
				lo, hi := around(c)
				for j := lo; j < hi; j++ {
					v += o.Alpha / float64(o.Size) * x.at(i, j) * x.at(i, j)
				}
				return v
			}
			want := func(i, c int) float64 { return x.at(i, c) * math.Pow(base(i, c), -o.Beta) }
			gradient := func(i, c int) float64 { // Σ over the outputs j of dy[j]·∂y[j]/∂x[c]
				g := dy.at(i, c) * math.Pow(base(i, c), -o.Beta)
				for j := range shape[1] {
					if lo, hi := around(j); lo <= c && c < hi {
						g -= dy.at(i, j) * x.at(i, j) * o.Beta * math.Pow(base(i, j), -o.Beta-1) * 2 * o.Alpha / float64(o.Size) * x.at(i, c)
					}
				}
				return g
			}
			LRNForward(o, y.Mat, s.Mat, x.Mat)
			y.equal(t, want)
			s.equal(t, base)
			LRNForward(o, z.Mat, s.Mat, z.Mat)
			z.equal(t, want)
			LRNBackward(o, dx.Mat, dy.Mat, x.Mat, s.Mat, false)
			dx.equal(t, gradient)
			LRNBackward(o, sum.Mat, dy.Mat, x.Mat, s.Mat, true)
			sum.equal(t, func(i, c int) float64 { return before.at(i, c) + gradient(i, c) })
			LRNBackward(o, same.Mat, same.Mat, x.Mat, s.Mat, false)
			same.equal(t, dx.at)
		}
	}
}

func TestPower(t *testing.T) {
	for _, s := range []float64{1, 1.0001, 2, 100, 1e8} {
		require.InEpsilon(t, math.Pow(s, -0.75), power(s, 0.75), 1e-14)
		require.InEpsilon(t, math.Pow(s, -0.5), power(s, 0.5), 1e-14)
	}
}
