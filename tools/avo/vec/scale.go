package main

// scale emits the kernels of vec/scale.go.
func scale(l *isa) {
	l.emit(rowKernel{
		name: "axpy", doc: "computes y += a·x.", matrices: []string{"y", "x"}, scalars: []string{"a"}, unroll: 4,
		body: func(load, value get, store put) {
			v := load("y")
			l.VFMADD231PS(load("x"), value("a"), v)
			store("y", v)
		},
	})
	l.emit(rowKernel{
		name: "scale", doc: "computes y = a·x.", matrices: []string{"y", "x"}, scalars: []string{"a"}, unroll: 4,
		body: func(load, value get, store put) {
			v := load("x")
			l.VMULPS(value("a"), v, v)
			store("y", v)
		},
	})
}
