package main

// add emits the kernels of vec/add.go.
func add(l *isa) {
	l.emit(rowKernel{
		name: "add", doc: "computes y += x.", matrices: []string{"y", "x"}, unroll: 4,
		body: func(load, _ get, store put) {
			v := load("x")
			l.VADDPS(load("y"), v, v)
			store("y", v)
		},
	})
}
