//go:build !linux

package conv

func guarded(n int) []float32 { return make([]float32, n) }

func freeGuarded() {}
