package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// outer writes the kernel that sums outer products over a list of pixels: c[i][j] = (or +=) Σ a[pair[0]+i]·b[pair[1]+j]
// for rows values i and vecs vectors j.
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
	c, ldc := reg.RSI, reg.RDI
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
