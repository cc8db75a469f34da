package vec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) { each(t, testCompare[float64], testCompare[float32]) }

func testCompare[T Float](t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 15, 16, 17, 33, 1000} {
		a, b := newFrame[T](t, 1, n).random(), newFrame[T](t, 1, n).random()
		var dot, squares, apart float64
		for i := range n {
			u, v := a.at(0, i), b.at(0, i)
			dot, squares, apart = dot+u*v, squares+u*u, apart+(u-v)*(u-v)
		}
		d, s, p := Compare(a.Row(0), b.Row(0))
		require.InDelta(t, dot, d, 1e-12*(1+squares))
		require.InDelta(t, squares, s, 1e-12*(1+squares))
		require.InDelta(t, apart, p, 1e-12*(1+apart))
	}
}
