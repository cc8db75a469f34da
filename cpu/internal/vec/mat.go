// Package vec has the memory-bound kernels of the CPU backend: everything in a training step that
// is not a matrix product.
//
// Activations are NHWC, so every kernel works on matrices whose rows are pixels and whose columns
// are channels. A matrix may be a channel slice of a wider buffer (a branch of a concatenation); a
// kernel never accesses the other channels. Each kernel makes one pass over memory on the calling
// goroutine; callers run row ranges in parallel. What a kernel writes depends on its arguments
// alone, so results are the same bits for any number of workers if the row ranges are the same.
//
// Every function is generic. For float64, and for float32 on machines without assembly, it runs the
// plain Go code of this package, which is the engine's reference. For float32 on amd64 it runs the
// assembly of tools/avo/vec (AVX2 with FMA, or AVX-512). Slicing checks the shapes, so a wrong call
// panics before assembly runs, like an index in Go that is out of range. The backend validates
// plans; this package does not.
package vec

import (
	"fmt"
	"math"
	"unsafe"
)

//go:generate go -C ../../../tools/avo run ./vec ../../cpu/internal/vec

// Float is an element type that the backend computes in.
type Float interface{ float32 | float64 }

// Mat is a matrix of Rows×Cols in which row i is Data[i*Stride : i*Stride+Cols]. The last row may
// end at the end of Data.
type Mat[E any] struct {
	Data               []E
	Rows, Cols, Stride int
}

// Dense returns the rows×cols matrix that fills data without gaps.
func Dense[E any](data []E, rows, cols int) Mat[E] {
	return Mat[E]{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// Row returns row i.
func (m Mat[E]) Row(i int) []E { return m.Data[i*m.Stride:][:m.Cols:m.Cols] }

// RowRange returns the matrix of rows [lo,hi).
func (m Mat[E]) RowRange(lo, hi int) Mat[E] {
	r := Mat[E]{Rows: hi - lo, Cols: m.Cols, Stride: m.Stride}
	if hi > lo {
		r.Data = m.Data[lo*m.Stride : (hi-1)*m.Stride+m.Cols]
	}
	return r
}

// empty reports whether the matrix has no elements.
func (m Mat[E]) empty() bool { return m.Rows <= 0 || m.Cols <= 0 }

// span returns the part of Data from the first element to the last. The slicing checks the bounds
// for assembly.
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

// pitch returns the stride in bytes, for assembly. It is for float32 only.
func (m Mat[E]) pitch() int { return 4 * m.Stride }

// extent returns the rows and columns of matrices of one shape, or one long row if none of them has
// gaps.
func extent[E any](ms ...Mat[E]) (rows, cols int) {
	for _, m := range ms {
		if m.Stride != m.Cols {
			return m.Rows, m.Cols
		}
	}
	return 1, ms[0].Rows * ms[0].Cols
}

// ptr returns the address of the first element, for assembly. It is for T=float32 only.
func ptr[T Float](s []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(s))) }

// simd returns the assembly kernels for T, or nil if the Go code must run.
func simd[T Float]() *kernels {
	var t T
	if unsafe.Sizeof(t) != 4 {
		return nil
	}
	return active
}

// fma returns x·y+z, rounded once. The product of two float32 is exact in float64, so the result
// has the same sign as that of a float32 FMA instruction. Masks depend on this sign.
func fma[T Float](x, y, z T) T { return T(math.FMA(float64(x), float64(y), float64(z))) }

// relu returns max(v, 0); NaN stays NaN.
func relu[T Float](v T) T {
	if v < 0 {
		return 0
	}
	return v
}

// bit returns 1 for true and 0 for false: the index of a kernel's variant.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
