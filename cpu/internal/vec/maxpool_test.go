package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/internal/guard"
)

// poolCase is one dimension's geometry; the tests use it for both, with different sizes.
type poolCase struct {
	in, kernel, stride, before, after int
	ceil, countPad                    bool
	adaptive                          int // outputs, 0 for a window
}

var poolCases = []poolCase{
	{in: 9, kernel: 3, stride: 2}, {in: 8, kernel: 3, stride: 2, ceil: true}, {in: 7, kernel: 3, stride: 1, before: 1, after: 1},
	{in: 7, kernel: 3, stride: 1, before: 1, after: 1, countPad: true}, {in: 8, kernel: 3, stride: 2, before: 0, after: 1, countPad: true},
	{in: 11, kernel: 5, stride: 3}, {in: 6, kernel: 2, stride: 2, before: 1, after: 1, ceil: true, countPad: true}, {in: 10, kernel: 2, stride: 4},
	{in: 5, kernel: 5, stride: 1}, {in: 4, kernel: 3, stride: 2, before: 1, after: 1, ceil: true},
	{in: 7, adaptive: 1}, {in: 9, adaptive: 4}, {in: 3, adaptive: 5}, {in: 8, adaptive: 4},
}

func (p poolCase) out() int {
	if p.adaptive > 0 {
		return p.adaptive
	}
	span := p.in + p.before + p.after - p.kernel
	if p.ceil {
		out := (span+p.stride-1)/p.stride + 1
		if (out-1)*p.stride >= p.in+p.before {
			out--
		}
		return out
	}
	return span/p.stride + 1
}

func (p poolCase) axis() *Axis {
	if p.adaptive > 0 {
		return AdaptiveAxis(p.in, p.adaptive)
	}
	return NewAxis(p.in, p.out(), p.kernel, p.stride, p.before, p.after, p.countPad)
}

// window is output o's range, written as PyTorch writes it: with the padding for the divisor, and without.
func (p poolCase) window(o int) (start, lo, hi, size int) {
	if p.adaptive > 0 {
		lo = int(math.Floor(float64(o*p.in) / float64(p.adaptive)))
		hi = int(math.Ceil(float64((o+1)*p.in) / float64(p.adaptive)))
		return lo, lo, hi, hi - lo
	}
	start = o*p.stride - p.before
	end := min(start+p.kernel, p.in+p.after)
	size = end - start
	lo, hi = max(start, 0), min(end, p.in)
	if !p.countPad {
		size = hi - lo
	}
	return start, lo, hi, size
}

func poolPairs(f func(h, w poolCase, cols int)) {
	for i, h := range poolCases {
		f(h, h, []int{1, 8, 13, 16, 31, 33, 64, 70, 130}[i%9])
		w := poolCases[rand.IntN(len(poolCases))]
		f(h, w, 1+rand.IntN(80))
	}
}

func TestMaxPool(t *testing.T) { each(t, testMaxPool[float64], testMaxPool[float32]) }

func testMaxPool[T Float](t *testing.T) {
	poolPairs(func(h, w poolCase, cols int) {
		if h.adaptive > 0 || w.adaptive > 0 {
			return
		}
		name := fmt.Sprintf("%+v %+v %d", h, w, cols)
		ha, wa := h.axis(), w.axis()
		x, y, z := newFrame[T](t, h.in*w.in, cols), newFrame[T](t, h.out()*w.out(), cols), newFrame[T](t, h.out()*w.out(), cols)
		for i := range x.Rows {
			for c := range cols {
				x.Row(i)[c] = T(rand.IntN(5) - 7) // many equals, all below the zero of padding
			}
		}
		x.Row(rand.IntN(x.Rows))[cols-1] = T(math.NaN())
		x.Row(rand.IntN(x.Rows))[0] = T(math.Inf(-1))
		index := Mat[uint8]{Data: guard.Allocate[uint8](t, (y.Rows-1)*(cols+3)+cols), Rows: y.Rows, Cols: cols, Stride: cols + 3}
		for i := range index.Data {
			index.Data[i] = 0xA5
		}
		want, wantIndex := make([]float64, y.Rows*cols), make([]uint8, y.Rows*cols)
		dy, wantdx := newFrame[T](t, y.Rows, cols).random(), make([]float64, x.Rows*cols)
		for oy := range h.out() {
			for ox := range w.out() {
				sy, ylo, yhi, _ := h.window(oy)
				sx, xlo, xhi, _ := w.window(ox)
				for c := range cols {
					o, best, at := (oy*w.out()+ox)*cols+c, math.Inf(-1), -1
					for iy := ylo; iy < yhi; iy++ {
						for ix := xlo; ix < xhi; ix++ {
							if v := x.at(iy*w.in+ix, c); at < 0 || v > best || math.IsNaN(v) {
								best, at = v, iy*w.in+ix
								wantIndex[o] = uint8((iy-sy)*w.kernel + ix - sx)
							}
						}
					}
					want[o] = best
					wantdx[at*cols+c] += dy.at(oy*w.out()+ox, c)
				}
			}
		}
		middle := h.out() / 2
		MaxPool(y.Mat, index, x.Mat, ha, wa, middle, h.out())
		MaxPool(y.Mat, index, x.Mat, ha, wa, 0, middle)
		y.equal(t, func(i, c int) float64 { return want[i*cols+c] })
		for i, v := range index.Data {
			if r, c := i/index.Stride, i%index.Stride; c < cols {
				require.Equal(t, wantIndex[r*cols+c], v, "index of row %d column %d in %s", r, c, name)
			} else {
				require.Equal(t, uint8(0xA5), v, "outside")
			}
		}
		MaxPool(z.Mat, Mat[uint8]{}, x.Mat, ha, wa, 0, h.out())
		z.equal(t, y.at)

		dx, sum := newFrame[T](t, x.Rows, cols), newFrame[T](t, x.Rows, cols).random()
		before := sum.clone(t)
		MaxPoolBackward(dx.Mat, dy.Mat, index, ha, wa, h.in/2, h.in, false)
		MaxPoolBackward(dx.Mat, dy.Mat, index, ha, wa, 0, h.in/2, false)
		dx.equal(t, func(i, c int) float64 { return wantdx[i*cols+c] })
		MaxPoolBackward(sum.Mat, dy.Mat, index, ha, wa, 0, h.in, true)
		sum.equal(t, func(i, c int) float64 { return before.at(i, c) + wantdx[i*cols+c] })
	})
}

func TestAvgPool(t *testing.T) { each(t, testAvgPool[float64], testAvgPool[float32]) }

func testAvgPool[T Float](t *testing.T) {
	poolPairs(func(h, w poolCase, cols int) {
		ha, wa := h.axis(), w.axis()
		x, y := newFrame[T](t, h.in*w.in, cols).random(), newFrame[T](t, h.out()*w.out(), cols)
		want := make([]float64, y.Rows*cols)
		dy, wantdx := newFrame[T](t, y.Rows, cols).random(), make([]float64, x.Rows*cols)
		for oy := range h.out() {
			for ox := range w.out() {
				_, ylo, yhi, ysize := h.window(oy)
				_, xlo, xhi, xsize := w.window(ox)
				for iy := ylo; iy < yhi; iy++ {
					for ix := xlo; ix < xhi; ix++ {
						for c := range cols {
							o, i := oy*w.out()+ox, iy*w.in+ix
							want[o*cols+c] += x.at(i, c) / float64(ysize*xsize)
							wantdx[i*cols+c] += dy.at(o, c) / float64(ysize*xsize)
						}
					}
				}
			}
		}
		AvgPool(y.Mat, x.Mat, ha, wa, h.out()/2, h.out())
		AvgPool(y.Mat, x.Mat, ha, wa, 0, h.out()/2)
		y.equal(t, func(i, c int) float64 { return want[i*cols+c] })
		dx, sum := newFrame[T](t, x.Rows, cols), newFrame[T](t, x.Rows, cols).random()
		before := sum.clone(t)
		AvgPoolBackward(dx.Mat, dy.Mat, ha, wa, h.in/2, h.in, false)
		AvgPoolBackward(dx.Mat, dy.Mat, ha, wa, 0, h.in/2, false)
		dx.equal(t, func(i, c int) float64 { return wantdx[i*cols+c] })
		AvgPoolBackward(sum.Mat, dy.Mat, ha, wa, 0, h.in, true)
		sum.equal(t, func(i, c int) float64 { return before.at(i, c) + wantdx[i*cols+c] })
		x.intact(t)
	})
}

func TestAxisMakesFewRuns(t *testing.T) {
	same := NewAxis(28, 28, 3, 1, 1, 1, true)
	require.Len(t, same.forward, 3, "left border, inside, right border")
	require.Len(t, same.reverse, 3)
	require.Len(t, NewAxis(112, 56, 3, 2, 0, 1, false).forward, 2, "inside and the clipped last window")
	require.Len(t, AdaptiveAxis(8, 1).reverse, 1)
}

func TestMaxPoolOfPaddingAlone(t *testing.T) {
	a := NewAxis(1, 3, 1, 1, 1, 1, false) // windows that hold nothing but padding are zero
	y, index := Dense([]float32{5, 5, 5, 5, 5, 5, 5, 5, 5}, 9, 1), Dense(make([]uint8, 9), 9, 1)
	MaxPool(y, index, Dense([]float32{2}, 1, 1), a, a, 0, 3)
	require.Equal(t, []float32{0, 0, 0, 0, 2, 0, 0, 0, 0}, y.Data)
}
