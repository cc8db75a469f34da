package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/internal/guard"
)

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
				x.Row(i)[c] = T(rand.IntN(5) - 7) // many equal values, all below the zero of padding
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

func TestMaxPoolOfPaddingAlone(t *testing.T) {
	a := NewAxis(1, 3, 1, 1, 1, 1, false) // windows with padding only are zero
	y, index := Dense([]float32{5, 5, 5, 5, 5, 5, 5, 5, 5}, 9, 1), Dense(make([]uint8, 9), 9, 1)
	MaxPool(y, index, Dense([]float32{2}, 1, 1), a, a, 0, 3)
	require.Equal(t, []float32{0, 0, 0, 0, 2, 0, 0, 0, 0}, y.Data)
}
