package vec

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/internal/guard"
)

func TestSums(t *testing.T) { each(t, testSums[float64], testSums[float32]) }

func testSums[T Float](t *testing.T) {
	for _, shape := range shapes {
		x := newFrame[T](t, shape[0], shape[1]).random()
		want, wantsq := make([]float64, shape[1]), make([]float64, shape[1])
		sum, sumsq, column := guard.Allocate[float64](t, shape[1]), guard.Allocate[float64](t, shape[1]), guard.Allocate[float64](t, shape[1])
		for c := range want {
			sum[c], sumsq[c], column[c], want[c], wantsq[c] = 1, 2, 1, 1, 2
			for i := range x.Rows {
				want[c] += x.at(i, c)
				wantsq[c] += x.at(i, c) * x.at(i, c)
			}
		}
		ChannelSums(x.Mat, sum, sumsq)
		ColumnSum(x.Mat, column)
		nearAll(t, want, sum, tolerance[T](), "sum")
		nearAll(t, wantsq, sumsq, tolerance[T](), "sumsq")
		nearAll(t, want, column, tolerance[T](), "column")
		x.intact(t)
	}
}

func TestBNBackward(t *testing.T) { each(t, testBNBackward[float64], testBNBackward[float32]) }

func testBNBackward[T Float](t *testing.T) {
	for _, shape := range shapes {
		for _, clamp := range flags {
			x, dy := newFrame[T](t, shape[0], shape[1]).random(), newFrame[T](t, shape[0], shape[1]).random()
			scale, shift, mean, invstd := channels[T](t, shape[1]), channels[T](t, shape[1]), channels[T](t, shape[1]), channels[T](t, shape[1])
			a, b, d := channels[T](t, shape[1]), channels[T](t, shape[1]), channels[T](t, shape[1])
			g := func(i, c int) float64 {
				if clamp && x.at(i, c)*float64(scale[c])+float64(shift[c]) <= 0 {
					return 0
				}
				return dy.at(i, c)
			}
			wantb, wantg := make([]float64, shape[1]), make([]float64, shape[1])
			dbeta, dgamma := guard.Allocate[float64](t, shape[1]), guard.Allocate[float64](t, shape[1])
			for c := range wantb {
				dbeta[c], dgamma[c], wantb[c], wantg[c] = 3, 4, 3, 4
				for i := range x.Rows {
					wantb[c] += g(i, c)
					wantg[c] += g(i, c) * (x.at(i, c) - float64(mean[c])) * float64(invstd[c])
				}
			}
			BNBackwardReduce(dy.Mat, x.Mat, scale, shift, mean, invstd, clamp, dbeta, dgamma)
			nearAll(t, wantb, dbeta, tolerance[T](), "dbeta")
			nearAll(t, wantg, dgamma, tolerance[T](), "dgamma")

			want := func(i, c int) float64 {
				return float64(a[c])*g(i, c) + float64(b[c])*x.at(i, c) + float64(d[c])
			}
			dx, sum, same := newFrame[T](t, shape[0], shape[1]), newFrame[T](t, shape[0], shape[1]).random(), dy.clone(t)
			before := sum.clone(t)
			BNBackwardApply(dx.Mat, dy.Mat, x.Mat, scale, shift, a, b, d, clamp, false)
			dx.equal(t, want)
			BNBackwardApply(sum.Mat, dy.Mat, x.Mat, scale, shift, a, b, d, clamp, true)
			sum.equal(t, func(i, c int) float64 { return before.at(i, c) + want(i, c) })
			BNBackwardApply(same.Mat, same.Mat, x.Mat, scale, shift, a, b, d, clamp, false)
			same.equal(t, want)
			x.intact(t)
			dy.intact(t)
		}
	}
}

func TestMaskIsForwardsMask(t *testing.T) { each(t, testMask[float64], testMask[float32]) }

// testMask makes the sign of x·scale+shift depend on the last bit: shift is -x·scale, rounded.
func testMask[T Float](t *testing.T) {
	const rows, cols = 50, 61
	x, scale := newFrame[T](t, rows, cols).random(), channels[T](t, cols)
	Scale(Dense(scale, 1, cols), Dense(scale, 1, cols), T(1)/3)
	y, dx, one := newFrame[T](t, rows, cols), newFrame[T](t, rows, cols), newFrame[T](t, rows, cols)
	Fill(one.Mat, 1)
	Scale(x.Mat, x.Mat, T(1)/3)
	shift, ones, zeros, invstd := make([]T, cols), make([]T, cols), make([]T, cols), make([]T, cols)
	for c := range shift {
		ones[c], invstd[c] = 1, 1
	}
	positive := 0
	for i := range rows {
		for c := range shift {
			shift[c] = -(x.Row(i)[c] * scale[c])
		}
		ScaleShift(y.Mat, x.Mat, scale, shift, true)
		BNBackwardApply(dx.Mat, one.Mat, x.Mat, scale, shift, ones, zeros, zeros, true, false)
		sum, unused := make([]float64, cols), make([]float64, cols)
		BNBackwardReduce(one.Mat, x.Mat, scale, shift, zeros, invstd, true, sum, unused)
		count := make([]float64, cols)
		for j := range rows {
			for c := range shift {
				count[c] += float64(bit(y.Row(j)[c] > 0))
				require.Equal(t, y.Row(j)[c] > 0, dx.Row(j)[c] == 1)
			}
		}
		for c := range shift {
			positive += bit(y.Row(i)[c] > 0)
		}
		require.Equal(t, count, sum)
	}
	require.Greater(t, positive, rows*cols/10, "the test does not meet the last bit")
}
