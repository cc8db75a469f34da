package vec

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// The benchmarks report how many bytes of distinct memory one thread reads and writes per second:
// on average (MB/s) and in the best call (best-GB/s). On a shared machine, compare the best call.
// The matrices are larger than L2 (batch 8 of GoogLeNet at three places). Compare with Copy of the
// same shape.

// bandwidth runs f, which moves n bytes.
func bandwidth(b *testing.B, n int, f func()) {
	b.SetBytes(int64(n))
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(n)/float64(best), "best-GB/s")
}

var benchShapes = [][2]int{{8 * 112 * 112, 64}, {8 * 28 * 28, 480}, {8 * 56 * 56, 24}}

// measure runs f on float32 matrices of each shape. passes is the number of them that f reads or
// writes.
func measure(b *testing.B, passes int, f func(m []Mat[float32], v [][]float32)) {
	for _, shape := range benchShapes {
		rows, cols := shape[0], shape[1]
		m, v := make([]Mat[float32], 3), make([][]float32, 7)
		for i := range m {
			m[i] = Dense(make([]float32, rows*cols), rows, cols)
			Fill(m[i], float32(i))
		}
		for i := range v {
			v[i] = make([]float32, cols)
		}
		b.Run(fmt.Sprintf("%dx%d", rows, cols), func(b *testing.B) {
			bandwidth(b, 4*rows*cols*passes, func() { f(m, v) })
		})
	}
}

func BenchmarkMemmove(b *testing.B) {
	measure(b, 2, func(m []Mat[float32], v [][]float32) { copy(m[0].Data, m[1].Data) })
}

func BenchmarkCopy(b *testing.B) {
	measure(b, 2, func(m []Mat[float32], v [][]float32) { Copy(m[0], m[1]) })
}

func BenchmarkAdd(b *testing.B) {
	measure(b, 3, func(m []Mat[float32], v [][]float32) { Add(m[0], m[1]) })
}

func BenchmarkScaleShift(b *testing.B) {
	measure(b, 2, func(m []Mat[float32], v [][]float32) { ScaleShift(m[0], m[1], v[0], v[1], true) })
}

func BenchmarkScaleShiftInPlace(b *testing.B) {
	measure(b, 2, func(m []Mat[float32], v [][]float32) { ScaleShift(m[0], m[0], v[0], v[1], true) })
}

func BenchmarkReLUBackward(b *testing.B) {
	measure(b, 3, func(m []Mat[float32], v [][]float32) { ReLUBackward(m[0], m[1], m[2], false) })
}

func BenchmarkChannelSums(b *testing.B) {
	measure(b, 1, func(m []Mat[float32], v [][]float32) {
		ChannelSums(m[0], make([]float64, m[0].Cols), make([]float64, m[0].Cols))
	})
}

func BenchmarkProbe(b *testing.B) {
	measure(b, 1, func(m []Mat[float32], v [][]float32) {
		Probe(m[0], make([]float64, m[0].Cols), make([]float64, m[0].Cols))
	})
}

func BenchmarkBNBackwardReduce(b *testing.B) {
	measure(b, 2, func(m []Mat[float32], v [][]float32) {
		BNBackwardReduce(m[0], m[1], v[0], v[1], v[2], v[3], true, make([]float64, m[0].Cols), make([]float64, m[0].Cols))
	})
}

func BenchmarkBNBackwardApply(b *testing.B) {
	measure(b, 3, func(m []Mat[float32], v [][]float32) {
		BNBackwardApply(m[0], m[1], m[2], v[0], v[1], v[2], v[3], v[4], true, false)
	})
}

func BenchmarkLRNForward(b *testing.B) {
	o := LRN{Size: 5, Alpha: 1e-4, Beta: 0.75, K: 1}
	measure(b, 3, func(m []Mat[float32], v [][]float32) { LRNForward(o, m[0], m[1], m[2]) })
}

func BenchmarkLRNBackward(b *testing.B) {
	o := LRN{Size: 5, Alpha: 1e-4, Beta: 0.75, K: 1}
	measure(b, 3, func(m []Mat[float32], v [][]float32) { LRNBackward(o, m[0], m[1], m[2], m[2], true) })
}

func BenchmarkSGD(b *testing.B) {
	measure(b, 5, func(m []Mat[float32], v [][]float32) {
		SGDStep(SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 1e-4, GradScale: 1}, m[0].Data, m[1].Data, m[2].Data, nil)
	})
}

func BenchmarkSumSquares(b *testing.B) {
	measure(b, 1, func(m []Mat[float32], v [][]float32) { SumSquares(m[0].Data) })
}

// BenchmarkPool runs GoogLeNet's pools on one image. It counts the bytes of the input, the output
// and the indices once.
func BenchmarkPool(b *testing.B) {
	for _, p := range []struct{ in, out, k, stride, pad, cols int }{
		{112, 56, 3, 2, 0, 64}, {28, 28, 3, 1, 1, 256}, {14, 14, 3, 1, 1, 512}, {7, 1, 7, 1, 0, 1024},
	} {
		a := NewAxis(p.in, p.out, p.k, p.stride, p.pad, p.pad+1, false)
		x, y := Dense(make([]float32, p.in*p.in*p.cols), p.in*p.in, p.cols), Dense(make([]float32, p.out*p.out*p.cols), p.out*p.out, p.cols)
		index := Dense(make([]uint8, y.Rows*y.Cols), y.Rows, y.Cols)
		name := fmt.Sprintf("%dx%d/%d from %dx%dx%d", p.k, p.k, p.stride, p.in, p.in, p.cols)
		run := func(kind string, bytes int, f func()) {
			b.Run(kind+" "+name, func(b *testing.B) { bandwidth(b, bytes, f) })
		}
		floats := 4 * (len(x.Data) + len(y.Data))
		run("max", floats+len(index.Data), func() { MaxPool(y, index, x, a, a, 0, p.out) })
		run("maxBackward", floats+len(index.Data), func() { MaxPoolBackward(x, y, index, a, a, 0, p.in, false) })
		run("avg", floats, func() { AvgPool(y, x, a, a, 0, p.out) })
		run("avgBackward", floats, func() { AvgPoolBackward(x, y, a, a, 0, p.in, false) })
	}
}

func BenchmarkNormalize(b *testing.B) {
	const pixels = 8 * 224 * 224
	src, dst, coefficients := make([]byte, 3*pixels), make([]float32, 3*pixels), make([]float32, 3)
	bandwidth(b, 5*3*pixels, func() { Normalize(dst, src, pixels, 3, coefficients, coefficients) })
}

func BenchmarkSoftmaxCrossEntropy(b *testing.B) {
	l, d, labels := Dense(make([]float32, 32000), 32, 1000), Dense(make([]float32, 32000), 32, 1000), make([]int32, 32)
	bandwidth(b, 8*32000, func() {
		SoftmaxCrossEntropy(CrossEntropy{Ignore: -1, Smoothing: 0.1, GradScale: 1}, d, l, Mat[float32]{}, labels)
	})
}

func BenchmarkDropout(b *testing.B) {
	x := Dense(make([]float32, 32*1024), 32, 1024)
	bandwidth(b, 8*32*1024, func() { Dropout(Mask{P: 0.4}, x, x, 0, false) })
}
