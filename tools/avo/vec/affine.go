package main

import "github.com/mmcloughlin/avo/reg"

// affine emits the kernels of vec/affine.go.
func affine(l *isa) {
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
}
