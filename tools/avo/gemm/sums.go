package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// colSum writes the kernel that adds the sum over n rows, ld apart, of one vector of columns to
// float64 values.
func colSum(s isa) {
	name := "colSum" + s.suffix
	TEXT(name, NOSPLIT, "func(a *float32, ld, n int, sums *float64)")
	Doc(name + " is a colSumKernel.")
	a, ld, n, sums := reg.RAX, reg.RBX, reg.RCX, reg.RDX
	MOVQ(arg("a"), a)
	MOVQ(arg("ld"), ld)
	MOVQ(arg("n"), n)
	MOVQ(arg("sums"), sums)
	SHLQ(Imm(2), ld)
	zero(s, s.regs[0])
	Label("loop")
	VADDPS(Mem{Base: a}, s.regs[0], s.regs[0])
	ADDQ(ld, a)
	SUBQ(Imm(1), n)
	JGT(LabelRef("loop"))
	addDoubles(s, s.regs[0], s.regs[1], s.regs[2], sums, 0)
	VZEROUPPER()
	RET()
}

// addTo writes the kernel that adds n vectors to others.
func addTo(s isa) {
	TEXT("addTo"+s.suffix, NOSPLIT, "func(dst, src *float32, n int)")
	Doc("addTo" + s.suffix + " adds n vectors of src to dst.")
	dst, src, n := reg.RAX, reg.RBX, reg.RCX
	MOVQ(arg("dst"), dst)
	MOVQ(arg("src"), src)
	MOVQ(arg("n"), n)
	loop(n, func() {
		VMOVUPS(Mem{Base: src}, s.regs[0])
		VADDPS(Mem{Base: dst}, s.regs[0], s.regs[0])
		VMOVUPS(s.regs[0], Mem{Base: dst})
		ADDQ(Imm(uint64(s.bytes())), src)
		ADDQ(Imm(uint64(s.bytes())), dst)
	})
}
