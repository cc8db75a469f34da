//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/kernels"

	"github.com/tributary-ml/tributary/cuda/driver/drivertest"
)

const vectorLength = 1000

// vector returns a piece of the test's memory by its index.
func vector(a *Arena, i int) kernels.View {
	return kernels.View{Data: a.Span(i).Address, Stride: vectorLength}
}

// scale returns the launch of y = factor·x, or y += factor·x.
func scale(f *Function, node string, y, x kernels.View, factor float32, accumulate bool) Launch {
	p := kernels.ScaleParams{X: x, Y: y, Rows: 1, Cols: vectorLength, Factor: factor}
	if accumulate {
		p.Accumulate = 1
	}
	return Launch{Function: f, Node: node, Grid: Dim{2, 1, 1}, Block: Dim{128, 1, 1}, Params: p}
}

// bench is what tests of launches need: a stream, the kernel scale_f32 and three vectors. The first
// vector holds 0, 1, 2, ...
type bench struct {
	*Device
	stream  *Stream
	library *Library
	scale   *Function
	arena   *Arena
	first   []float32
}

func newBench(t *testing.T) *bench {
	t.Helper()
	d := open(t)
	b := &bench{Device: d, stream: stream(t, d), arena: arena(t, d, 4*vectorLength, 4*vectorLength, 4*vectorLength)}
	var err error
	if b.library, err = NewLibrary(d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drivertest.Close(t, b.library) })
	if b.scale, err = b.library.Function("scale_f32"); err != nil {
		t.Fatal(err)
	}
	for i := range vectorLength {
		b.first = append(b.first, float32(i))
	}
	b.write(t, 0, b.first)
	return b
}

func (b *bench) list(t *testing.T, launches ...Launch) *List {
	t.Helper()
	l, err := b.NewList(launches)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func (b *bench) write(t *testing.T, i int, v []float32) {
	t.Helper()
	if err := b.stream.Write(b.arena.Span(i), Bytes(v)); err != nil {
		t.Fatal(err)
	}
}

// wantMultiple checks that a vector is a multiple of the first one.
func (b *bench) wantMultiple(t *testing.T, i int, factor float32) {
	t.Helper()
	got := make([]float32, vectorLength)
	if err := b.stream.Read(Bytes(got), b.arena.Span(i)); err != nil {
		t.Fatal(err)
	}
	for j := range got {
		if got[j] != factor*b.first[j] {
			t.Fatalf("element %d is %v, want %v", j, got[j], factor*b.first[j])
		}
	}
}

func TestLaunch(t *testing.T) {
	b := newBench(t)
	x, y, z := vector(b.arena, 0), vector(b.arena, 1), vector(b.arena, 2)
	l := b.list(t,
		scale(b.scale, "a", y, x, 2, false),
		scale(b.scale, "b", z, y, 3, false),
		scale(b.scale, "c", z, x, 1, true))
	if err := l.Run(b.stream); err != nil {
		t.Fatal(err)
	}
	b.wantMultiple(t, 1, 2)
	b.wantMultiple(t, 2, 7)
	if len(l.Launches()) != 3 {
		t.Error(l.Launches())
	}
	empty := b.list(t)
	if err := empty.Run(b.stream); err != nil {
		t.Error(err)
	}
}

// A graph runs what was captured, on the contents of memory at that time.
func TestCapture(t *testing.T) {
	b := newBench(t)
	x, y, z := vector(b.arena, 0), vector(b.arena, 1), vector(b.arena, 2)
	l := b.list(t, scale(b.scale, "a", y, x, 2, false), scale(b.scale, "b", z, y, 1, true))
	b.write(t, 2, b.first)
	g, err := b.stream.Capture(func() error { return l.Run(b.stream) })
	if err != nil {
		t.Fatal(err)
	}
	defer drivertest.Close(t, g)
	if g.Nodes() != 2 {
		t.Errorf("%d nodes, want 2", g.Nodes())
	}
	b.wantMultiple(t, 2, 1)
	for range 3 {
		if err := g.Launch(b.stream); err != nil {
			t.Fatal(err)
		}
	}
	b.wantMultiple(t, 2, 7)
}

// A second stream takes part in a capture from when it waits for an event of the first stream until
// the first stream waits for it.
func TestCaptureTwoStreams(t *testing.T) {
	b := newBench(t)
	side := stream(t, b.Device)
	fork, err := b.NewEvent(false)
	if err != nil {
		t.Fatal(err)
	}
	join, err := b.NewEvent(false)
	if err != nil {
		t.Fatal(err)
	}
	defer drivertest.Close(t, fork, join)
	x, y, z := vector(b.arena, 0), vector(b.arena, 1), vector(b.arena, 2)
	before, beside, after := b.list(t, scale(b.scale, "before", y, x, 2, false)), b.list(t, scale(b.scale, "beside", z, y, 2, false)),
		b.list(t, scale(b.scale, "after", y, z, 1, true))
	g, err := b.stream.Capture(func() error {
		for _, f := range []func() error{
			func() error { return before.Run(b.stream) },
			func() error { return fork.Record(b.stream) },
			func() error { return side.Wait(fork) },
			func() error { return beside.Run(side) },
			func() error { return join.Record(side) },
			func() error { return b.stream.Wait(join) },
			func() error { return after.Run(b.stream) },
		} {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer drivertest.Close(t, g)
	if !slices.Equal(g.lists, []*List{before, beside, after}) || side.recording != nil {
		t.Error("the capture lost a stream")
	}
	if err := g.Launch(b.stream); err != nil {
		t.Fatal(err)
	}
	b.wantMultiple(t, 1, 6)
	if err := side.Wait(join); err == nil && side.recording != nil {
		t.Error("a stream joined a capture that is over")
	}
}

// The trace build of the emulator reports nodes of a graph that use the same memory and do not wait
// for each other, in whatever order they ran. Two reads of the same memory are no race.
func TestRaceInAGraph(t *testing.T) {
	if os.Getenv("VARIANT") != "trace" {
		t.Skip("VARIANT=trace cuda/test.sh")
	}
	if drivertest.IsChild() {
		b := newBench(t)
		side := stream(t, b.Device)
		fork, err := b.NewEvent(false)
		require.NoError(t, err)
		join, err := b.NewEvent(false)
		require.NoError(t, err)
		x, y, z := vector(b.arena, 0), vector(b.arena, 1), vector(b.arena, 2)
		first, second := b.list(t, scale(b.scale, "first", y, x, 2, false)), b.list(t, scale(b.scale, "second", z, x, 2, false))
		if os.Getenv("RACE") == "1" {
			second = b.list(t, scale(b.scale, "second", z, y, 2, false))
		}
		g, err := b.stream.Capture(func() error {
			return errors.Join(fork.Record(b.stream), b.stream.Fill(b.arena.Span(0), 0), fork.Record(b.stream), side.Wait(fork),
				first.Run(b.stream), second.Run(side), join.Record(side), b.stream.Wait(join))
		})
		require.NoError(t, err)
		require.NoError(t, g.Launch(b.stream))
		t.Log("synchronize:", b.stream.Synchronize())
		return
	}
	require.Contains(t, drivertest.Child(t, "TestRaceInAGraph", "RACE=0"), "synchronize: <nil>")
	out := drivertest.Child(t, "TestRaceInAGraph", "RACE=1")
	require.Contains(t, out, "race: scale_f32 and scale_f32, nodes 1 and 2 of a graph, do not wait for each other")
	require.Contains(t, out, "synchronize: cuda: cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED")
}

func TestFailedCapture(t *testing.T) {
	b := newBench(t)
	if _, err := b.stream.Capture(func() error { return fmt.Errorf("no") }); err == nil || err.Error() != "no" {
		t.Error(err)
	}
	_, err := b.stream.Capture(func() error {
		_, err := b.NewArena([]int64{4}, false)
		return err
	})
	wantError(t, err, 900, "cuMemAlloc")
	if err := b.stream.Synchronize(); err != nil {
		t.Error("the stream is still capturing:", err)
	}
}

func TestFunctions(t *testing.T) {
	b := newBench(t)
	f := b.scale
	if f.Name != "scale_f32" || f.MaxThreads != 256 || f.Registers < 1 || f.Spilled != 0 || f.Shared != 0 || f.Binary < 50 {
		t.Errorf("%+v", f)
	}
	if n, err := f.Occupancy(256, 0); err != nil || n < 1 {
		t.Error(n, err)
	}
	for _, n := range []int{64 << 10, 50 << 10} { // the smaller size does not take back the larger
		if err := f.AllowShared(n); err != nil {
			t.Error(err)
		}
		if n, err := f.MaxShared(); err != nil || n != 64<<10 {
			t.Error(n, err)
		}
	}
	wantError(t, f.AllowShared(1<<20), OutOfResources, "scale_f32", "a block has at most")
	_, err := b.library.modules["scale.cu"].Function("missing")
	wantError(t, err, NotFound, "kernel missing", "image scale.cu, ")
}

func TestBadLaunches(t *testing.T) {
	b := newBench(t)
	good := scale(b.scale, "conv1", vector(b.arena, 1), vector(b.arena, 0), 1, false)
	for says, change := range map[string]func(*Launch){
		"is empty":                                     func(l *Launch) { l.Grid.Y = 0 },
		"block has 257 threads":                        func(l *Launch) { l.Block.X = 257 },
		"the grid is too large":                        func(l *Launch) { l.Grid.Z = 1 << 16 },
		"parameters are a struct":                      func(l *Launch) { l.Params = 1 },
		"parameters have 8 bytes, the kernel takes 48": func(l *Launch) { l.Params = struct{ A uint64 }{} },
	} {
		l := good
		change(&l)
		_, err := b.NewList([]Launch{good, l})
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "scale_f32 of conv1") {
			t.Errorf("%v, want %q", err, says)
		}
	}
	more := good
	more.Shared, more.Node = 64<<10, "conv2"
	wantError(t, b.list(t, good, more).Run(b.stream), 1, "cuLaunchKernel (launch 2 of 2)", "kernel scale_f32 of node conv2")
	if err := b.stream.Synchronize(); err != nil {
		t.Error(err)
	}
}

// A fault is reported by a later call, which names the possible origins. The emulator makes the
// fault.
func TestFault(t *testing.T) {
	needEmulator(t)
	if drivertest.IsChild() {
		b := newBench(t)
		relu, err := b.library.Function("relu_f32")
		if err != nil {
			t.Fatal(err)
		}
		y := vector(b.arena, 1)
		bad := Launch{Function: relu, Node: "conv2", Grid: Dim{1, 1, 1}, Block: Dim{32, 1, 1}, Params: kernels.ReLUParams{X: y, Y: y, Rows: 1, Cols: 1}}
		good := scale(b.scale, "conv1", y, vector(b.arena, 0), 1, false)
		one, many := b.list(t, bad), b.list(t, good, bad, scale(b.scale, "conv3", y, y, 1, false))
		switch {
		case b.Blocking:
			t.Log("blocking:", many.Run(b.stream))
		case os.Getenv("CUDA_TEST_MANY") != "":
			if err := many.Run(b.stream); err != nil {
				t.Error(err)
			}
			t.Log("many:", b.stream.Synchronize())
		default:
			if err := one.Run(b.stream); err != nil {
				t.Error(err)
			}
			t.Log("one:", b.stream.Synchronize())
		}
		t.Log("later:", many.Run(b.stream))
		return
	}
	const lost = "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered): "
	const remedy = "the GPU is lost to this process: start again from the last checkpoint"
	for _, c := range []struct{ setting, when, want string }{
		{"", "one", "cuda: cuStreamSynchronize: kernel relu_f32 of node conv2: " + lost + remedy},
		{"CUDA_TEST_MANY=1", "many", "cuda: cuStreamSynchronize: " + lost + "a fault in one of the 3 launches from kernel scale_f32 of node conv1 " +
			"to kernel scale_f32 of node conv3, which CUDA_LAUNCH_BLOCKING=1 would name: " + remedy},
		{"CUDA_LAUNCH_BLOCKING=1", "blocking", "cuda: cuLaunchKernel (launch 2 of 3): kernel relu_f32 of node conv2: " + lost + remedy},
	} {
		out := drivertest.Child(t, "TestFault", "EMULATOR_FAULT=relu_f32", "EMULATOR_LAZY=1", c.setting)
		for _, when := range []string{c.when, "later"} {
			if s := when + ": " + c.want; !strings.Contains(out, s) {
				t.Errorf("%s: no %q in\n%s", c.setting, s, out)
			}
		}
	}
}
