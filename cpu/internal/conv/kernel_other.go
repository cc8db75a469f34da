//go:build !amd64

package conv

// machine has the kernels that this machine can run, best first.
var machine = []*kernels{goKernels}
