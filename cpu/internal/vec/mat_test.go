package vec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var flags = []bool{false, true}

func TestMat(t *testing.T) {
	m := Dense([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 4)
	require.Equal(t, []float32{4, 5, 6, 7}, m.Row(1))
	s := Mat[float32]{Data: m.Data[1:11], Rows: 3, Cols: 2, Stride: 4}.RowRange(1, 3)
	require.Equal(t, Mat[float32]{Data: []float32{5, 6, 7, 8, 9, 10}, Rows: 2, Cols: 2, Stride: 4}, s)
	require.Panics(t, func() { Add(s, m) }, "shapes differ")
	require.Panics(t, func() { Fill(Mat[float32]{Data: make([]float32, 7), Rows: 2, Cols: 4, Stride: 4}, 0) }, "data is short")
	require.Panics(t, func() { Fill(Mat[float32]{Data: make([]float32, 7), Rows: 2, Cols: 4, Stride: 3}, 0) }, "rows overlap")
	require.NotPanics(t, func() { Add(s.RowRange(1, 1), s.RowRange(2, 2)) })
}
