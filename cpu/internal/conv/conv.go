// Package conv computes two-dimensional convolutions and their gradients on NHWC float32 images.
//
// All three directions are matrix products whose large operand is read in place:
//
//   - Forward and data gradient (product.go): a register tile holds a few output pixels × 16 or 32
//     output channels. Its pixels are a table of offsets into the image, so nothing is unrolled
//     ("im2col") in memory; only where padding is needed, a task first copies the rows it reads
//     into a small padded slab that stays in the cache. The filters are packed once per call into
//     panels as wide as the tile.
//   - Filter gradient (filter.go): a register tile holds a few filters × 16 or 32 of their weights
//     and sums outer products over a list of pixels; padding is left out of the list instead of
//     being multiplied.
//   - 3×3 convolutions of stride 1 do either in transformed tiles, with 2.25 times fewer
//     multiplications (winograd.go, winograd_filter.go), where the numbers of channels are
//     multiples of a vector.
//   - Linear layers and other convolutions of few pixels pack filters as they go (few.go), and few
//     input channels, as an image has, change the operands' roles in filter gradients
//     (filter_spread.go).
//
// The data gradient of a strided convolution is split into one product for each residue of the
// pixel position, so no zero is multiplied. A linear layer is the convolution whose kernel covers
// its whole input.
//
// How work is cut into tasks depends only on the shapes and the instruction set, and partial sums
// are added in a fixed order: the results are the same bits for any number of workers.
package conv

import (
	"fmt"

	"github.com/tributary-ml/tributary/cpu/internal/par"
)

//go:generate go run -C ../../../tools/avo ./gemm -out ../../cpu/internal/conv/kernel_amd64.s -stubs ../../cpu/internal/conv/kernel_stubs_amd64.go -pkg conv

// Geometry is the shape of one convolution with one group and no dilation: an (N, H, W, C) input,
// R×S kernels, and a P×Q output. Output row p reads input rows p·StrideH−PadTop … +R−1, of which
// those outside [0,H) are zero; columns likewise. The padding at the bottom and on the right is
// implied.
type Geometry struct {
	N, H, W, C       int
	R, S             int
	StrideH, StrideW int
	PadTop, PadLeft  int
	P, Q             int
}

// pixels returns the number of output pixels.
func (g Geometry) pixels() int { return g.N * g.P * g.Q }

// depth returns the number of products that an output value sums.
func (g Geometry) depth() int { return g.R * g.S * g.C }

// flat returns a convolution whose kernel covers the whole dense input as one over a single pixel
// with all values as its channels: a linear layer. It returns other convolutions unchanged.
func (g Geometry) flat(ldx int) (flat Geometry, ld int) {
	if g.P != 1 || g.Q != 1 || g.PadTop != 0 || g.PadLeft != 0 || g.R != g.H || g.S != g.W || ldx != g.C {
		return g, ldx
	}
	all := g.depth()
	return Geometry{N: g.N, H: 1, W: 1, C: all, R: 1, S: 1, StrideH: 1, StrideW: 1, P: 1, Q: 1}, all
}

func (g Geometry) check(x []float32, ldx, segs int) {
	for _, v := range []int{g.N, g.H, g.W, g.C, g.R, g.S, g.StrideH, g.StrideW, g.P, g.Q} {
		if v < 1 {
			panic(fmt.Sprintf("conv: %+v has a size below 1", g))
		}
	}
	if g.PadTop < 0 || g.PadLeft < 0 {
		panic(fmt.Sprintf("conv: %+v has negative padding", g))
	}
	if ldx < g.C {
		panic(fmt.Sprintf("conv: input pixels are %d apart but have %d channels", ldx, g.C))
	}
	if segs < 1 {
		panic("conv: no segment")
	}
	if need := (g.N*g.H*g.W-1)*ldx + g.C; len(x) < need {
		panic(fmt.Sprintf("conv: input has %d values, %+v with pixels %d apart needs %d", len(x), g, ldx, need))
	}
}

// Segment is one of several sibling convolutions of the same geometry that read the same input.
// Each has its own filters and output. The 1×1 convolutions of an inception module are one call
// with several segments.
type Segment struct {
	K int       // number of filters
	W []float32 // filters (K, R, S, C), dense

	// Y is the output; in the gradients it is the output's gradient. Value k of pixel i =
	// (n·P+p)·Q+q is Y[i·LdY+k]. Y may be a slice of a wider buffer's channels: only channels [0,K)
	// of a pixel are accessed.
	Y   []float32
	LdY int

	// Scale and Shift: Forward computes v·Scale[k]+Shift[k], then ReLU if set, before it stores a
	// value. A nil Scale means 1, a nil Shift means 0; Shift alone is a bias.
	Scale, Shift []float32
	ReLU         bool

	// Sums, if not nil, has length 2K. Forward sets it to Σy for each k, then Σy² for each k, over
	// all pixels, before Scale, Shift and ReLU.
	Sums []float64

	DW    []float32 // filter gradient (K, R, S, C), dense; written by BackwardFilter
	DBias []float32 // ΣdY over all pixels for each k, or nil; written by BackwardFilter
}

func (s *Segment) check(g Geometry) {
	if s.K < 1 {
		panic(fmt.Sprintf("conv: a segment has %d filters", s.K))
	}
	if s.LdY < s.K {
		panic(fmt.Sprintf("conv: output pixels are %d apart but have %d channels", s.LdY, s.K))
	}
	if need := (g.pixels()-1)*s.LdY + s.K; len(s.Y) < need {
		panic(fmt.Sprintf("conv: output has %d values, %+v with pixels %d apart needs %d", len(s.Y), g, s.LdY, need))
	}
}

func checkLen[T any](what string, v []T, want int) {
	if len(v) != want {
		panic(fmt.Sprintf("conv: %s has %d values, want %d", what, len(v), want))
	}
}

// Engine runs convolutions. It owns the packed filters and the workers' memory and keeps them for
// later calls, so it allocates nothing after the largest shape. One call runs at a time.
type Engine struct {
	pool    *par.Pool
	kern    *kernels
	locals  []local // of each worker
	product product
	filter  filter
	wino    winoFilter
	bias    bias
}

// New returns an engine that runs on a pool's workers (nil: on the caller) with an instruction set
// that the machine has; Auto selects the best one.
func New(pool *par.Pool, isa ISA) *Engine {
	e := &Engine{pool: pool, kern: kernelsFor(isa), locals: make([]local, pool.Workers())}
	for i := range e.locals {
		l := &e.locals[i]
		l.tile = make([]float32, e.kern.rows*e.kern.width[0])
		for wide, w := range e.kern.width {
			for r := range e.kern.rows {
				l.tileOuts[wide] = append(l.tileOuts[wide], 4*r*w)
			}
		}
	}
	e.product.bind(e)
	e.filter.bind(e)
	e.wino.bind(e)
	e.bias.bind(e)
	return e
}

// ISA is the instruction set in use, never Auto.
func (e *Engine) ISA() ISA { return e.kern.isa }

// smallStage is the number of values below which a stage that only moves values is not worth waking
// workers for.
const smallStage = 1 << 15

// move runs the tasks of a stage that moves a number of values from one memory to another.
func (e *Engine) move(tasks, values int, f func(task, worker int)) {
	if values >= smallStage {
		e.pool.Run(tasks, f)
		return
	}
	for i := range tasks {
		f(i, 0)
	}
}

// local is the memory of one worker.
type local struct {
	slab  []float32   // padded copy of the image rows that a task reads
	rows  []int       // byte offsets of a task's pixels in its left operand
	outs  []int       // byte offsets of a task's pixels in its output
	tile  []float32   // one tile at the ragged edge
	pairs [][2]uint32 // pixels of a filter-gradient task

	tileOuts [2][]int // byte offsets of the rows in tile, for wide and narrow tiles

	// of transformed tiles (winograd.go)
	planes   []float32 // 16 planes of a block of input tiles × channels
	products []float32 // 16 planes of a block of tiles × a panel's columns
	filters  []float32 // a panel before it is transformed
	pixels   []int     // byte offsets of the tiles' output pixels
	run      run       // the reduction
}

// grow returns n values of s. It allocates new memory if s has too little. The content is
// arbitrary.
func grow[T any](s *[]T, n int) []T {
	const least = 1 << 14 // large allocations start at a page, so panels are aligned with cache lines
	if cap(*s) < n {
		*s = make([]T, max(n, least))
	}
	*s = (*s)[:cap(*s)]
	return (*s)[:n]
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }
