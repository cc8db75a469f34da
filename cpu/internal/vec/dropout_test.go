package vec

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

func TestDropout(t *testing.T) { each(t, testDropout[float64], testDropout[float32]) }

func testDropout[T Float](t *testing.T) {
	m := Mask{P: 0.3, Key: [2]uint32{7, graph.NodeKey("dropout")}, Step: 1<<32 + 5}
	for _, shape := range shapes {
		rows, cols := shape[0], shape[1]
		x, y, sum := newFrame[T](t, rows, cols).random(), newFrame[T](t, rows, cols), newFrame[T](t, rows, cols).random()
		before := sum.clone(t)
		want := func(i, c int) float64 {
			e := i*cols + c
			words := graph.Philox4x32([4]uint32{uint32(e / 4), 0, 5, 1}, m.Key)
			if float64(words[e%4]) < 0.3*(1<<32)-1 {
				return 0
			}
			return x.at(i, c) / 0.7
		}
		half := rows / 2
		Dropout(m, y.RowRange(half, rows), x.RowRange(half, rows), half, false)
		Dropout(m, y.RowRange(0, half), x.RowRange(0, half), 0, false)
		y.equal(t, want)
		Dropout(m, sum.Mat, x.Mat, 0, true)
		sum.equal(t, func(i, c int) float64 { return before.at(i, c) + want(i, c) })
		Dropout(m, x.Mat, x.Mat, 0, false)
		x.equal(t, y.at)
	}
}

// An element whose word is P·2³² is kept. With a P larger by 2⁻³² it is dropped.
func TestDropoutAtTheLimit(t *testing.T) {
	x, y := Dense([]float64{1, 1, 1, 1}, 1, 4), Dense(make([]float64, 4), 1, 4)
	for step := range uint64(8) {
		m := Mask{Key: [2]uint32{3, 4}, Step: step}
		for i, w := range graph.Philox4x32([4]uint32{2: uint32(step)}, m.Key) {
			m.P = float64(w) / (1 << 32)
			Dropout(m, y, x, 0, false)
			require.InEpsilon(t, 1/(1-m.P), y.Data[i], 1e-12)
			m.P = (float64(w) + 1) / (1 << 32)
			Dropout(m, y, x, 0, false)
			require.Zero(t, y.Data[i])
		}
	}
}

func TestDropoutRates(t *testing.T) {
	const n = 100000
	x, y := Dense(make([]float32, n), 1, n), Dense(make([]float32, n), 1, n)
	Fill(x, 1)
	for _, p := range []float64{0, 0.2, 0.7, 1} {
		Dropout(Mask{P: p}, y, x, 0, false)
		dropped := 0
		for _, v := range y.Data {
			dropped += bit(v == 0)
		}
		require.InDelta(t, p, float64(dropped)/n, 0.006)
	}
}
