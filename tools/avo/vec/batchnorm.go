package main

import (
	"maps"
	"slices"

	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// batchNorm emits the kernels of vec/batchnorm.go.
func batchNorm(l *lane) {
	for _, clamp := range []bool{false, true} {
		for _, acc := range []bool{false, true} {
			l.bnApply(clamp, acc)
		}
		l.bnReduce(clamp)
	}
	l.emitReduction(reduction{
		name: "columnSum", doc: "adds the columns' sums to sum.", matrices: []string{"x"}, sums: []string{"sum"},
		row: func(load, _ get, sum []reg.VecVirtual) { l.VADDPS(load("x"), sum[0], sum[0]) },
	})
	l.emitReduction(reduction{
		name: "channelSums", doc: "adds the columns' sums to sum and those of their squares to sumsq.",
		matrices: []string{"x"}, sums: []string{"sum", "sumsq"},
		row: func(load, _ get, sum []reg.VecVirtual) {
			x := load("x")
			l.VADDPS(x, sum[0], sum[0])
			l.VFMADD231PS(x, x, sum[1])
		},
	})
	l.emitReduction(reduction{
		name: "probe", doc: "adds the columns' sums of squares to squares and how many values are not above zero to zeros.",
		matrices: []string{"x"}, wide: []string{"squares"}, sums: []string{"zeros"}, constants: map[string]float32{"zero": 0, "one": 1},
		row: func(load, value get, sum []reg.VecVirtual) {
			x := load("x")
			lo, hi := l.doubles(x)
			l.VFMADD231PD(lo, lo, sum[0])
			l.VFMADD231PD(hi, hi, sum[1])
			l.count(x, value("zero"), value("one"), sum[2])
		},
	})
}

// bnApply emits dx = a·g + b·x + c.
func (l *lane) bnApply(clamp, acc bool) {
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
func (l *lane) bnReduce(clamp bool) {
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
func (l *lane) emitReduction(k reduction) {
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
