package kernels_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tributary-ml/tributary/kernels"
)

// What the kernels' accesses to memory cost, as the trace build of the emulator counts them (emulator/trace.cpp) in the launches of
// tests/traced. "go test -v -run TestCost ./kernels" prints a table of every launch.

// in tells whether a site is in a function that begins with the given name.
func (s site) in(function string) bool {
	return slices.ContainsFunc(s.calls, func(c call) bool {
		return strings.HasPrefix(strings.TrimPrefix(c.function, "void "), function)
	})
}

// excess is what the sites of a space cost beyond the least, those for which skip is true left out.
func (l traced) excess(space string, skip func(site) bool) (excess, least int64) {
	for _, s := range l.Sites {
		if s.Space == space && (skip == nil || !skip(s)) {
			excess += s.Cost - s.Least
			least += s.Least
		}
	}
	return excess, least
}

// pointers are the pointers in a parameter struct by their offset: "Segments[1].Y.Data".
func pointers(params any) map[int]string {
	names := map[int]string{}
	var walk func(t reflect.Type, at int, name string)
	walk = func(t reflect.Type, at int, name string) {
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				f := t.Field(i)
				walk(f.Type, at+int(f.Offset), strings.TrimPrefix(name+"."+f.Name, "."))
			}
		case reflect.Array:
			for i := range t.Len() {
				walk(t.Elem(), at+i*int(t.Elem().Size()), fmt.Sprintf("%s[%d]", name, i))
			}
		default:
			if t == reflect.TypeFor[kernels.DevicePtr]() {
				names[at] = strings.TrimSuffix(name, ".Data")
			}
		}
	}
	walk(reflect.TypeOf(params), 0, "")
	return names
}

// ---- convolutions ------------------------------------------------------------------------------------------------------

// convParams are the parameters of the convolutions' kernels, by the beginnings of their names.
var convParams = []struct {
	prefix string
	params any
}{
	{"conv_forward", kernels.ConvForwardParams{}},
	{"conv_backward_data", kernels.ConvBackwardDataParams{}},
	{"conv_backward_filter", kernels.ConvBackwardFilterParams{}},
}

// mainLoop tells whether a site is in the loop over k.
func mainLoop(s site) bool { return s.in("gpu::gemm<") }

// floatsOfHalves are 8 per-channel parameters, 32 bytes, that a thread with a pack of 2-byte elements reads in two accesses: each of
// them touches every sector and takes half of it.
func floatsOfHalves(s site) bool { return s.in("gpu::channel_values<8>") }

// No access of the convolutions to shared memory has a bank conflict, in the main loop and behind it, and all their accesses to device
// memory move no more sectors than hold their bytes. What they read they read whole, and what they write they write once.
func TestCostOfConvolutions(t *testing.T) {
	program := build(t, trace, "trace_tests")
	for _, shape := range []string{"conv_3x3", "conv_5x5", "conv_siblings", "conv_stride_2"} {
		launches := runTraced(t, nil, program, shape)
		if len(launches) != 3*(2*3+1) { // arithmetics, tiles, products, and the reduction of filter gradients
			t.Fatalf("%s: %d launches are in the trace", shape, len(launches))
		}
		for _, l := range launches {
			checkConv(t, shape, l)
			if excess, least := l.excess("device", floatsOfHalves); excess != 0 || least == 0 {
				t.Errorf("%s, %s: %d sectors beyond the least, %d", shape, l.Kernel, excess, least)
			}
			if excess, least := l.excess("device", func(s site) bool { return !floatsOfHalves(s) }); excess > least {
				t.Errorf("%s, %s: %d sectors of per-channel parameters beyond twice the least, %d", shape, l.Kernel, excess, least)
			}
			if excess, _ := l.excess("shared", nil); excess != 0 {
				t.Errorf("%s, %s: %d wavefronts beyond the least", shape, l.Kernel, excess)
			}
		}
	}
}

// The first layer has 3 channels. Its input is padded to chunks of 16 bytes, so its accesses are as good as the others', but for
// rows that begin inside a sector. Its filters are not: they are gathered element by element, 4 elements of a chunk apart.
func TestCostOfTheFirstConvolution(t *testing.T) {
	program := build(t, trace, "trace_tests")
	for _, l := range runTraced(t, nil, program, "conv_image") {
		checkConv(t, "conv_image", l)
		gathered := func(s site) bool { return s.Width < 16 }
		if excess, least := l.excess("device", func(s site) bool { return gathered(s) || floatsOfHalves(s) }); excess*4 > least {
			t.Errorf("%s: %d sectors beyond the least, %d, are more than a quarter", l.Kernel, excess, least)
		}
		if excess, least := l.excess("device", func(s site) bool { return !gathered(s) }); excess > 4*least {
			t.Errorf("%s: %d sectors of gathered elements beyond the least, %d, are more than four times as many", l.Kernel, excess, least)
		}
		if excess, _ := l.excess("shared", gathered); excess != 0 {
			t.Errorf("%s: %d wavefronts beyond the least", l.Kernel, excess)
		}
		if excess, least := l.excess("shared", func(s site) bool { return !gathered(s) }); excess > 3*least {
			t.Errorf("%s: %d wavefronts of gathered elements beyond the least, %d: more than 4-way conflicts", l.Kernel, excess, least)
		}
	}
}

// checkConv checks what is true of every launch, and logs it.
func checkConv(t *testing.T, shape string, l traced) {
	t.Helper()
	var names map[int]string
	for _, p := range convParams {
		if strings.HasPrefix(l.Kernel, p.prefix) {
			names = pointers(p.params)
		}
	}
	t.Logf("%s: %s", shape, l.table(names))
	for _, b := range l.Buffers {
		name := b.name(names)
		if name == "Run" {
			continue
		}
		if b.Read > 0 && b.ReadOnce != b.Size || b.Written > 0 && b.WrittenOnce != b.Size {
			t.Errorf("%s, %s: of %s's %d bytes, %d are read and %d are written", shape, l.Kernel, name, b.Size, b.ReadOnce, b.WrittenOnce)
		}
		if b.Written != b.WrittenOnce || b.Written > 0 && b.Read != b.ReadOnce {
			t.Errorf("%s, %s: %s is written more than once: %+v", shape, l.Kernel, name, b)
		}
	}
	if l.Kernel == "conv_backward_filter_reduce" {
		return
	}
	// All of the main loop is seen: it fills whole stages, as many for every block, and multiplies all that it fills.
	stage := int64(0)
	for _, part := range strings.Split(l.Kernel[strings.LastIndexByte(l.Kernel, '_')+1:], "x") { // "128x64"
		extent, err := strconv.Atoi(part)
		if err != nil {
			t.Fatal(err)
		}
		stage += 128 * int64(extent)
	}
	var filled, read int64
	for _, s := range l.Sites {
		if !mainLoop(s) || s.Space != "shared" {
			continue
		}
		if s.Access == "write" {
			filled += s.Lanes * int64(s.Width)
		} else {
			read += s.Lanes * int64(s.Width)
		}
	}
	if blocks := int64(l.Grid[0] * l.Grid[1]); filled == 0 || filled%stage != 0 || filled/stage < blocks || read < 2*filled {
		t.Errorf("%s, %s: %d bytes of stages of %d are filled and %d are read", shape, l.Kernel, filled, stage, read)
	}
}
