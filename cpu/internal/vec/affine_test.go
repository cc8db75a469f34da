package vec

import "testing"

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
