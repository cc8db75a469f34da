//go:build !linux

package guard

import "testing"

// Allocate returns n elements. Only on Linux is the page after them unreadable.
func Allocate[T any](_ *testing.T, n int) []T { return make([]T, n) }
