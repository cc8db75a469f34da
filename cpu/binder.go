package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/par"
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// binder turns the steps of a plan into functions over memory.
type binder[T vec.Float] struct {
	program *program[T]
	state   *state[T]
	plan    *graph.Plan
	values  []T
	pool    *par.Pool
}

// mat returns the matrix of a float view, with one row per pixel.
func (b *binder[T]) mat(v graph.View) vec.Mat[T] {
	if v.Buffer.External {
		return vec.Dense(b.program.images(), v.Rows(), v.Shape.C)
	}
	if v.Buffer.Elem == graph.BFloat16 {
		return matOf(b.state.scratch.bf16s, v)
	}
	return matOf(b.state.scratch.floats, v)
}

func (b *binder[T]) bytes(v graph.View) vec.Mat[uint8] { return matOf(b.state.scratch.bytes, v) }

func matOf[E any](arena []E, v graph.View) vec.Mat[E] {
	m := vec.Mat[E]{Data: arena[v.Buffer.Offset+v.Offset:], Rows: v.Rows(), Cols: v.Shape.C, Stride: v.Stride}
	m.Data = m.Data[: (m.Rows-1)*m.Stride+m.Cols : (m.Rows-1)*m.Stride+m.Cols]
	return m
}

// vector returns the first row of a view, or nil if the view is not valid.
func (b *binder[T]) vector(v graph.View) []T {
	if !v.Valid() {
		return nil
	}
	return b.mat(v).Row(0)
}

func (b *binder[T]) doubles(v graph.View) []float64 {
	if !v.Valid() {
		return nil
	}
	return matOf(b.state.scratch.doubles, v).Row(0)
}

// param returns the values of a parameter, or nil if p is nil.
func (b *binder[T]) param(p *graph.Param) []T {
	if p == nil {
		return nil
	}
	return b.values[b.state.layout.Offset(p):][:p.Elements():p.Elements()]
}

// gradient returns the gradient of a parameter, or nil if p is nil or not trained.
func (b *binder[T]) gradient(p *graph.Param) []T {
	if p == nil || !b.state.layout.IsTrained(p) {
		return nil
	}
	return b.state.gradients[b.state.layout.Offset(p):][:p.Elements():p.Elements()]
}

// overRows runs f over the rows of a matrix, in parallel, in pieces whose size depends on the shape
// alone.
func (b *binder[T]) overRows(m vec.Mat[T], f func(lo, hi int)) func(*run) {
	return func(*run) { b.parallelRows(m.Rows, m.Cols, f) }
}

// overRowsWith is overRows with memory of the worker for a copy of the piece's rows.
func (b *binder[T]) overRowsWith(m vec.Mat[T], f func(lo, hi int, own vec.Mat[T])) func(*run) {
	own := make([][]T, b.pool.Workers())
	for i := range own {
		own[i] = make([]T, min(m.Rows, pieceRows(m.Cols))*m.Cols)
	}
	return func(*run) {
		b.parallelPieces(m.Rows, m.Cols, func(lo, hi, worker int) {
			f(lo, hi, vec.Dense(own[worker][:(hi-lo)*m.Cols], hi-lo, m.Cols))
		})
	}
}

const pieceElements = 1 << 15

// pieceRows returns the number of rows that a worker takes at a time.
func pieceRows(cols int) int { return max(1, pieceElements/cols) }

func (b *binder[T]) parallelRows(rows, cols int, f func(lo, hi int)) {
	b.parallelPieces(rows, cols, func(lo, hi, _ int) { f(lo, hi) })
}

func (b *binder[T]) parallelPieces(rows, cols int, f func(lo, hi, worker int)) {
	piece := pieceRows(cols)
	b.pool.Run((rows+piece-1)/piece, func(task, worker int) {
		f(task*piece, min(rows, (task+1)*piece), worker)
	})
}

// reduceRows sums a function of row ranges into k float64 totals, in two stages: pieces in
// parallel, then the pieces in order.
func (b *binder[T]) reduceRows(rows, cols, k int, partial *[]float64, f func(lo, hi int, sums []float64)) []float64 {
	const pieces = 16
	piece := max((rows+pieces-1)/pieces, pieceRows(4*cols))
	n := (rows + piece - 1) / piece
	if len(*partial) < n*k {
		*partial = make([]float64, n*k)
	}
	buf := (*partial)[:n*k]
	clear(buf)
	b.pool.Run(n, func(task, _ int) {
		f(task*piece, min(rows, (task+1)*piece), buf[task*k:][:k])
	})
	for i := 1; i < n; i++ {
		for j, v := range buf[i*k:][:k] {
			buf[j] += v
		}
	}
	return buf[:k]
}

// storeSums stores float64 sums in a gradient, or adds them to it.
func storeSums[T vec.Float](dst []T, sums []float64, accumulate bool) {
	for i, v := range sums {
		if accumulate {
			v += float64(dst[i])
		}
		dst[i] = T(v)
	}
}
