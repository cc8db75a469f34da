//go:build !amd64

package vec

// detect finds no assembly on this architecture.
func detect() *kernels { return nil }
