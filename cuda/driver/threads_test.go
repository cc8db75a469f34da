//go:build cuda

package driver

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/kernels"
)

// onOtherThread runs f on a new OS thread, on which no context has ever been current.
func onOtherThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// Every call of the layer works on any OS thread, whichever thread made its operands.
func TestThreads(t *testing.T) {
	d := open(t)
	var wait sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wait.Go(func() { errs <- everyCall(d) })
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// everyCall makes each call of the layer once, each on a new thread.
func everyCall(d *Device) error {
	var (
		s, urgent  *Stream
		a          *Arena
		pinned     *Pinned
		start, end *Event
		library    *Library
		f          *Function
		list       *List
		graph      *Graph
		tensorMap  kernels.TensorMap
		read       = make([]float32, vectorLength)
		written    = make([]float32, vectorLength)
	)
	for i := range written {
		written[i] = float32(i)
	}
	for _, step := range []struct {
		name string
		call func() error
	}{
		{"Devices", func() (err error) { _, err = Devices(); return err }},
		{"FreeMemory", func() (err error) { _, _, err = d.FreeMemory(); return err }},
		{"NewStream", func() (err error) { s, err = d.NewStream(); return err }},
		{"NewUrgentStream", func() (err error) { urgent, err = d.NewUrgentStream(); return err }},
		{"NewArena", func() (err error) {
			a, err = d.NewArena([]int64{4 * vectorLength, 4 * vectorLength, 1 << 16}, false)
			return err
		}},
		{"NewPinned", func() (err error) { pinned, err = d.NewPinned(4 * vectorLength); return err }},
		{"NewEvent", func() (err error) { start, err = d.NewEvent(true); return err }},
		{"NewEvent", func() (err error) { end, err = d.NewEvent(true); return err }},
		{"NewLibrary", func() (err error) { library, err = NewLibrary(d); return err }},
		{"Function", func() (err error) { f, err = library.Function("scale_f32"); return err }},
		{"AllowShared", func() error { return f.AllowShared(1024) }},
		{"MaxShared", func() (err error) { _, err = f.MaxShared(); return err }},
		{"Occupancy", func() (err error) { _, err = f.Occupancy(128, 0); return err }},
		{"TensorMap", func() (err error) { tensorMap, err = d.TensorMap(a.Span(2).Address, 64, 64, 8); return err }},
		{"Record", func() error { return start.Record(s) }},
		{"Write", func() error { return s.Write(a.Span(0), Bytes(written)) }},
		{"NewList", func() (err error) {
			list, err = d.NewList([]Launch{scale(f, "a", vector(a, 1), vector(a, 0), 2, false)})
			return err
		}},
		{"Fill", func() error { return s.Fill(a.Span(1), 0xff) }},
		{"Run", func() error { return list.Run(s) }},
		{"Capture", func() (err error) { graph, err = s.Capture(func() error { return list.Run(s) }); return err }},
		{"Launch", func() error { return graph.Launch(s) }},
		{"Record", func() error { return end.Record(s) }},
		{"Wait", func() error { return urgent.Wait(end) }},
		{"Download", func() error { return urgent.Download(pinned, 0, a.Span(1)) }},
		{"Synchronize", func() error { return urgent.Synchronize() }},
		{"Event.Synchronize", func() error { return end.Synchronize() }},
		{"Done", func() (err error) { _, err = end.Done(); return err }},
		{"Since", func() error {
			took, err := end.Since(start)
			if err == nil && took < 0 {
				err = fmt.Errorf("%v", took)
			}
			return err
		}},
		{"Upload", func() error { return s.Upload(a.Span(0), pinned, 0) }},
		{"Copy", func() error { return s.Copy(a.Span(1), a.Span(0)) }},
		{"Read", func() error { return s.Read(Bytes(read), a.Span(1)) }},
		{"Graph.Close", func() error { return graph.Close() }},
		{"List.Close", func() error { list.Close(); return nil }},
		{"Library.Close", func() error { return library.Close() }},
		{"Event.Close", func() error { return start.Close() }},
		{"Event.Close", func() error { return end.Close() }},
		{"Pinned.Close", func() error { return pinned.Close() }},
		{"Arena.Close", func() error { return a.Close() }},
		{"Stream.Close", func() error { return s.Close() }},
		{"Stream.Close", func() error { return urgent.Close() }},
	} {
		if err := onOtherThread(step.call); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		time.Sleep(time.Duration(len(step.name)) * time.Microsecond) // so that the goroutines of the test run out of step
	}
	for i, v := range read {
		if v != 2*written[i] {
			return fmt.Errorf("element %d is %v, want %v", i, v, 2*written[i])
		}
	}
	if tensorMap == (kernels.TensorMap{}) {
		return fmt.Errorf("the tensor map is empty")
	}
	return nil
}
