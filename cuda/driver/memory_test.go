//go:build cuda

package driver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tributary-ml/tributary/kernels"

	"github.com/tributary-ml/tributary/cuda/driver/drivertest"
)

func randomBytes(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// roundTrip copies random bytes to the device, then to other device memory, then back.
func roundTrip(d *Device, n int64) error {
	s, err := d.NewStream()
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := d.NewArena([]int64{n, n}, false)
	if err != nil {
		return err
	}
	defer a.Close()
	in, out := randomBytes(n), make([]byte, n)
	if err := s.Write(a.Span(0), in); err != nil {
		return err
	}
	if err := s.Copy(a.Span(1), a.Span(0)); err != nil {
		return err
	}
	if err := s.Read(out, a.Span(1)); err != nil {
		return err
	}
	if !bytes.Equal(in, out) {
		return fmt.Errorf("%d bytes came back changed", n)
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	d := open(t)
	for _, n := range []int64{1, 3, 255, 256, 257, 1 << 20, 5<<20 + 13} {
		if err := roundTrip(d, n); err != nil {
			t.Error(err)
		}
	}
}

func TestArena(t *testing.T) {
	d := open(t)
	sizes := []int64{1, 0, 256, 257, 1000, 0, 4}
	for _, isolated := range []bool{false, true} {
		a, err := d.NewArena(sizes, isolated)
		if err != nil {
			t.Fatal(err)
		}
		var spans []Span
		for i, n := range sizes {
			s := a.Span(i)
			if s.Bytes != n || n == 0 && s.Address != 0 || s.Address%Alignment != 0 {
				t.Errorf("piece %d of %d bytes is %+v", i, n, s)
			}
			if n > 0 {
				spans = append(spans, s)
			}
		}
		slices.SortFunc(spans, func(a, b Span) int { return int(int64(a.Address) - int64(b.Address)) })
		for i := range spans[1:] {
			if spans[i].Address+kernels.DevicePtr(spans[i].Bytes) > spans[i+1].Address {
				t.Errorf("isolated %v: %+v reaches into %+v", isolated, spans[i], spans[i+1])
			}
		}
		if want := int64(256 + 256 + 512 + 1024 + 256); a.Bytes() != want {
			t.Errorf("arena of %d bytes, want %d", a.Bytes(), want)
		}
		drivertest.Close(t, a)
	}
	if a := arena(t, d, 0, 0); a.Bytes() != 0 {
		t.Error("an empty arena has memory")
	}
	if _, err := d.NewArena([]int64{4, -1}, false); err == nil {
		t.Error("negative size accepted")
	}
}

func TestOutOfMemory(t *testing.T) {
	d := open(t)
	_, err := d.NewArena([]int64{d.Memory, d.Memory}, false)
	wantError(t, err, OutOfMemory, "cuMemAlloc of", "GiB are free on "+d.Name, "use a smaller batch")
	before, _, err := d.FreeMemory()
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.NewArena([]int64{1 << 20, 2 * d.Memory}, true)
	wantError(t, err, OutOfMemory)
	if after, _, err := d.FreeMemory(); err != nil || before-after > 64<<20 { // other programs and the driver allocate too
		t.Errorf("a failed arena keeps %d bytes, %v", before-after, err)
	}
}

func TestSub(t *testing.T) {
	s := Span{Address: 4096, Bytes: 100}
	if got, err := s.Sub(40, 60); err != nil || got != (Span{4136, 60}) {
		t.Error(got, err)
	}
	for _, c := range [][2]int64{{41, 60}, {-1, 10}, {0, -1}, {101, 0}, {1 << 62, 1 << 62}} {
		if got, err := s.Sub(c[0], c[1]); err == nil {
			t.Errorf("Sub(%d, %d) = %+v", c[0], c[1], got)
		}
	}
}

// The package refuses copies whose sizes do not fit. The driver refuses a span that was not
// allocated.
func TestOversizedCopies(t *testing.T) {
	d := open(t)
	s := stream(t, d)
	a := arena(t, d, 100, 50)
	p, err := d.NewPinned(80)
	if err != nil {
		t.Fatal(err)
	}
	defer drivertest.Close(t, p)
	for name, err := range map[string]error{
		"write":             s.Write(a.Span(0), make([]byte, 101)),
		"read":              s.Read(make([]byte, 99), a.Span(0)),
		"copy":              s.Copy(a.Span(1), a.Span(0)),
		"upload":            s.Upload(a.Span(0), p, 0),
		"upload at an end":  s.Upload(a.Span(1), p, 31),
		"download":          s.Download(p, 0, a.Span(0)),
		"download before 0": s.Download(p, -1, a.Span(1)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	forged := Span{Address: a.Span(0).Address, Bytes: 1 << 30}
	if err := s.Write(forged, make([]byte, 1<<30)); err == nil || !strings.Contains(err.Error(), "cuMemcpyHtoD of 1.0 GiB") {
		t.Error(err)
	}
}

// Two streams, ordered by events: one uploads data, the other works on it, as when input arrives
// during a step.
func TestPinnedAndEvents(t *testing.T) {
	d := open(t)
	upload, work := stream(t, d), stream(t, d)
	const n = 1 << 16
	a := arena(t, d, n, n)
	in, err := d.NewPinned(n)
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.NewPinned(n + 8)
	if err != nil {
		t.Fatal(err)
	}
	begin, err := d.NewEvent(true)
	if err != nil {
		t.Fatal(err)
	}
	end, err := d.NewEvent(true)
	if err != nil {
		t.Fatal(err)
	}
	arrived, err := d.NewEvent(false)
	if err != nil {
		t.Fatal(err)
	}
	defer drivertest.Close(t, in, out, begin, end, arrived)

	want := As[float32](in.Bytes())
	for i := range want {
		want[i] = rand.Float32()
	}
	for _, err := range []error{
		begin.Record(upload),
		upload.Upload(a.Span(0), in, 0),
		arrived.Record(upload),
		work.Wait(arrived),
		work.Fill(a.Span(1), 0xff),
		work.Copy(a.Span(1), a.Span(0)),
		work.Download(out, 8, a.Span(1)),
		end.Record(work),
		end.Synchronize(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(As[float32](out.Bytes()[8:]), want) {
		t.Error("data came back changed")
	}
	if done, err := end.Done(); !done || err != nil {
		t.Error(done, err)
	}
	if took, err := end.Since(begin); err != nil || took < 0 || took > time.Minute {
		t.Error(took, err)
	}
	if _, err := end.Since(arrived); err == nil {
		t.Error("an event without timing gave a time")
	}
}

func TestBytes(t *testing.T) {
	if b := Bytes([]uint32{1, 0x01020304}); !bytes.Equal(b, []byte{1, 0, 0, 0, 4, 3, 2, 1}) {
		t.Error(b)
	}
	if len(Bytes([]float64(nil))) != 0 || len(As[int16](nil)) != 0 {
		t.Error("memory from nothing")
	}
}
