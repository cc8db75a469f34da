package main

import (
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// normalize emits the kernel of vec/normalize.go. It processes groups of three vectors of bytes, in
// which channels repeat if their number divides three vectors.
func normalize(l *isa) {
	l.function("normalize", "computes dst = src·scale + shift for n groups of three vectors; scale and shift are three vectors.",
		"func(dst *float32, src *byte, scale, shift *float32, n int)")
	dst, src, scale, shift, n := l.arg("dst"), l.arg("src"), l.arg("scale"), l.arg("shift"), l.arg("n")
	var a, b [3]reg.VecVirtual
	for u := range a {
		a[u], b[u] = l.load(Mem{Base: scale, Disp: 4 * l.width * u}, nil), l.load(Mem{Base: shift, Disp: 4 * l.width * u}, nil)
	}
	l.Label("groups")
	for u := range a {
		v := l.vec()
		l.VPMOVZXBD(Mem{Base: src, Disp: l.width * u}, v)
		l.VCVTDQ2PS(v, v)
		l.VFMADD132PS(a[u], b[u], v)
		l.VMOVUPS(v, Mem{Base: dst, Disp: 4 * l.width * u})
	}
	l.ADDQ(Imm(uint64(3*l.width)), src)
	l.ADDQ(Imm(uint64(12*l.width)), dst)
	l.DECQ(n)
	l.JNZ(LabelRef("groups"))
	l.end()
}
