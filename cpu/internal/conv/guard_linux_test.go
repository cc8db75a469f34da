package conv

import (
	"sync"
	"syscall"
	"unsafe"
)

var (
	arenaMu sync.Mutex
	arenas  [][]byte
)

// guarded returns n values before a page that cannot be read or written. They are valid until
// freeGuarded.
func guarded(n int) []float32 {
	page := syscall.Getpagesize()
	size := roundUp(4*n, page)
	mem, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	if err := syscall.Mprotect(mem[size:], syscall.PROT_NONE); err != nil {
		panic(err)
	}
	arenaMu.Lock()
	arenas = append(arenas, mem)
	arenaMu.Unlock()
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[size-4*n])), n)
}

// freeGuarded frees all memory of guarded.
func freeGuarded() {
	arenaMu.Lock()
	defer arenaMu.Unlock()
	for _, mem := range arenas {
		if err := syscall.Munmap(mem); err != nil {
			panic(err)
		}
	}
	arenas = nil
}
