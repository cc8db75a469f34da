package main

import (
	"maps"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// columns emits the loop over one row. body(n, part) handles n vectors from column j on: first n =
// unroll while that many are left, then 1, then the rest of the row under a mask.
func (l *isa) columns(cols, j reg.GPVirtual, unroll int, part *mask, body func(n int, part *mask)) {
	next := l.GP64()
	l.XORQ(j, j)
	for _, n := range []int{unroll, 1} {
		again, done := l.label("vectors"), l.label("fewer")
		l.Label(again)
		l.LEAQ(Mem{Base: j, Disp: n * l.width}, next)
		l.CMPQ(next, cols)
		l.JGT(LabelRef(done))
		body(n, nil)
		l.MOVQ(next, j)
		l.JMP(LabelRef(again))
		l.Label(done)
		if n == 1 {
			break
		}
	}
	done := l.label("row")
	l.CMPQ(j, cols)
	l.JEQ(LabelRef(done))
	body(1, part)
	l.Label(done)
}

// nextRow ends the loop over rows that begins at label rows. It adds the stride, the argument
// ldNAME, to each matrix's pointer.
func (l *isa) nextRow(rows reg.GPVirtual, matrices map[string]reg.GPVirtual) {
	for _, m := range slices.Sorted(maps.Keys(matrices)) {
		l.ADDQ(l.stack("ld"+m), matrices[m])
	}
	l.DECQ(rows)
	l.JNZ(LabelRef("rows"))
}

// at returns the address of vector u, counted from column j, in the row at base.
func (l *isa) at(base, j reg.GPVirtual, u int) Mem {
	return Mem{Base: base, Index: j, Scale: 4, Disp: 4 * l.width * u}
}

// The arguments of a rowKernel's body.
type (
	get = func(name string) reg.VecVirtual
	put = func(name string, v reg.VecVirtual)
)

var zero = map[string]float32{"zero": 0}

// rowKernel is a kernel that computes every element from the elements at the same place in its
// matrices and in the same column of its channel vectors.
type rowKernel struct {
	name, doc string
	matrices  []string // the first one is written
	channels  []string // one float32 for each column
	scalars   []string
	constants map[string]float32
	flat      bool // no matrices: every argument is one row of n elements
	unroll    int
	// body stores the results. load reads the current vector of a matrix or of a channel vector,
	// store writes one of a matrix, and value returns a scalar or a constant in all lanes.
	body func(load, value func(name string) reg.VecVirtual, store func(name string, v reg.VecVirtual))
}

// emit writes the kernel. Its arguments are pointers to the matrices and the channel vectors, the
// scalars, rows, cols, and the matrices' strides in bytes. A flat kernel's arguments are the
// pointers, the scalars and n.
func (l *isa) emit(k rowKernel) {
	pointers := append(append([]string{}, k.matrices...), k.channels...)
	signature := "func(" + strings.Join(pointers, ", ") + " *float32, "
	if len(k.scalars) > 0 {
		signature += strings.Join(k.scalars, ", ") + " float32, "
	}
	if k.flat {
		signature += "cols int)"
	} else {
		signature += "rows, cols, ld" + strings.Join(k.matrices, ", ld") + " int)"
	}
	l.function(k.name, k.doc, signature)
	base, values := map[string]reg.GPVirtual{}, map[string]reg.VecVirtual{}
	for _, p := range pointers {
		base[p] = l.arg(p)
	}
	for _, s := range k.scalars {
		values[s] = l.spread(s)
	}
	for _, c := range slices.Sorted(maps.Keys(k.constants)) {
		values[c] = l.constant(k.constants[c])
	}
	cols, j := l.arg("cols"), l.GP64()
	part := l.tail(cols)
	var rows reg.GPVirtual
	if !k.flat {
		rows = l.arg("rows")
		l.Label("rows")
	}
	l.columns(cols, j, k.unroll, part, func(n int, part *mask) {
		for u := range n {
			k.body(
				func(name string) reg.VecVirtual { return l.load(l.at(base[name], j, u), part) },
				func(name string) reg.VecVirtual { return values[name] },
				func(name string, v reg.VecVirtual) { l.store(v, l.at(base[name], j, u), part) },
			)
		}
	})
	if !k.flat {
		for _, c := range k.channels {
			delete(base, c)
		}
		l.nextRow(rows, base)
	}
	l.end()
}
