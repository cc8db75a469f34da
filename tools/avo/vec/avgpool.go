package main

import (
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
)

// avgPool emits the kernels of vec/avgpool.go: n outputs, one after another, with the same taps.
func avgPool(l *isa) {
	for _, acc := range []bool{false, true} {
		l.sumRun(acc)
	}
}

// sumRun emits average pooling: the forward pass over windows, the backward pass over covers.
func (l *isa) sumRun(acc bool) {
	name, doc := "sumRun", "computes y = Σ weight·x over the taps."
	if acc {
		name, doc = "sumRunAcc", "adds y += Σ weight·x over the taps."
	}
	l.function(name, doc, "func(y, x *float32, taps *byte, ntaps, n, cols, yStep, xStep int)")
	l.runs([]string{"y", "x"}, func(w walk, n int, part *mask) {
		sum, weight := w.start("y", n, part, acc), l.vec()
		w.taps("x", func(source, tap Mem) {
			l.VBROADCASTSS(tap.Offset(tapWeight), weight)
			for u := range n {
				l.VFMADD231PS(l.load(source.Offset(4*l.width*u), part), weight, sum[u])
			}
		})
		for u := range n {
			l.store(sum[u], l.at(w.base["y"], w.j, u), part)
		}
	})
}
