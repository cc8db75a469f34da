//go:build !amd64

package conv

// machine is the kernels that this machine can run, best first.
var machine = []*kernels{goKernels}
