package main

// relu emits the kernels of vec/relu.go.
func relu(l *isa) {
	l.emit(rowKernel{
		name: "relu", doc: "computes y = max(x, 0).", matrices: []string{"y", "x"}, constants: zero, unroll: 4,
		body: func(load, value get, store put) {
			v := load("x")
			l.clamp(v, value("zero"))
			store("y", v)
		},
	})
	for _, acc := range []bool{false, true} {
		suffix, doc := "", "computes"
		if acc {
			suffix, doc = "Acc", "adds"
		}
		l.emit(rowKernel{
			name: "reluBackward" + suffix, doc: doc + " dx = (y <= 0 ? 0 : dy).",
			matrices: []string{"dx", "dy", "y"}, constants: zero, unroll: 4,
			body: func(load, value get, store put) {
				g := load("dy")
				l.gate(g, load("y"), value("zero"))
				if acc {
					l.VADDPS(load("dx"), g, g)
				}
				store("dx", g)
			},
		})
	}
}
