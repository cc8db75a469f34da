// Command gemm writes the assembly micro-kernels of package cpu/internal/conv.
//
// There are five kinds, each for AVX2 and AVX-512 unless noted:
//
//   - tile: a register tile of rows×columns of a product whose left operand is read in place, row
//     by row, through a table of offsets (tile.go);
//   - outer, spread: a sum of outer products over a list of pixels (outer.go);
//   - colSum, addTo: sums of rows (sums.go);
//   - wino…: the transforms of Winograd's convolution (winograd.go);
//   - transpose8: eight rows into eight interleaved columns, AVX2 only (transpose.go).
//
// Run it by `go generate ./cpu/internal/conv`.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// isa describes the differences between the instruction sets.
type isa struct {
	suffix string
	lanes  int            // float32 values in a vector
	regs   []reg.Register // all vector registers
	rows   []int          // heights of the outer tiles; the first two are also the heights of the tile kernels
}

// bytes returns the size of a vector.
func (s isa) bytes() int { return 4 * s.lanes }

func (s isa) avx512() bool { return s.lanes == 16 }

var (
	avx2 = isa{suffix: "AVX2", lanes: 8, rows: []int{6, 4, 2}, regs: []reg.Register{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}}
	avx512 = isa{suffix: "AVX512", lanes: 16, rows: []int{12, 8, 4}, regs: []reg.Register{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}}
)

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{avx2, avx512} {
		for _, vecs := range []int{2, 1} {
			tile(s, s.rows[0], vecs)
			tile(s, s.rows[1], vecs)
		}
		for _, rows := range s.rows {
			for _, vecs := range []int{2, 1} {
				outer(s, rows, vecs)
				spread(s, rows, vecs)
			}
		}
		colSum(s)
		addTo(s)
		winoInput(s)
		winoGrad(s)
		winoFilter(s)
		winoFilterGrad(s)
		winoOutput(s)
	}
	transpose8()
	Generate()
}

// name returns the name of the function for a kind of kernel and a tile of rows×(vecs vectors).
func (s isa) name(kind string, rows, vecs int) string {
	return fmt.Sprintf("%s%dx%d%s", kind, rows, vecs*s.lanes, s.suffix)
}
