package main

// copyRows emits the kernels of vec/copy.go.
func copyRows(l *isa) {
	l.emit(rowKernel{
		name: "copy", doc: "computes y = x.", matrices: []string{"y", "x"}, unroll: 4,
		body: func(load, _ get, store put) { store("y", load("x")) },
	})
	l.emit(rowKernel{
		name: "fill", doc: "computes y = a.", matrices: []string{"y"}, scalars: []string{"a"}, unroll: 4,
		body: func(_, value get, store put) { store("y", value("a")) },
	})
}
