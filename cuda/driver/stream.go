//go:build cuda

package driver

import (
	"fmt"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work on the GPU, which runs in order. Its work is not ordered with other
// streams unless it waits for their events, nor with the legacy stream. Only one goroutine at a
// time may put work into a stream.
type Stream struct {
	device    *Device
	s         cu.Stream
	launched  launched   // since the last Synchronize
	recording *recording // while the stream is capturing
}

// NewStream makes a stream.
func (d *Device) NewStream() (*Stream, error) { return d.newStream(false) }

// NewUrgentStream makes a stream whose kernels have priority: when kernels of several streams wait
// for room on the GPU, its kernels get it first.
func (d *Device) NewUrgentStream() (*Stream, error) { return d.newStream(true) }

func (d *Device) newStream(urgent bool) (*Stream, error) {
	s := &Stream{device: d}
	err := d.call(func() error {
		priority, greatest, err := cu.StreamPriorityRange()
		if err != nil {
			return failed(err, "cuCtxGetStreamPriorityRange")
		}
		if urgent {
			priority = greatest
		}
		s.s, err = makeStream(priority)
		return failed(err, "cuStreamCreateWithPriority")
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close destroys the stream when its work is done. It does not wait for that.
func (s *Stream) Close() error {
	return s.device.release(func() error { return failed(s.s.Destroy(), "cuStreamDestroy") })
}

// Synchronize waits until all work of the stream is done.
func (s *Stream) Synchronize() error {
	return s.device.call(func() error {
		if err := s.s.Synchronize(); err != nil {
			return s.launched.blame(failed(err, "cuStreamSynchronize"))
		}
		s.launched.clear()
		return nil
	})
}

// Wait makes the later work of this stream wait for an event. An event of a capture joins the
// stream to the capture.
func (s *Stream) Wait(e *Event) error {
	if s.recording == nil && e.recording != nil {
		e.recording.join(s)
	}
	return s.start(func() error { return failed(s.s.Wait(e.e, 0), "cuStreamWaitEvent") })
}

// Write copies host memory to the device after all earlier work of the stream, and returns when the
// copy is done.
func (s *Stream) Write(to Span, from []byte) error {
	if int64(len(from)) != to.Bytes {
		return fmt.Errorf("cuda: %d bytes do not fill a piece of %d bytes of device memory", len(from), to.Bytes)
	}
	return s.copyNow(from, func(p unsafe.Pointer) error {
		return failed(cu.MemcpyHtoDAsync(cu.DevicePtr(to.Address), p, to.Bytes, s.s), "cuMemcpyHtoD of %s", size(to.Bytes))
	})
}

// Read copies device memory to the host after all earlier work of the stream, and returns when the
// copy is done.
func (s *Stream) Read(to []byte, from Span) error {
	if int64(len(to)) != from.Bytes {
		return fmt.Errorf("cuda: %d bytes do not hold a piece of %d bytes of device memory", len(to), from.Bytes)
	}
	return s.copyNow(to, func(p unsafe.Pointer) error {
		return failed(cu.MemcpyDtoHAsync(p, cu.DevicePtr(from.Address), from.Bytes, s.s), "cuMemcpyDtoH of %s", size(from.Bytes))
	})
}

// copyNow runs a copy from or to Go's memory, pinned until the stream is done.
func (s *Stream) copyNow(host []byte, copy func(unsafe.Pointer) error) error {
	if len(host) == 0 {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	p := unsafe.SliceData(host)
	pin.Pin(p)
	if err := s.start(func() error { return copy(unsafe.Pointer(p)) }); err != nil {
		return err
	}
	return s.Synchronize()
}

// Upload starts a copy to the device from an offset in pinned memory.
func (s *Stream) Upload(to Span, from *Pinned, offset int64) error {
	p, err := from.at(offset, to.Bytes)
	if err != nil {
		return err
	}
	return s.start(func() error {
		return failed(cu.MemcpyHtoDAsync(cu.DevicePtr(to.Address), p, to.Bytes, s.s), "cuMemcpyHtoDAsync of %s", size(to.Bytes))
	})
}

// Download starts a copy from the device to an offset in pinned memory.
func (s *Stream) Download(to *Pinned, offset int64, from Span) error {
	p, err := to.at(offset, from.Bytes)
	if err != nil {
		return err
	}
	return s.start(func() error {
		return failed(cu.MemcpyDtoHAsync(p, cu.DevicePtr(from.Address), from.Bytes, s.s), "cuMemcpyDtoHAsync of %s", size(from.Bytes))
	})
}

// Copy starts a copy within device memory.
func (s *Stream) Copy(to, from Span) error {
	if to.Bytes != from.Bytes {
		return fmt.Errorf("cuda: copy of a piece of %d bytes to one of %d bytes", from.Bytes, to.Bytes)
	}
	return s.start(func() error {
		err := cu.MemcpyDtoDAsync(cu.DevicePtr(to.Address), cu.DevicePtr(from.Address), to.Bytes, s.s)
		return failed(err, "cuMemcpyDtoDAsync of %s", size(to.Bytes))
	})
}

// Fill starts to set every byte.
func (s *Stream) Fill(to Span, b byte) error {
	return s.start(func() error {
		return failed(cu.MemsetD8Async(cu.DevicePtr(to.Address), b, to.Bytes, s.s), "cuMemsetD8Async of %s", size(to.Bytes))
	})
}

// start runs a call that puts work into the stream.
func (s *Stream) start(f func() error) error {
	return s.device.call(func() error { return s.launched.blame(f()) })
}

// at returns the address of a range of bytes in pinned memory.
func (p *Pinned) at(offset, bytes int64) (unsafe.Pointer, error) {
	if offset < 0 || bytes <= 0 || offset > int64(len(p.data))-bytes {
		return nil, fmt.Errorf("cuda: copy of %d bytes from or to offset %d of %d bytes of pinned memory", bytes, offset, len(p.data))
	}
	return unsafe.Pointer(&p.data[offset]), nil
}
