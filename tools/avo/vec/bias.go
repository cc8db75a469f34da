package main

import "github.com/mmcloughlin/avo/reg"

// bias emits the kernels of vec/bias.go.
func bias(l *isa) {
	l.emitReduction(reduction{
		name: "columnSum", doc: "adds the columns' sums to sum.", matrices: []string{"x"}, sums: []string{"sum"},
		row: func(load, _ get, sum []reg.VecVirtual) { l.VADDPS(load("x"), sum[0], sum[0]) },
	})
}
