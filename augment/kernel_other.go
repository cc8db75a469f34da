//go:build !amd64

package augment

// kernels stands for the assembly functions of an instruction set.
type kernels struct{ name string }

// machine has no kernels on this machine.
var machine []kernels

func (*taps) prepareRows3([]kernels, []byte, int, int) int { return 0 }

func (*taps) resizeRows3(_ []kernels, _ []byte, _ int, _ []byte, _, from, _ int) int { return from }

func (*taps) kernelColumn([]kernels, []byte, []byte, int, int) bool { return false }
