//go:build cuda

package driver

import (
	"errors"
	"fmt"

	"github.com/tributary-ml/tributary/kernels"
	"gorgonia.org/cu"
)

// Alignment of every piece of an arena. The driver's own allocations have it too. It is enough for
// 16-byte loads, for tensor maps and for whole memory transactions.
const Alignment = 256

// Span is a piece of device memory. The zero Span is empty.
type Span struct {
	Address kernels.DevicePtr
	Bytes   int64
}

// Sub returns the piece of the given size that begins at an offset.
func (s Span) Sub(offset, bytes int64) (Span, error) {
	if offset < 0 || bytes < 0 || offset > s.Bytes-bytes {
		return Span{}, fmt.Errorf("cuda: %d bytes from offset %d are not in a piece of %d bytes", bytes, offset, s.Bytes)
	}
	return Span{Address: s.Address + kernels.DevicePtr(offset), Bytes: bytes}, nil
}

// Arena is device memory that is allocated and freed as a whole.
type Arena struct {
	device *Device
	blocks []cu.DevicePtr
	spans  []Span
	bytes  int64
}

// NewArena allocates a piece for each size, at aligned addresses in one allocation. With isolated,
// each piece is an allocation of its own, so that the emulator and compute-sanitizer detect a
// kernel that runs past a piece's end. A size of 0 gives the zero Span. The memory is not
// initialised.
func (d *Device) NewArena(sizes []int64, isolated bool) (*Arena, error) {
	a := &Arena{device: d, spans: make([]Span, len(sizes))}
	for i, n := range sizes {
		if n < 0 {
			return nil, fmt.Errorf("cuda: piece %d of an arena has %d bytes", i, n)
		}
		a.spans[i].Bytes = n
		a.bytes += (n + Alignment - 1) / Alignment * Alignment
	}
	err := d.call(func() error {
		if isolated {
			return a.allocateEach()
		}
		return a.allocateOnce()
	})
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Arena) allocateOnce() error {
	if a.bytes == 0 {
		return nil
	}
	p, err := a.allocate(a.bytes)
	if err != nil {
		return err
	}
	address := kernels.DevicePtr(p)
	for i, s := range a.spans {
		if s.Bytes > 0 {
			a.spans[i].Address = address
			address += kernels.DevicePtr((s.Bytes + Alignment - 1) / Alignment * Alignment)
		}
	}
	return nil
}

func (a *Arena) allocateEach() error {
	for i, s := range a.spans {
		if s.Bytes > 0 {
			p, err := a.allocate(s.Bytes)
			if err != nil {
				return err
			}
			a.spans[i].Address = kernels.DevicePtr(p)
		}
	}
	return nil
}

// allocate allocates one block. If memory is short, the error says how much is free.
func (a *Arena) allocate(bytes int64) (cu.DevicePtr, error) {
	p, err := cu.MemAlloc(bytes)
	if err == nil {
		a.blocks = append(a.blocks, p)
		return p, nil
	}
	err = failed(err, "cuMemAlloc of %s", size(bytes))
	if e := (*Error)(nil); errors.As(err, &e) && e.Code == OutOfMemory {
		if free, total, infoErr := cu.MemInfo(); infoErr == nil {
			e.Detail = fmt.Sprintf("%s of %s are free on %s", size(free), size(total), a.device.Name)
		}
	}
	return 0, err
}

// granule is the size of which the driver allocates multiples.
const granule = 2 << 20

// ArenaBytes returns how much of the device's memory an arena with pieces of these sizes takes.
func ArenaBytes(sizes ...int64) int64 {
	var n int64
	for _, s := range sizes {
		n += (s + Alignment - 1) / Alignment * Alignment
	}
	return (n + granule - 1) / granule * granule
}

// Span returns the piece for the i-th size.
func (a *Arena) Span(i int) Span { return a.spans[i] }

// Bytes returns the size of the arena, including alignment.
func (a *Arena) Bytes() int64 { return a.bytes }

// Close frees the arena. It waits for work under way.
func (a *Arena) Close() error {
	blocks := a.blocks
	a.blocks = nil
	return a.device.release(func() error {
		var all error
		for _, p := range blocks {
			all = errors.Join(all, failed(cu.MemFree(p), "cuMemFree"))
		}
		return all
	})
}
