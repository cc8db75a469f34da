package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose8 writes the kernel that transposes 8 rows of 8·blocks values, lds apart, to 8·blocks
// rows of 8, ldd apart.
func transpose8() {
	TEXT("transpose8", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds int, blocks int)")
	Doc("transpose8 sets dst[j*ldd+i] = src[i*lds+j] for i < 8 and j < 8*blocks; blocks is at least 1.")
	dst, ldd, src, lds, blocks := reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI
	lds3, src4, ldd3, dst4 := reg.RDI, reg.R8, reg.R9, reg.R10
	MOVQ(arg("dst"), dst)
	MOVQ(arg("ldd"), ldd)
	MOVQ(arg("src"), src)
	MOVQ(arg("lds"), lds)
	MOVQ(arg("blocks"), blocks)
	SHLQ(Imm(2), ldd)
	SHLQ(Imm(2), lds)
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	r := avx2.regs

	Label("block")
	LEAQ(Mem{Base: src, Index: lds, Scale: 4}, src4)
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst4)
	eight := func(base, base4, ld, ld3 reg.Register) []Mem {
		return []Mem{
			{Base: base}, {Base: base, Index: ld, Scale: 1}, {Base: base, Index: ld, Scale: 2}, {Base: base, Index: ld3, Scale: 1},
			{Base: base4}, {Base: base4, Index: ld, Scale: 1}, {Base: base4, Index: ld, Scale: 2}, {Base: base4, Index: ld3, Scale: 1}}
	}
	for i, m := range eight(src, src4, lds, lds3) {
		VMOVUPS(m, r[i])
	}
	for i := 0; i < 8; i += 2 { // pairs of rows
		VUNPCKLPS(r[i+1], r[i], r[8+i])
		VUNPCKHPS(r[i+1], r[i], r[9+i])
	}
	for i := 0; i < 8; i += 4 { // fours of rows
		VUNPCKLPD(r[10+i], r[8+i], r[i])
		VUNPCKHPD(r[10+i], r[8+i], r[i+1])
		VUNPCKLPD(r[11+i], r[9+i], r[i+2])
		VUNPCKHPD(r[11+i], r[9+i], r[i+3])
	}
	out := eight(dst, dst4, ldd, ldd3)
	for i := range 4 { // lower and upper halves
		VPERM2F128(Imm(0x20), r[4+i], r[i], r[8+i])
		VPERM2F128(Imm(0x31), r[4+i], r[i], r[12+i])
		VMOVUPS(r[8+i], out[i])
		VMOVUPS(r[12+i], out[4+i])
	}
	ADDQ(Imm(32), src)
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 8}, dst)
	SUBQ(Imm(1), blocks)
	JGT(LabelRef("block"))
	VZEROUPPER()
	RET()
}
