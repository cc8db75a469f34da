// Package vec holds the memory-bound kernels of the CPU backend: everything in a training step that is not a matrix product.
//
// Activations are NHWC, so every kernel works on matrices whose rows are pixels and whose columns are channels; a matrix may be
// a channel slice of a wider buffer (a branch of a concatenation) and its kernels never touch the other channels. Each kernel
// makes one pass over memory on the calling goroutine; callers run row ranges in parallel. What a kernel writes depends on its
// arguments alone, so results are the same bits for any number of workers as long as the row ranges are.
//
// Every function is generic: for float64, and for float32 on machines without assembly, it is the plain Go below, which is the
// engine's reference; for float32 on amd64 the assembly of tools/avo/vec runs (AVX2 with FMA, or AVX-512). Shapes are checked
// by slicing, so a wrong call panics before assembly runs, as indexing in Go does: the backend validates plans, not this package.
package vec

import (
	"fmt"
	"math"
	"unsafe"
)

//go:generate go -C ../../../tools/avo run ./vec ../../cpu/internal/vec

// Float is an element type that the backend computes in.
type Float interface{ float32 | float64 }

// Mat is a matrix of Rows×Cols in which row i is Data[i*Stride : i*Stride+Cols]. The last row may end where Data ends.
type Mat[E any] struct {
	Data               []E
	Rows, Cols, Stride int
}

// Dense is the rows×cols matrix that fills data without gaps.
func Dense[E any](data []E, rows, cols int) Mat[E] {
	return Mat[E]{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// Row is row i.
func (m Mat[E]) Row(i int) []E { return m.Data[i*m.Stride:][:m.Cols:m.Cols] }

// RowRange is the matrix of rows [lo,hi).
func (m Mat[E]) RowRange(lo, hi int) Mat[E] {
	r := Mat[E]{Rows: hi - lo, Cols: m.Cols, Stride: m.Stride}
	if hi > lo {
		r.Data = m.Data[lo*m.Stride : (hi-1)*m.Stride+m.Cols]
	}
	return r
}

// empty reports whether there is nothing to do.
func (m Mat[E]) empty() bool { return m.Rows <= 0 || m.Cols <= 0 }

// span is the part of Data from the first element to the last. Taking it checks the bounds for assembly.
func (m Mat[E]) span() []E {
	if m.Stride < m.Cols {
		panic(fmt.Sprintf("vec: a matrix of %d columns has stride %d", m.Cols, m.Stride))
	}
	return m.Data[:(m.Rows-1)*m.Stride+m.Cols]
}

// require panics unless m is rows×cols with all its elements present.
func (m Mat[E]) require(rows, cols int) {
	if m.Rows != rows || m.Cols != cols {
		panic(fmt.Sprintf("vec: a matrix is %dx%d where %dx%d is needed", m.Rows, m.Cols, rows, cols))
	}
	if rows > 0 && cols > 0 {
		m.span()
	}
}

// pitch is the stride in bytes, as assembly wants it. Only for float32.
func (m Mat[E]) pitch() int { return 4 * m.Stride }

// extent is the rows and columns of matrices of one shape, or one long row if none of them has gaps.
func extent[E any](ms ...Mat[E]) (rows, cols int) {
	for _, m := range ms {
		if m.Stride != m.Cols {
			return m.Rows, m.Cols
		}
	}
	return 1, ms[0].Rows * ms[0].Cols
}

// ptr is the address of the first element as assembly wants it. Only for T=float32.
func ptr[T Float](s []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(s))) }

// simd returns the assembly kernels for T, or nil where the Go code below is to run.
func simd[T Float]() *kernels {
	var t T
	if unsafe.Sizeof(t) != 4 {
		return nil
	}
	return active
}

// fma is x·y+z rounded once. The product of two float32 is exact in float64, so the sign of the result, which is what masks
// are made of, is the same as that of a float32 FMA instruction.
func fma[T Float](x, y, z T) T { return T(math.FMA(float64(x), float64(y), float64(z))) }

// relu is max(v, 0); NaN stays NaN.
func relu[T Float](v T) T {
	if v < 0 {
		return 0
	}
	return v
}

// bit is 1 for true: the index of a kernel's variant.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
