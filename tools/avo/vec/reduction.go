package main

import (
	"maps"
	"slices"

	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// reduction is a kernel that sums over rows: in float32 over blocks of at most blockRows rows and
// then in float64, or in float64 throughout.
type reduction struct {
	name, doc string
	matrices  []string
	channels  []string
	wide      []string // names of float64 sums, one for each column, for which row gets two float64 registers
	sums      []string // names of the sums for which row gets one float32 register, after the wide ones
	once      []string // the channel vectors that row needs in registers
	constants map[string]float32
	row       func(load, value get, sum []reg.VecVirtual) // adds one row's vector
	finish    func(load get, sum []reg.VecVirtual)        // runs before the block's sums become float64
}

const blockRows = 32

// emitReduction writes the kernel: blocks of rows, within them blocks of columns, within them rows.
// Descending the rows in pieces of a few cache lines defeats the hardware's prefetching, so every
// row prefetches the row one block further on into L2. From main memory that doubles the speed.
// Rows of a single piece need no prefetching.
func (l *isa) emitReduction(k reduction) {
	signature := "func("
	for _, p := range append(append([]string{}, k.matrices...), k.channels...) {
		signature += p + ", "
	}
	signature = signature[:len(signature)-2] + " *float32, "
	for i, p := range slices.Concat(k.wide, k.sums) {
		if i > 0 {
			signature += ", "
		}
		signature += p
	}
	signature += " *float64, rows, cols"
	for _, m := range k.matrices {
		signature += ", ld" + m
	}
	l.function(k.name, k.doc, signature+" int)")

	base, values := map[string]reg.GPVirtual{}, map[string]reg.VecVirtual{}
	ahead := map[string]reg.GPVirtual{}
	for _, m := range k.matrices {
		base[m] = l.arg(m)
		ahead[m] = l.arg("ld" + m)
		l.IMUL3Q(U32(blockRows), ahead[m], ahead[m])
	}
	for _, c := range slices.Sorted(maps.Keys(k.constants)) {
		values[c] = l.constant(k.constants[c])
	}
	cols, j, block, count := l.arg("cols"), l.GP64(), l.GP64(), l.GP64()
	part := l.tail(cols)
	unroll := 2
	if l.wide() {
		unroll = 4
	}
	l.CMPQ(cols, Imm(uint64(unroll*l.width))) // a single block of columns descends the rows without gaps
	l.JGT(LabelRef("blocks"))
	for _, m := range k.matrices {
		l.XORQ(ahead[m], ahead[m])
	}
	l.Label("blocks")
	l.MOVQ(U32(blockRows), block)
	l.CMPQ(block, l.stack("rows"))
	l.CMOVQGT(l.stack("rows"), block)
	l.columns(cols, j, unroll, part, func(n int, part *mask) {
		sums, held := make([][]reg.VecVirtual, n), make([]map[string]reg.VecVirtual, n)
		for u := range n {
			held[u] = map[string]reg.VecVirtual{}
			for _, c := range k.once {
				held[u][c] = l.load(l.at(l.arg(c), j, u), part)
			}
			for range 2*len(k.wide) + len(k.sums) {
				sums[u] = append(sums[u], l.constant(0))
			}
		}
		row := map[string]reg.GPVirtual{}
		for _, m := range k.matrices {
			row[m] = l.GP64()
			l.LEAQ(Mem{Base: base[m], Index: j, Scale: 4}, row[m])
		}
		l.MOVQ(block, count)
		again := l.label("sum")
		l.Label(again)
		for _, m := range k.matrices {
			for line := 0; line < 4*l.width*n; line += 64 {
				l.PREFETCHT1(Mem{Base: row[m], Index: ahead[m], Scale: 1, Disp: line})
			}
		}
		for u := range n {
			k.row(
				func(name string) reg.VecVirtual {
					return l.load(Mem{Base: row[name], Disp: 4 * l.width * u}, part)
				},
				func(name string) reg.VecVirtual {
					if v, ok := held[u][name]; ok {
						return v
					}
					return values[name]
				}, sums[u])
		}
		for _, m := range k.matrices {
			l.ADDQ(l.stack("ld"+m), row[m])
		}
		l.DECQ(count)
		l.JNZ(LabelRef(again))
		for u := range n {
			if k.finish != nil {
				k.finish(func(name string) reg.VecVirtual { return l.load(l.at(l.arg(name), j, u), part) }, sums[u])
			}
			to := func(sum string) Mem { return Mem{Base: l.arg(sum), Index: j, Scale: 8, Disp: 8 * l.width * u} }
			for i, s := range k.wide {
				l.addDoubles(sums[u][2*i], sums[u][2*i+1], to(s), part)
			}
			for i, s := range k.sums {
				lo, hi := l.doubles(sums[u][2*len(k.wide)+i])
				l.addDoubles(lo, hi, to(s), part)
			}
		}
	})
	for _, m := range k.matrices {
		step := l.GP64()
		l.MOVQ(block, step)
		l.IMULQ(l.stack("ld"+m), step)
		l.ADDQ(step, base[m])
	}
	l.SUBQ(block, l.stack("rows"))
	l.JNZ(LabelRef("blocks"))
	l.end()
}
