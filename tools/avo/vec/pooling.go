package main

import (
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// The offsets in bytes of the fields of package vec's struct tap.
const (
	tapSource = 0
	tapCode   = 8
	tapWeight = 24
	tapIndex  = 28
	tapSize   = 32
)

// walk has the loops over outputs, columns and taps that the pooling kernels share.
type walk struct {
	*isa
	base map[string]reg.GPVirtual
	cols reg.GPVirtual
	j    reg.GPVirtual
}

// runs emits the loop over n outputs. After each, every pointer advances by its step in bytes, the
// argument NameStep.
func (l *isa) runs(pointers []string, body func(w walk, n int, part *mask)) {
	w := walk{isa: l, base: map[string]reg.GPVirtual{}, cols: l.arg("cols"), j: l.GP64()}
	for _, p := range pointers {
		w.base[p] = l.arg(p)
	}
	part := l.tail(w.cols)
	l.Label("outputs")
	l.columns(w.cols, w.j, 4, part, func(n int, part *mask) { body(w, n, part) })
	for _, p := range pointers {
		l.ADDQ(l.stack(p+"Step"), w.base[p])
	}
	l.DECQ(l.stack("n"))
	l.JNZ(LabelRef("outputs"))
	l.end()
}

// taps emits the loop over the taps, of which there may be none. source has the vectors from column
// j on of the tap's source among the rows at name.
func (w walk) taps(name string, body func(source, tap Mem)) {
	tap, left, column, offset := w.arg("taps"), w.arg("ntaps"), w.GP64(), w.GP64()
	w.LEAQ(w.at(w.base[name], w.j, 0), column)
	again, done := w.label("taps"), w.label("done")
	w.Label(again)
	w.DECQ(left)
	w.JLT(LabelRef(done))
	w.MOVQ(Mem{Base: tap, Disp: tapSource}, offset)
	body(Mem{Base: column, Index: offset, Scale: 1}, Mem{Base: tap})
	w.ADDQ(Imm(tapSize), tap)
	w.JMP(LabelRef(again))
	w.Label(done)
}

// start returns the sums before the first tap: the values in the output, or zero.
func (w walk) start(output string, n int, part *mask, acc bool) []reg.VecVirtual {
	sum := make([]reg.VecVirtual, n)
	for u := range sum {
		if acc {
			sum[u] = w.load(w.at(w.base[output], w.j, u), part)
		} else {
			sum[u] = w.constant(0)
		}
	}
	return sum
}
