package vec

import "testing"

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
