package main

import (
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
)

// compare emits the kernel of vec/compare.go: sums over n groups of two vectors of doubles, of
// products, of squares, and of squared differences.
func compare(l *isa) {
	doubles := l.width / 2
	l.function("compare", "is Σ a·b, Σ a² and Σ (a-b)² over n groups of one vector.", "func(a, b *float32, n int) (dot, squares, apart float64)")
	a, b, n := l.arg("a"), l.arg("b"), l.arg("n")
	sum := l.vecs(6)
	for _, s := range sum {
		l.VXORPS(s, s, s)
	}
	l.Label("groups")
	for u := range 2 {
		x, y := l.vec(), l.vec()
		l.VCVTPS2PD(Mem{Base: a, Disp: 4 * doubles * u}, x)
		l.VCVTPS2PD(Mem{Base: b, Disp: 4 * doubles * u}, y)
		l.VFMADD231PD(x, y, sum[u])
		l.VFMADD231PD(x, x, sum[2+u])
		l.VSUBPD(y, x, x)
		l.VFMADD231PD(x, x, sum[4+u])
	}
	l.ADDQ(Imm(uint64(8*doubles)), a)
	l.ADDQ(Imm(uint64(8*doubles)), b)
	l.DECQ(n)
	l.JNZ(LabelRef("groups"))
	for i := range 3 {
		l.VADDPD(sum[2*i+1], sum[2*i], sum[2*i])
		l.Store(l.total(sum[2*i]), l.ReturnIndex(i))
	}
	l.end()
}
