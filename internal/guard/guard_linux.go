// Package guard gives tests memory that ends at an unreadable page.
package guard

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Allocate returns n elements that end at an unreadable page, so that a kernel that reads past the
// end crashes the test.
func Allocate[T any](t *testing.T, n int) []T {
	var e T
	page := syscall.Getpagesize()
	size := n * int(unsafe.Sizeof(e))
	pages := (size + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, pages+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	require.NoError(t, syscall.Mprotect(m[pages:], syscall.PROT_NONE))
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(m)) })
	if n == 0 {
		return []T{}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&m[pages-size])), n)
}
