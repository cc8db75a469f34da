//go:build cuda

package driver

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Pinned is host memory that the GPU reads and writes by itself, as asynchronous copies require. It
// is not Go's memory, so it never moves and must be closed.
type Pinned struct {
	device *Device
	data   []byte
}

// NewPinned allocates pinned memory.
func (d *Device) NewPinned(bytes int64) (*Pinned, error) {
	p := &Pinned{device: d}
	err := d.call(func() error {
		m, err := allocPinned(bytes)
		if err != nil {
			return failed(err, "cuMemHostAlloc of %s of pinned memory", size(bytes))
		}
		p.data = unsafe.Slice((*byte)(m), bytes)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Bytes returns the memory. It must not be used while a copy from or to it is under way, nor after
// Close.
func (p *Pinned) Bytes() []byte { return p.data }

// Close frees the memory. It waits for work under way.
func (p *Pinned) Close() error {
	data := p.data
	p.data = nil
	if data == nil {
		return nil
	}
	return p.device.release(func() error {
		return failed(cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(data))), "cuMemFreeHost")
	})
}

// Number is a type of elements that have the same representation in host memory and in kernels.
type Number interface {
	~uint8 | ~int8 | ~uint16 | ~int16 | ~uint32 | ~int32 | ~uint64 | ~int64 | ~float32 | ~float64
}

// Bytes returns the memory of a slice.
func Bytes[T Number](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}

// As returns pinned memory, or other memory that is aligned for T, as a slice of numbers.
func As[T Number](b []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}
