package main

import (
	"github.com/mmcloughlin/avo/reg"
)

// batchNorm emits the kernels of vec/batchnorm.go.
func batchNorm(l *isa) {
	for _, clamp := range []bool{false, true} {
		for _, acc := range []bool{false, true} {
			l.bnApply(clamp, acc)
		}
		l.bnReduce(clamp)
	}
	l.emitReduction(reduction{
		name: "channelSums", doc: "adds the columns' sums to sum and those of their squares to sumsq.",
		matrices: []string{"x"}, sums: []string{"sum", "sumsq"},
		row: func(load, _ get, sum []reg.VecVirtual) {
			x := load("x")
			l.VADDPS(x, sum[0], sum[0])
			l.VFMADD231PS(x, x, sum[1])
		},
	})
}

// bnApply emits dx = a·g + b·x + c.
func (l *isa) bnApply(clamp, acc bool) {
	k := rowKernel{
		name: "bnApply", doc: "computes v = a·g + b·x + c", matrices: []string{"dx", "dy", "x"},
		channels: []string{"a", "b", "c"}, unroll: 2,
	}
	gated := ", g = dy"
	if clamp {
		k.name, gated = k.name+"Clamp", ", g = (x·scale+shift <= 0 ? 0 : dy)"
		k.channels, k.constants = []string{"scale", "shift", "a", "b", "c"}, zero
	}
	k.doc += gated + "; dx = v."
	if acc {
		k.name += "Acc"
		k.doc = k.doc[:len(k.doc)-len("= v.")] + "+= v."
	}
	k.body = func(load, value get, store put) {
		x, g := load("x"), load("dy")
		if clamp {
			v := load("shift")
			l.VFMADD231PS(load("scale"), x, v)
			l.gate(g, v, value("zero"))
		}
		v := load("c")
		l.VFMADD231PS(load("b"), x, v)
		l.VFMADD231PS(load("a"), g, v)
		if acc {
			l.VADDPS(load("dx"), v, v)
		}
		store("dx", v)
	}
	l.emit(k)
}

// bnReduce emits the sums of g and of g·(x-mean)·invstd.
func (l *isa) bnReduce(clamp bool) {
	r := reduction{
		name: "bnReduce", doc: "adds Σ g to dbeta and Σ g·(x-mean)·invstd to dgamma, g = dy.",
		matrices: []string{"dy", "x"}, channels: []string{"mean", "invstd"}, once: []string{"mean"}, sums: []string{"dbeta", "dgamma"},
	}
	if clamp {
		r.name = "bnReduceClamp"
		r.doc = "adds Σ g to dbeta and Σ g·(x-mean)·invstd to dgamma, g = (x·scale+shift <= 0 ? 0 : dy)."
		r.channels = []string{"scale", "shift", "mean", "invstd"}
		r.once = []string{"scale", "shift", "mean"}
		r.constants = zero
	}
	r.row = func(load, value get, sum []reg.VecVirtual) {
		x, g := load("x"), load("dy")
		if clamp {
			v := l.vec()
			l.VMOVAPS(value("shift"), v)
			l.VFMADD231PS(value("scale"), x, v)
			l.gate(g, v, value("zero"))
		}
		l.VADDPS(g, sum[0], sum[0])
		l.VSUBPS(value("mean"), x, x)
		l.VFMADD231PS(x, g, sum[1])
	}
	r.finish = func(load get, sum []reg.VecVirtual) { l.VMULPS(load("invstd"), sum[1], sum[1]) }
	l.emitReduction(r)
}
