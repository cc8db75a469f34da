// Package kernels holds the CUDA sources of Tributary, their parameter structs and the table of
// kernels.
//
// Each operation has one .cu file, whose head says what its kernels compute, over which shapes and
// at which cost. params.h has one plain struct for each kernel, and params_gen.go its mirror in Go.
// gpu/ is the thin layer that device and host compilers share. emulator/ compiles the same sources
// for the host, behind a stand-in libcuda.so.1, and finds races, wrong addresses and missing waits
// without a GPU. cubins/ holds the sources compiled for GPUs; make cubins writes it.
//
// The tests build the emulator with make and a C++ compiler, compare every kernel with a reference
// in double precision, and run planted bugs to prove that the tools find them.
package kernels

import "slices"

//go:generate go run ./internal/genparams

// Kernel is an entry point of the cubins.
type Kernel struct {
	Name       string
	File       string  // source
	Threads    int     // per block, at most
	ParamSize  uintptr // bytes of its parameter struct
	Arithmetic Arithmetic
}

// Arithmetic is how a kernel multiplies. The peak rate of its arithmetic depends on it.
type Arithmetic uint8

// The kinds of arithmetic. All sums are float32.
const (
	FMA        Arithmetic = iota // float32, by fused multiply-add
	TensorTF32                   // tensor cores, on float32 rounded to tf32
	TensorBF16                   // tensor cores, on bfloat16
)

// String returns the name of the arithmetic.
func (a Arithmetic) String() string {
	return [...]string{"float32 FMA", "tf32 tensor cores", "bf16 tensor cores"}[a]
}

// Find returns the kernel with the given name and whether it exists.
func Find(name string) (Kernel, bool) {
	i := slices.IndexFunc(All, func(k Kernel) bool { return k.Name == name })
	if i < 0 {
		return Kernel{}, false
	}
	return All[i], true
}
