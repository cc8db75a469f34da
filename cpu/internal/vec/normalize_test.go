package vec

import (
	"github.com/tributary-ml/tributary/internal/guard"
	"math/rand/v2"
	"testing"
)

func TestNormalize(t *testing.T) { each(t, testNormalize[float64], testNormalize[float32]) }

func testNormalize[T Float](t *testing.T) {
	for _, cols := range []int{1, 2, 3, 4, 5} {
		for _, rows := range []int{0, 1, 2, 7, 16, 33, 100} {
			src := guard.Allocate[uint8](t, rows*cols)
			for i := range src {
				src[i] = uint8(rand.Uint32())
			}
			dst := newFrame[T](t, 1, rows*cols)
			scale, shift := channels[T](t, cols), channels[T](t, cols)
			Normalize(dst.Row(0), src, rows, cols, scale, shift)
			dst.equal(t, func(_, i int) float64 {
				return float64(src[i])*float64(scale[i%cols]) + float64(shift[i%cols])
			})
		}
	}
}
