//go:build cuda

package driver

import (
	"errors"
	"time"

	"gorgonia.org/cu"
)

// Event is a mark in a stream that other streams and the host can wait for.
type Event struct {
	device    *Device
	e         cu.Event
	stream    *Stream    // where it was last recorded
	recording *recording // the capture in which it was recorded, if any
}

// NewEvent makes an event. Since works only with timed events; others cost a little less. A thread
// that waits for an event does not occupy a processor.
func (d *Device) NewEvent(timed bool) (*Event, error) {
	e := &Event{device: d}
	flags := cu.BlockingSyncEvent
	if !timed {
		flags |= cu.DisableTiming
	}
	err := d.call(func() (err error) {
		e.e, err = cu.MakeEvent(flags)
		return failed(err, "cuEventCreate")
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Record places the mark after the work that the stream has so far.
func (e *Event) Record(s *Stream) error {
	e.stream, e.recording = s, s.recording
	return s.start(func() error { return failed(e.e.Record(s.s), "cuEventRecord") })
}

// Synchronize waits until the work before the mark is done.
func (e *Event) Synchronize() error {
	return e.device.call(func() error { return e.blame(failed(e.e.Synchronize(), "cuEventSynchronize")) })
}

// Done reports whether the work before the mark is done. It does not wait.
func (e *Event) Done() (bool, error) {
	err := e.device.call(func() error { return e.blame(failed(e.e.Query(), "cuEventQuery")) })
	if errors.Is(err, NotReady) {
		return false, nil
	}
	return err == nil, err
}

// Since returns the time on the GPU from one mark to another. The work before both must be done.
func (e *Event) Since(start *Event) (time.Duration, error) {
	var ms float64
	err := e.device.call(func() (err error) {
		ms, err = start.e.Elapsed(e.e)
		return failed(err, "cuEventElapsedTime")
	})
	return time.Duration(ms * float64(time.Millisecond)), err
}

func (e *Event) blame(err error) error {
	if err == nil || e.stream == nil {
		return err
	}
	return e.stream.launched.blame(err)
}

// Close destroys the event.
func (e *Event) Close() error {
	return e.device.release(func() error { return failed(cu.DestroyEvent(&e.e), "cuEventDestroy") })
}
