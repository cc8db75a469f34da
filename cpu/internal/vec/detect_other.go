//go:build !amd64

package vec

// detect returns nil: this architecture has no assembly.
func detect() *kernels { return nil }
