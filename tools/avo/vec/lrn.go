package main

import (
	"github.com/mmcloughlin/avo/reg"
)

// lrn emits the kernels of vec/lrn.go for windows of 5 channels and β = 3/4. They write a row's
// squares or ratios to terms, which has two zeros, the row, two zeros and room for one more vector.
// Then every channel reads its 5 neighbours there.
func lrn(l *isa) {
	l.lrnForward()
	for _, acc := range []bool{false, true} {
		l.lrnBackward(acc)
	}
}

// window sums channels j-2 to j+2 of terms.
func (l *isa) window(terms, j reg.GPVirtual) reg.VecVirtual {
	sum := l.load(l.at(terms, j, 0), nil)
	for c := 1; c < 5; c++ {
		l.VADDPS(l.at(terms, j, 0).Offset(4*c), sum, sum)
	}
	return sum
}

// power returns s^(3/4).
func (l *isa) power(s reg.VecVirtual) reg.VecVirtual {
	root, fourth := l.vec(), l.vec()
	l.VSQRTPS(s, root)
	l.VSQRTPS(root, fourth)
	l.VMULPS(root, fourth, fourth)
	return fourth
}

func (l *isa) lrnForward() {
	l.function("lrnForward", "computes s = k + alpha·Σ x² over 5 channels and y = x·s^-3/4.",
		"func(y, s, x, terms *float32, k, alpha float32, rows, cols, ldy, lds, ldx int)")
	y, s, x, terms := l.arg("y"), l.arg("s"), l.arg("x"), l.arg("terms")
	rows, cols, j := l.arg("rows"), l.arg("cols"), l.GP64()
	k, alpha, part := l.spread("k"), l.spread("alpha"), l.tail(cols)
	l.Label("rows")
	l.columns(cols, j, 1, part, func(_ int, part *mask) {
		v := l.load(l.at(x, j, 0), part)
		l.VMULPS(v, v, v)
		l.store(v, l.at(terms, j, 0).Offset(8), part)
	})
	l.columns(cols, j, 1, part, func(_ int, part *mask) {
		sum := l.window(terms, j)
		l.VFMADD132PS(alpha, k, sum)
		l.store(sum, l.at(s, j, 0), part)
		v := l.load(l.at(x, j, 0), part)
		l.VDIVPS(l.power(sum), v, v)
		l.store(v, l.at(y, j, 0), part)
	})
	l.nextRow(rows, map[string]reg.GPVirtual{"y": y, "s": s, "x": x})
	l.end()
}

func (l *isa) lrnBackward(acc bool) {
	name, doc := "lrnBackward", "computes"
	if acc {
		name, doc = "lrnBackwardAcc", "adds"
	}
	l.function(name, doc+" dx = dy·s^-3/4 - factor·x·Σ dy·x·s^-7/4 over 5 channels; scaled is memory for dy·s^-3/4.",
		"func(dx, dy, x, s, terms, scaled *float32, factor float32, rows, cols, lddx, lddy, ldx, lds int)")
	dx, dy, x, s, terms, scaled := l.arg("dx"), l.arg("dy"), l.arg("x"), l.arg("s"), l.arg("terms"), l.arg("scaled")
	rows, cols, j := l.arg("rows"), l.arg("cols"), l.GP64()
	factor, part := l.spread("factor"), l.tail(cols)
	l.Label("rows")
	l.columns(cols, j, 1, part, func(_ int, part *mask) {
		base, g := l.load(l.at(s, j, 0), part), l.load(l.at(dy, j, 0), part)
		l.VDIVPS(l.power(base), g, g)
		l.store(g, l.at(scaled, j, 0), part)
		l.VDIVPS(base, g, g)
		v := l.load(l.at(x, j, 0), part)
		l.VMULPS(v, g, g)
		l.store(g, l.at(terms, j, 0).Offset(8), part)
	})
	l.columns(cols, j, 1, part, func(_ int, part *mask) {
		sum, v, g := l.window(terms, j), l.load(l.at(x, j, 0), part), l.load(l.at(scaled, j, 0), part)
		l.VMULPS(factor, v, v)
		l.VFNMADD231PS(sum, v, g)
		if acc {
			l.VADDPS(l.load(l.at(dx, j, 0), part), g, g)
		}
		l.store(g, l.at(dx, j, 0), part)
	})
	l.nextRow(rows, map[string]reg.GPVirtual{"dx": dx, "dy": dy, "x": x, "s": s})
	l.end()
}
