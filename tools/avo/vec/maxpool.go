package main

import (
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// maxPool emits the kernels of vec/maxpool.go: n outputs, one after another, with the same taps.
func maxPool(l *isa) {
	for _, keep := range []bool{false, true} {
		l.maxRun(keep)
	}
	for _, acc := range []bool{false, true} {
		l.maxBackRun(acc)
	}
}

// maxRun emits the forward pass of max pooling, with or without indices.
func (l *isa) maxRun(keep bool) {
	pointers, name, doc := []string{"y", "x"}, "maxRun", "computes y = max x over the taps."
	signature := "func(y, x *float32, taps *byte, ntaps, n, cols, yStep, xStep int)"
	if keep {
		pointers, name = []string{"y", "index", "x"}, "maxIndexRun"
		doc = "computes y = max x over the taps and the index of the first maximum or the last NaN."
		signature = "func(y *float32, index *byte, x *float32, taps *byte, ntaps, n, cols, yStep, indexStep, xStep int)"
	}
	l.function(name, doc, signature)
	l.runs(pointers, func(w walk, n int, part *mask) {
		top, at := l.vecs(n), l.vecs(n)
		first, number := l.arg("taps"), l.vec()
		for u := range n {
			l.VBROADCASTSS(l.memory("negativeInfinity", U32(0xff800000)), top[u])
			if keep {
				l.VPBROADCASTD(Mem{Base: first, Disp: tapIndex}, at[u])
			}
		}
		w.taps("x", func(source, tap Mem) {
			if keep {
				l.VPBROADCASTD(tap.Offset(tapIndex), number)
			}
			for u := range n {
				v := l.load(source.Offset(4*l.width*u), part)
				if l.wide() {
					k, nan := l.K(), l.K()
					l.VCMPPS(greater, top[u], v, k)
					l.VCMPPS(unordered, v, v, nan)
					l.KORW(k, nan, k)
					l.VMOVAPS(v, k, top[u])
					if keep {
						l.VMOVDQA32(number, k, at[u])
					}
					continue
				}
				m, nan := l.YMM(), l.YMM()
				l.VCMPPS(greater, top[u], v, m)
				l.VCMPPS(unordered, v, v, nan)
				l.VORPS(m, nan, m)
				l.VBLENDVPS(m, v, top[u], top[u])
				if keep {
					l.VBLENDVPS(m, number, at[u], at[u])
				}
			}
		})
		for u := range n {
			l.store(top[u], l.at(w.base["y"], w.j, u), part)
			if keep {
				w.storeBytes(at[u], Mem{Base: w.base["index"], Index: w.j, Scale: 1, Disp: l.width * u}, part)
			}
		}
	})
}

// storeBytes writes the low bytes of the 32-bit lanes. Under a mask AVX2 writes the last 8 columns
// and keeps those before j. Rows have at least 8 columns.
func (w walk) storeBytes(v reg.VecVirtual, to Mem, part *mask) {
	if w.wide() {
		if part == nil {
			w.VPMOVDB(v, to)
		} else {
			w.VPMOVDB(v, part.k, to)
		}
		return
	}
	low, high := w.XMM(), w.XMM()
	w.VEXTRACTI128(Imm(1), v, high)
	w.VPACKUSDW(high, v.AsX(), low)
	w.VPACKUSWB(low, low, low)
	if part == nil {
		w.VMOVQ(low, to)
		return
	}
	fresh, old, shift := w.GP64(), w.GP64(), w.GP64()
	last := Mem{Base: to.Base, Index: w.cols, Scale: 1, Disp: -8}
	w.VMOVQ(low, fresh)
	w.tailShift(shift)
	w.SHLXQ(shift, fresh, fresh)
	w.MOVQ(last, old)
	w.BZHIQ(shift, old, old)
	w.ORQ(old, fresh)
	w.MOVQ(fresh, last)
}

// loadBytes reads bytes that storeBytes has written into 32-bit lanes.
func (w walk) loadBytes(from Mem, part *mask) reg.VecVirtual {
	v := w.vec()
	if part == nil {
		w.VPMOVZXBD(from, v)
		return v
	}
	if w.wide() {
		w.VPMOVZXBD_Z(from, part.k, v)
		return v
	}
	bytes, shift, x := w.GP64(), w.GP64(), w.XMM()
	w.tailShift(shift)
	w.MOVQ(from.Offset(-8), bytes) // the last 8 bytes of the row: from is the row's end here
	w.SHRXQ(shift, bytes, bytes)
	w.VMOVQ(bytes, x)
	w.VPMOVZXBD(x, v)
	return v
}

// tailShift sets shift to the number of bits in the last 8 bytes of a row that precede column j:
// 8·(8 - (cols mod 8)).
func (w walk) tailShift(shift reg.GPVirtual) {
	w.MOVQ(w.j, shift)
	w.SUBQ(w.cols, shift)
	w.LEAQ(Mem{Base: shift, Disp: 8}, shift)
	w.SHLQ(Imm(3), shift)
}

// maxBackRun emits the backward pass of max pooling.
func (l *isa) maxBackRun(acc bool) {
	name, doc := "maxBackRun", "computes dx = Σ dy over the taps whose index is theirs."
	if acc {
		name, doc = "maxBackRunAcc", "adds dx += Σ dy over the taps whose index is theirs."
	}
	l.function(name, doc, "func(dx, dy *float32, index, taps *byte, ntaps, n, cols, dxStep, dyStep, indexStep int)")
	l.runs([]string{"dx", "dy", "index"}, func(w walk, n int, part *mask) {
		sum, number := w.start("dx", n, part, acc), l.vec()
		w.taps("dy", func(source, tap Mem) {
			code := l.GP64()
			l.MOVQ(tap.Offset(tapCode), code)
			if part != nil && !l.wide() {
				l.ADDQ(w.cols, code)
			} else {
				l.ADDQ(w.j, code)
			}
			l.VPBROADCASTD(tap.Offset(tapIndex), number)
			for u := range n {
				from := Mem{Base: w.base["index"], Index: code, Scale: 1, Disp: l.width * u}
				v, at := l.load(source.Offset(4*l.width*u), part), w.loadBytes(from, part)
				if l.wide() {
					k := l.K()
					l.VPCMPEQD(number, at, k)
					l.VADDPS(v, sum[u], k, sum[u])
					continue
				}
				l.VPCMPEQD(number, at, at)
				l.VANDPS(v, at, v)
				l.VADDPS(v, sum[u], sum[u])
			}
		})
		for u := range n {
			l.store(sum[u], l.at(w.base["dx"], w.j, u), part)
		}
	})
}
