package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/internal/guard"
)

// each runs a test for float64 (the reference path), and for float32 without assembly and with
// every instruction set of this machine.
func each(t *testing.T, f64, f32 func(t *testing.T)) {
	t.Run("float64", f64)
	machine := active
	defer func() { active = machine }()
	for _, k := range append([]*kernels{nil}, instructionSets()...) {
		active = k
		name := "go"
		if k != nil {
			name = k.name
		}
		t.Run("float32/"+name, f32)
	}
}

// shapes are rows and columns that reach every loop of a kernel: groups of 8 rows and the rest, 1
// to 4 vectors of 8 or 16 and the rest.
var shapes = [][2]int{{1, 1}, {3, 3}, {9, 8}, {5, 7}, {17, 16}, {8, 13}, {2, 31}, {7, 32}, {1, 33}, {33, 47}, {4, 64}, {11, 65}, {3, 127}, {13, 192}, {70, 133}, {0, 5}}

// poison is the NaN around every test matrix and in every output.
const poison = 0x7fc0dead

// frame is a matrix in a wider buffer whose other elements must not change. The matrix ends at the
// end of its memory.
type frame[T Float] struct {
	Mat[T]
	buffer []T
}

func newFrame[T Float](t *testing.T, rows, cols int) *frame[T] {
	const before = 5
	stride := cols + 1 + rand.IntN(9)
	if rand.IntN(4) == 0 {
		stride = cols
	}
	b := guard.Allocate[T](t, before+max(0, (rows-1)*stride+cols))
	for i := range b {
		b[i] = T(math.Float32frombits(poison))
	}
	return &frame[T]{Mat: Mat[T]{Data: b[before:], Rows: rows, Cols: cols, Stride: stride}, buffer: b}
}

// random fills the matrix with normal numbers, rounded to float32.
func (f *frame[T]) random() *frame[T] {
	for i := range f.Rows {
		for c := range f.Row(i) {
			f.Row(i)[c] = T(float32(rand.NormFloat64()))
		}
	}
	return f
}

// intact checks that nothing outside the matrix was written.
func (f *frame[T]) intact(t *testing.T) {
	t.Helper()
	for i, v := range f.buffer {
		at := i - (len(f.buffer) - len(f.Data))
		if at >= 0 && at%f.Stride < f.Cols {
			continue
		}
		require.True(t, v != v, "element %d outside the matrix was written: %v", at, v)
	}
}

// equal compares the matrix with the values that want returns.
func (f *frame[T]) equal(t *testing.T, want func(i, c int) float64) {
	t.Helper()
	f.intact(t)
	for i := range f.Rows {
		for c, got := range f.Row(i) {
			near(t, want(i, c), got, "%dx%d/%d: row %d column %d", f.Rows, f.Cols, f.Stride, i, c)
		}
	}
}

// at returns an element as float64.
func (f *frame[T]) at(i, c int) float64 { return float64(f.Row(i)[c]) }

// clone returns a copy of the matrix with a layout of its own.
func (f *frame[T]) clone(t *testing.T) *frame[T] {
	g := newFrame[T](t, f.Rows, f.Cols)
	for i := range f.Rows {
		copy(g.Row(i), f.Row(i))
	}
	return g
}

// channels returns a random vector of per-channel coefficients that ends at the end of its memory.
func channels[T Float](t *testing.T, n int) []T { return newFrame[T](t, 1, n).random().Data }

// tolerance returns the relative error that sums of a few hundred terms may have.
func tolerance[T Float]() float64 {
	if unsafe.Sizeof(T(0)) == 4 {
		return 2e-5
	}
	return 1e-12
}

func near[T Float](t *testing.T, want float64, got T, format string, args ...any) {
	t.Helper()
	g := float64(got)
	if math.IsNaN(want) && math.IsNaN(g) || want == g || math.Abs(want-g) <= tolerance[T]()*(1+math.Abs(want)) {
		return
	}
	require.Fail(t, fmt.Sprintf(format, args...), "want %v, got %v", want, got)
}

func nearAll(t *testing.T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for c := range want {
		require.InDelta(t, want[c], got[c], tol*(1+math.Abs(want[c])), "%s: column %d of %d", what, c, len(want))
	}
}
