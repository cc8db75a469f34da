package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/internal/guard"
)

func TestProbe(t *testing.T) { each(t, testProbe[float64], testProbe[float32]) }

func testProbe[T Float](t *testing.T) {
	for _, shape := range shapes {
		x := newFrame[T](t, shape[0], shape[1]).random()
		for i := range x.Rows {
			for c, r := range x.Row(i) {
				switch c % 4 { // values whose squares underflow in float32, zeros of both signs, and a NaN
				case 1:
					x.Row(i)[c] = T(float32(r) * 0x1p-120)
				case 2:
					x.Row(i)[c] = T(math.Copysign(max(0, float64(r)), float64(r)))
				case 3:
					if i == 1 && c == 7 {
						x.Row(i)[c] = T(math.NaN())
					}
				}
			}
		}
		squares, zeros := guard.Allocate[float64](t, shape[1]), guard.Allocate[float64](t, shape[1])
		for c := range shape[1] {
			squares[c], zeros[c] = 0, 2
		}
		Probe(x.Mat, squares, zeros)
		for c := range shape[1] {
			var want, count float64
			for i := range x.Rows {
				want += x.at(i, c) * x.at(i, c)
				if !(x.at(i, c) > 0) {
					count++
				}
			}
			if math.IsNaN(want) {
				require.True(t, math.IsNaN(squares[c]), "squares of column %d: %v", c, squares[c])
			} else {
				require.InDelta(t, want, squares[c], 1e-12*want, "squares of column %d", c)
			}
			require.Equal(t, 2+count, zeros[c], "zeros of column %d", c)
		}
		x.intact(t)
	}
}
