package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unroll is the number of steps of the reduction in one turn of the main loop.
const unroll = 4

// The general registers of the tile kernels. Twelve row pointers, the offset common to all rows,
// the packed operand and one counter occupy all of them. All other values are in the frame.
var (
	rowRegs  = []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13}
	offReg   = reg.R14
	panelReg = reg.R15
	countReg = reg.RBP
)

// tileSignature is described in package conv (kernel.go).
const tileSignature = "func(a *float32, rows *int, out *float32, outs *int, tiles int, runs *[2]int, nruns int, b *float32, ep *float32, sums *float64, accumulate int)"

// arg returns the place of an argument in the caller's frame.
func arg(name string) Op {
	return must(Param(name))
}

func must(c gotypes.Component) Op {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// tile writes the kernel that computes, tile by tile, rows×(vecs vectors) outputs: for every run,
// the sum over its elements of a[row][offset] broadcast, times the next packed row of b.
func tile(s isa, rows, vecs int) {
	name := s.name("tile", rows, vecs)
	TEXT(name, NOSPLIT, tileSignature)
	Doc(name + " is a tileKernel.")
	acc := func(i, v int) reg.Register { return s.regs[i*vecs+v] }
	free := s.regs[rows*vecs:] // registers that are not accumulators
	width := vecs * s.bytes()

	rowsLeft, runsAt, runsLeft := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	outsAt, tilesLeft := AllocLocal(8), AllocLocal(8)
	t := rowRegs[0]
	MOVQ(arg("rows"), t)
	MOVQ(t, rowsLeft)
	MOVQ(arg("outs"), t)
	MOVQ(t, outsAt)
	MOVQ(arg("tiles"), t)
	MOVQ(t, tilesLeft)

	Label("tile")
	MOVQ(rowsLeft, countReg)
	ADDQ(Imm(uint64(8*rows)), rowsLeft)
	for i := range rows {
		MOVQ(Mem{Base: countReg, Disp: 8 * i}, rowRegs[i])
	}
	MOVQ(arg("a"), offReg)
	for i := range rows {
		ADDQ(offReg, rowRegs[i])
	}
	for i := range rows * vecs {
		zero(s, s.regs[i])
	}
	MOVQ(arg("b"), panelReg)
	MOVQ(arg("runs"), countReg)
	MOVQ(countReg, runsAt)
	MOVQ(arg("nruns"), countReg)
	MOVQ(countReg, runsLeft)

	Label("run")
	SUBQ(Imm(1), runsLeft)
	JLT(LabelRef("reduced"))
	MOVQ(runsAt, countReg)
	MOVQ(Mem{Base: countReg}, offReg)
	MOVQ(Mem{Base: countReg, Disp: 8}, countReg)
	ADDQ(Imm(16), runsAt)
	SUBQ(Imm(unroll), countReg)
	JLT(LabelRef("rest"))

	step := func(u int) {
		bs := free[:vecs]
		for v := range vecs {
			VMOVUPS(Mem{Base: panelReg, Disp: u*width + v*s.bytes()}, bs[v])
		}
		for i := range rows {
			x := free[vecs+i%(len(free)-vecs)]
			VBROADCASTSS(Mem{Base: rowRegs[i], Index: offReg, Scale: 1, Disp: 4 * u}, x)
			for v := range vecs {
				VFMADD231PS(bs[v], x, acc(i, v))
			}
		}
	}
	Label("loop")
	for u := range unroll {
		PREFETCHT0(Mem{Base: panelReg, Disp: prefetchAhead + u*width})
		if width > 64 {
			PREFETCHT0(Mem{Base: panelReg, Disp: prefetchAhead + u*width + 64})
		}
		step(u)
	}
	ADDQ(Imm(4*unroll), offReg)
	ADDQ(U32(unroll*width), panelReg)
	SUBQ(Imm(unroll), countReg)
	JGE(LabelRef("loop"))

	Label("rest")
	ADDQ(Imm(unroll), countReg)
	JLE(LabelRef("run"))
	Label("one")
	step(0)
	ADDQ(Imm(4), offReg)
	ADDQ(Imm(uint64(width)), panelReg)
	SUBQ(Imm(1), countReg)
	JGT(LabelRef("one"))
	JMP(LabelRef("run"))

	Label("reduced")
	MOVQ(outsAt, countReg)
	ADDQ(Imm(uint64(8*rows)), outsAt)
	for i := range rows {
		MOVQ(Mem{Base: countReg, Disp: 8 * i}, rowRegs[i])
	}
	MOVQ(arg("out"), offReg)
	for i := range rows {
		ADDQ(offReg, rowRegs[i])
	}
	CMPQ(arg("accumulate"), Imm(0))
	JEQ(LabelRef("raw"))
	for i := range rows {
		for v := range vecs {
			VADDPS(Mem{Base: rowRegs[i], Disp: v * s.bytes()}, acc(i, v), acc(i, v))
		}
	}
	Label("raw")
	MOVQ(arg("sums"), countReg)
	TESTQ(countReg, countReg)
	JEQ(LabelRef("summed"))
	for v := range vecs {
		columnSums(s, countReg, v*s.lanes*8, (vecs+v)*s.lanes*8, free, rows, func(i int) reg.Register { return acc(i, v) })
	}
	Label("summed")
	MOVQ(arg("ep"), countReg)
	TESTQ(countReg, countReg)
	JEQ(LabelRef("store"))
	for v := range vecs {
		at := func(part int) Mem { return Mem{Base: countReg, Disp: (part*vecs + v) * s.bytes()} }
		VMOVUPS(at(0), free[0]) // scale
		VMOVUPS(at(1), free[1]) // shift
		VMOVUPS(at(2), free[2]) // floor: 0 for ReLU, otherwise -Inf
		for i := range rows {
			VFMADD213PS(free[1], free[0], acc(i, v))
			VMAXPS(acc(i, v), free[2], acc(i, v)) // the value is the second source, so that NaN stays NaN
		}
	}
	Label("store")
	for i := range rows {
		for v := range vecs {
			VMOVUPS(acc(i, v), Mem{Base: rowRegs[i], Disp: v * s.bytes()})
		}
	}
	SUBQ(Imm(1), tilesLeft)
	JGT(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// prefetchAhead is the distance in bytes at which the packed operand is prefetched.
const prefetchAhead = 1024

func zero(s isa, r reg.Register) {
	if s.avx512() {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
}

// columnSums adds the sum and the sum of squares of the accumulators of one vector column, taken
// over rows in float32, to the float64 values at base+sumAt and base+squareAt.
func columnSums(s isa, base reg.Register, sumAt, squareAt int, free []reg.Register, rows int, acc func(i int) reg.Register) {
	sum, square := free[0], free[1]
	VMOVUPS(acc(0), sum)
	VMULPS(acc(0), acc(0), square)
	for i := 1; i < rows; i++ {
		VADDPS(acc(i), sum, sum)
		VFMADD231PS(acc(i), acc(i), square)
	}
	addDoubles(s, sum, free[2], free[3], base, sumAt)
	addDoubles(s, square, free[2], free[3], base, squareAt)
}

// addDoubles adds the float32 values of v to the float64 values at base+at.
func addDoubles(s isa, v, t, u reg.Register, base reg.Register, at int) {
	half := func(r reg.Register) reg.Register {
		if s.avx512() {
			return r.(reg.Vec).AsY()
		}
		return r.(reg.Vec).AsX()
	}
	if s.avx512() {
		VEXTRACTF64X4(Imm(1), v, half(u))
	} else {
		VEXTRACTF128(Imm(1), v, half(u))
	}
	VCVTPS2PD(half(v), t)
	VADDPD(Mem{Base: base, Disp: at}, t, t)
	VMOVUPD(t, Mem{Base: base, Disp: at})
	VCVTPS2PD(half(u), t)
	VADDPD(Mem{Base: base, Disp: at + s.bytes()}, t, t)
	VMOVUPD(t, Mem{Base: base, Disp: at + s.bytes()})
}
