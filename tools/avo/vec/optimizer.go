package main

import (
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// optimizer emits the kernels of vec/optimizer.go.
func optimizer(l *isa) {
	for _, ema := range []bool{false, true} {
		for _, variant := range []bool{false, true} {
			l.sgd(variant, ema)
			l.rmsProp(variant, ema)
		}
		l.adamW(ema)
	}
	l.sumSquares()
}

// update emits an optimizer. body returns the new parameters, which are stored and averaged.
func (l *isa) update(name, doc string, ema bool, matrices, scalars []string, body func(load, value get, store put) reg.VecVirtual) {
	k := rowKernel{name: name, doc: "is " + doc, matrices: matrices, scalars: scalars, flat: true, unroll: 2}
	if ema {
		k.name, k.doc = name+"EMA", k.doc+", with the moving average of w"
		k.matrices, k.scalars = append(matrices, "ema"), append(scalars, "mix")
	}
	k.doc += "."
	k.body = func(load, value get, store put) {
		w := body(load, value, store)
		store("w", w)
		if ema {
			e := load("ema")
			l.VSUBPS(e, w, w)
			l.VFMADD231PS(value("mix"), w, e)
			store("ema", e)
		}
	}
	l.emit(k)
}

// gradient computes decay·w + scale·g.
func (l *isa) gradient(load, value get, w reg.VecVirtual) reg.VecVirtual {
	d := load("grad")
	l.VMULPS(value("scale"), d, d)
	l.VFMADD231PS(value("decay"), w, d)
	return d
}

func (l *isa) sgd(nesterov, ema bool) {
	name, doc := "sgd", "SGDStep"
	if nesterov {
		name, doc = "sgdNesterov", "SGDStep with Nesterov"
	}
	l.update(name, doc, ema, []string{"w", "grad", "buf"}, []string{"lr", "momentum", "decay", "scale"}, func(load, value get, store put) reg.VecVirtual {
		w, b := load("w"), load("buf")
		d := l.gradient(load, value, w)
		l.VFMADD132PS(value("momentum"), d, b)
		store("buf", b)
		if nesterov {
			l.VFMADD132PS(value("momentum"), d, b)
		}
		l.VFNMADD231PS(value("lr"), b, w)
		return w
	})
}

func (l *isa) rmsProp(tensorFlow, ema bool) {
	name, doc := "rmsProp", "RMSPropStep"
	if tensorFlow {
		name, doc = "rmsPropTF", "RMSPropStep with TensorFlow"
	}
	scalars := []string{"lr", "momentum", "eps", "decay", "scale", "fresh"}
	l.update(name, doc, ema, []string{"w", "grad", "ms", "buf"}, scalars, func(load, value get, store put) reg.VecVirtual {
		w, s := load("w"), load("ms")
		d, t := l.gradient(load, value, w), l.vec()
		l.VMOVAPS(d, t)
		l.VFMSUB132PS(t, s, t) // d² - ms
		l.VFMADD231PS(value("fresh"), t, s)
		store("ms", s)
		b := load("buf")
		if tensorFlow {
			l.VADDPS(value("eps"), s, s)
			l.VSQRTPS(s, s)
			l.VMULPS(value("lr"), d, d)
		} else {
			l.VSQRTPS(s, s)
			l.VADDPS(value("eps"), s, s)
		}
		l.VDIVPS(s, d, d)
		l.VFMADD132PS(value("momentum"), d, b)
		store("buf", b)
		if tensorFlow {
			l.VSUBPS(b, w, w)
		} else {
			l.VFNMADD231PS(value("lr"), b, w)
		}
		return w
	})
}

func (l *isa) adamW(ema bool) {
	scalars := []string{"keep", "size", "correct", "eps", "scale", "fresh1", "fresh2"}
	l.update("adamW", "AdamWStep", ema, []string{"w", "grad", "m", "v"}, scalars, func(load, value get, store put) reg.VecVirtual {
		d, m, t := load("grad"), load("m"), l.vec()
		l.VMULPS(value("scale"), d, d)
		l.VSUBPS(m, d, t)
		l.VFMADD231PS(value("fresh1"), t, m)
		store("m", m)
		v := load("v")
		l.VFMSUB132PS(d, v, d) // d² - v
		l.VFMADD231PS(value("fresh2"), d, v)
		store("v", v)
		l.VSQRTPS(v, v)
		l.VFMADD132PS(value("correct"), value("eps"), v)
		l.VDIVPS(v, m, m)
		w := load("w")
		l.VMULPS(value("keep"), w, w)
		l.VFNMADD231PS(value("size"), m, w)
		return w
	})
}

// sumSquares emits the sum of the squares of n groups of four vectors of doubles.
func (l *isa) sumSquares() {
	doubles := l.width / 2
	l.function("sumSquares", "is Σ g² over n groups of two vectors.", "func(grad *float32, n int) float64")
	g, n := l.arg("grad"), l.arg("n")
	sum := l.vecs(4)
	for _, s := range sum {
		l.VXORPS(s, s, s)
	}
	l.Label("groups")
	for u, s := range sum {
		v := l.vec()
		l.VCVTPS2PD(Mem{Base: g, Disp: 4 * doubles * u}, v)
		l.VFMADD231PD(v, v, s)
	}
	l.ADDQ(Imm(uint64(16*doubles)), g)
	l.DECQ(n)
	l.JNZ(LabelRef("groups"))
	l.VADDPD(sum[1], sum[0], sum[0])
	l.VADDPD(sum[3], sum[2], sum[2])
	l.VADDPD(sum[2], sum[0], sum[0])
	l.Store(l.total(sum[0]), l.ReturnIndex(0))
	l.end()
}

// total returns the sum of the doubles of a vector, which it overwrites.
func (l *isa) total(sum reg.VecVirtual) reg.VecVirtual {
	if l.wide() {
		top := l.YMM()
		l.VEXTRACTF64X4(Imm(1), sum, top)
		l.VADDPD(top, sum.AsY(), sum.AsY())
	}
	high, total := l.XMM(), sum.AsX()
	l.VEXTRACTF128(Imm(1), sum.AsY(), high)
	l.VADDPD(high, total, total)
	l.VHADDPD(total, total, total)
	return total.(reg.VecVirtual)
}
