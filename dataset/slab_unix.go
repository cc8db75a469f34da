//go:build unix

package dataset

import "syscall"

func newSlab(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func freeSlab(slab []byte) { _ = syscall.Munmap(slab) }
