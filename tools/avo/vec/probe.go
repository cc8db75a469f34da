package main

import "github.com/mmcloughlin/avo/reg"

// probe emits the kernels of vec/probe.go.
func probe(l *isa) {
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
