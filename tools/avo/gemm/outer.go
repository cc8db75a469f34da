package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// outer writes the kernel that sums outer products over a list of pixels: c[i][j] = (or +=) Σ
// a[pair[0]+i]·b[pair[1]+j] for rows values i and vecs vectors j.
func outer(s isa, rows, vecs int) {
	name := s.name("outer", rows, vecs)
	TEXT(name, NOSPLIT, "func(a, b *float32, pairs *[2]uint32, n int, c *float32, ldc int, accumulate int)")
	Doc(name + " is an outerKernel.")
	acc := func(i, v int) reg.Register { return s.regs[i*vecs+v] }
	free := s.regs[rows*vecs:]
	a, b, pairs, n := reg.RAX, reg.RBX, reg.RCX, reg.RDX
	offA, offB := []reg.GPPhysical{reg.RSI, reg.R8}, []reg.GPPhysical{reg.RDI, reg.R9}
	MOVQ(arg("a"), a)
	MOVQ(arg("b"), b)
	MOVQ(arg("pairs"), pairs)
	MOVQ(arg("n"), n)
	for i := range rows * vecs {
		zero(s, s.regs[i])
	}
	step := func(u int) {
		MOVL(Mem{Base: pairs, Disp: 8 * u}, offA[u].As32())
		MOVL(Mem{Base: pairs, Disp: 8*u + 4}, offB[u].As32())
		bs := free[:vecs]
		for v := range vecs {
			VMOVUPS(Mem{Base: b, Index: offB[u], Scale: 4, Disp: v * s.bytes()}, bs[v])
		}
		for i := range rows {
			x := free[vecs+i%(min(len(free), 8)-vecs)]
			VBROADCASTSS(Mem{Base: a, Index: offA[u], Scale: 4, Disp: 4 * i}, x)
			for v := range vecs {
				VFMADD231PS(bs[v], x, acc(i, v))
			}
		}
	}
	SUBQ(Imm(2), n)
	JLT(LabelRef("rest"))
	Label("loop")
	step(0)
	step(1)
	ADDQ(Imm(16), pairs)
	SUBQ(Imm(2), n)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(Imm(2), n)
	JLE(LabelRef("reduced"))
	step(0)
	Label("reduced")
	storeOuter(s, rows, vecs)
}

// spread writes the kernel outer with rows at arbitrary distances: c[i][j] = (or +=) Σ
// a[rows[i]/4+pair[1]]·b[pair[0]+j].
func spread(s isa, rows, vecs int) {
	name := s.name("spread", rows, vecs)
	TEXT(name, NOSPLIT, "func(a *float32, rows *int, b *float32, pairs *[2]uint32, n int, c *float32, ldc int, accumulate int)")
	Doc(name + " is a spreadKernel.")
	acc := func(i, v int) reg.Register { return s.regs[i*vecs+v] }
	free := s.regs[rows*vecs:]
	off, pairs, b := offReg, panelReg, countReg
	end := AllocLocal(8)
	MOVQ(arg("pairs"), pairs)
	MOVQ(arg("n"), off)
	LEAQ(Mem{Base: pairs, Index: off, Scale: 8}, off)
	MOVQ(off, end)
	MOVQ(arg("rows"), off)
	for i := range rows {
		MOVQ(Mem{Base: off, Disp: 8 * i}, rowRegs[i])
	}
	MOVQ(arg("a"), off)
	for i := range rows {
		ADDQ(off, rowRegs[i])
	}
	MOVQ(arg("b"), b)
	for i := range rows * vecs {
		zero(s, s.regs[i])
	}
	JMP(LabelRef("next"))
	Label("loop")
	MOVL(Mem{Base: pairs}, off.As32())
	bs := free[:vecs]
	for v := range vecs {
		VMOVUPS(Mem{Base: b, Index: off, Scale: 4, Disp: v * s.bytes()}, bs[v])
	}
	MOVL(Mem{Base: pairs, Disp: 4}, off.As32())
	for i := range rows {
		x := free[vecs+i%(min(len(free), 8)-vecs)]
		VBROADCASTSS(Mem{Base: rowRegs[i], Index: off, Scale: 4}, x)
		for v := range vecs {
			VFMADD231PS(bs[v], x, acc(i, v))
		}
	}
	ADDQ(Imm(8), pairs)
	Label("next")
	CMPQ(pairs, end)
	JLT(LabelRef("loop"))
	storeOuter(s, rows, vecs)
}

// storeOuter writes the end of a kernel that sums outer products.
func storeOuter(s isa, rows, vecs int) {
	acc := func(i, v int) reg.Register { return s.regs[i*vecs+v] }
	c, ldc, n := reg.RSI, reg.RDI, reg.RDX
	MOVQ(arg("c"), c)
	MOVQ(arg("ldc"), ldc)
	SHLQ(Imm(2), ldc)
	CMPQ(arg("accumulate"), Imm(0))
	JEQ(LabelRef("store"))
	MOVQ(c, n)
	for i := range rows {
		for v := range vecs {
			VADDPS(Mem{Base: n, Disp: v * s.bytes()}, acc(i, v), acc(i, v))
		}
		ADDQ(ldc, n)
	}
	Label("store")
	for i := range rows {
		for v := range vecs {
			VMOVUPS(acc(i, v), Mem{Base: c, Disp: v * s.bytes()})
		}
		ADDQ(ldc, c)
	}
	VZEROUPPER()
	RET()
}
