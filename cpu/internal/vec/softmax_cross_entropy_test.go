package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSoftmaxCrossEntropy(t *testing.T) {
	each(t, testSoftmaxCrossEntropy[float64], testSoftmaxCrossEntropy[float32])
}

func testSoftmaxCrossEntropy[T Float](t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {4, 2}, {7, 10}, {16, 257}} {
		for _, smoothing := range []float64{0, 0.1} {
			rows, classes := shape[0], shape[1]
			l, d := newFrame[T](t, rows, classes).random(), newFrame[T](t, rows, classes)
			Scale(l.Mat, l.Mat, 30)
			labels := make([]int32, rows)
			o := CrossEntropy{Ignore: -1, Smoothing: smoothing, GradScale: 0.3}
			want := LossStats{}
			gradient := make([]float64, rows*classes)
			for i := range labels {
				labels[i] = rand.Int32N(int32(classes))
				if i%3 == 2 {
					labels[i] = -1
					continue
				}
				want.Counted++
				sum, before := 0.0, 0
				for c := range classes {
					sum += math.Exp(l.at(i, c))
					before += bit(l.at(i, c) > l.at(i, int(labels[i])))
				}
				want.Correct1 += bit(before == 0)
				want.Correct5 += bit(before < 5)
				for c := range classes {
					target := smoothing / float64(classes)
					if c == int(labels[i]) {
						target += 1 - smoothing
					}
					want.Loss -= target * (l.at(i, c) - math.Log(sum))
					gradient[i*classes+c] = 0.3 * (math.Exp(l.at(i, c))/sum - target)
				}
			}
			stats := SoftmaxCrossEntropy(o, d.Mat, l.Mat, Mat[T]{}, labels)
			require.InDelta(t, want.Loss, stats.Loss, 1e-9*(1+want.Loss))
			want.Loss = stats.Loss
			require.Equal(t, want, stats)
			d.equal(t, func(i, c int) float64 { return gradient[i*classes+c] })
			require.Equal(t, stats, SoftmaxCrossEntropy(o, Mat[T]{}, l.Mat, Mat[T]{}, labels), "statistics alone")
			require.Equal(t, stats, SoftmaxCrossEntropy(o, l.Mat, l.Mat, Mat[T]{}, labels), "in place")
			l.equal(t, d.at)
		}
	}
}

func TestCrossEntropyEdges(t *testing.T) {
	one := func(label int32, l ...float32) (LossStats, []float32) {
		d := Dense(make([]float32, len(l)), 1, len(l))
		return SoftmaxCrossEntropy(CrossEntropy{Ignore: -1, GradScale: 1}, d, Dense(l, 1, len(l)), Mat[float32]{}, []int32{label}), d.Data
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))

	stats, d := one(1, 1e30, -1e30, 0)
	require.InEpsilon(t, 2e30, stats.Loss, 1e-6)
	require.Equal(t, []float32{1, -1, 0}, d, "no overflow")

	stats, _ = one(1, 5, 5, 5, 5, 5, 5)
	require.Equal(t, LossStats{Loss: math.Log(6), Correct5: 1, Counted: 1}, stats, "the lower class wins a tie")
	stats, _ = one(5, 5, 5, 5, 5, 5, 5)
	require.Zero(t, stats.Correct5)

	for _, label := range []int32{0, 1} {
		stats, _ = one(label, nan, 1)
		require.True(t, math.IsNaN(stats.Loss))
		require.Zero(t, stats.Correct1, "NaN is never a hit")
	}
	stats, d = one(0, 1, -inf)
	require.Equal(t, LossStats{Correct1: 1, Correct5: 1, Counted: 1}, stats, "a class may be ruled out")
	require.Equal(t, []float32{0, 0}, d)

	for _, label := range []int32{-2, 3} {
		stats, d = one(label, 1, 2, 3)
		require.Equal(t, LossStats{Invalid: 1}, stats)
		require.Equal(t, []float32{0, 0, 0}, d)
	}
}
