package main

import "github.com/mmcloughlin/avo/reg"

// The arguments of a rowKernel's body.
type (
	get = func(name string) reg.VecVirtual
	put = func(name string, v reg.VecVirtual)
)

var zero = map[string]float32{"zero": 0}

// elementwise emits the kernels of vec/elementwise.go.
func elementwise(l *lane) {
	for _, clamp := range []bool{false, true} {
		suffix, doc, constants := "", "", map[string]float32(nil)
		if clamp {
			suffix, doc, constants = "Clamp", ", then max(y, 0)", zero
		}
		finish := func(v reg.VecVirtual, value get, store put) {
			if clamp {
				l.clamp(v, value("zero"))
			}
			store("y", v)
		}
		l.emit(rowKernel{
			name: "scaleShift" + suffix, doc: "computes y = x·scale + shift" + doc + ".",
			matrices: []string{"y", "x"}, channels: []string{"scale", "shift"}, constants: constants, unroll: 4,
			body: func(load, value get, store put) {
				v, b := load("x"), load("shift")
				l.VFMADD132PS(load("scale"), b, v)
				finish(v, value, store)
			},
		})
		l.emit(rowKernel{
			name: "addShift" + suffix, doc: "computes y = x + shift" + doc + ".",
			matrices: []string{"y", "x"}, channels: []string{"shift"}, constants: constants, unroll: 4,
			body: func(load, value get, store put) {
				v := load("x")
				l.VADDPS(load("shift"), v, v)
				finish(v, value, store)
			},
		})
	}
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
	l.emit(rowKernel{
		name: "add", doc: "computes y += x.", matrices: []string{"y", "x"}, unroll: 4,
		body: func(load, _ get, store put) {
			v := load("x")
			l.VADDPS(load("y"), v, v)
			store("y", v)
		},
	})
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
	l.emit(rowKernel{
		name: "copy", doc: "computes y = x.", matrices: []string{"y", "x"}, unroll: 4,
		body: func(load, _ get, store put) { store("y", load("x")) },
	})
	l.emit(rowKernel{
		name: "fill", doc: "computes y = a.", matrices: []string{"y"}, scalars: []string{"a"}, unroll: 4,
		body: func(_, value get, store put) { store("y", value("a")) },
	})
}
