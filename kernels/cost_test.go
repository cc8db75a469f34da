package kernels_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tributary-ml/tributary/kernels"
)

// These tests check what the kernels' accesses to memory cost in the launches of tests/traced, as
// the trace build of the emulator counts it (emulator/trace.cpp). "go test -v -run TestCost
// ./kernels" prints a table of every launch.

// in reports whether a site is in a function whose name begins with the given one.
func (s site) in(function string) bool {
	return slices.ContainsFunc(s.calls, func(c call) bool {
		return strings.HasPrefix(strings.TrimPrefix(c.function, "void "), function)
	})
}

// excess returns what the sites of a space cost beyond the least, and the least. It leaves out the
// sites for which skip is true.
func (l traced) excess(space string, skip func(site) bool) (excess, least int64) {
	for _, s := range l.Sites {
		if s.Space == space && (skip == nil || !skip(s)) {
			excess += s.Cost - s.Least
			least += s.Least
		}
	}
	return excess, least
}

// pointers returns the names of the pointers in a parameter struct, such as "Segments[1].Y", by
// their offsets.
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

// Every kernel has a launch whose cost is checked.
func TestCostOfEveryKernelIsCounted(t *testing.T) {
	launched := map[string]bool{}
	for _, l := range launchesOf(t, nil, build(t, trace, "trace_tests")) {
		launched[l.Kernel] = true
	}
	for _, k := range kernels.All {
		if !launched[k.Name] {
			t.Errorf("%s is not launched: add it to tests/traced and to memoryLaunches", k.Name)
		}
	}
}

// ---- convolutions ------------------------------------------------------------------------------------------------------

// convParams are the parameters of the convolution kernels, by the beginnings of the kernels'
// names.
var convParams = []struct {
	prefix string
	params any
}{
	{"conv_forward", kernels.ConvForwardParams{}},
	{"conv_backward_data", kernels.ConvBackwardDataParams{}},
	{"conv_backward_filter", kernels.ConvBackwardFilterParams{}},
}

// mainLoop reports whether a site is in the loop over k.
func mainLoop(s site) bool { return s.in("gpu::gemm<") }

// floatsOfHalves reports whether a site reads per-channel parameters as 8 floats, 32 bytes. A
// thread with a pack of 2-byte elements reads them in two accesses, and each access touches every
// sector and uses half of it.
func floatsOfHalves(s site) bool { return s.in("gpu::channel_values<8>") }

// The convolutions' accesses to shared memory have no bank conflicts, in the main loop and after
// it. Their accesses to device memory move no more sectors than hold their bytes. They read whole
// what they read, and write once what they write.
func TestCostOfConvolutions(t *testing.T) {
	program := build(t, trace, "trace_tests")
	for _, shape := range []string{"conv_3x3", "conv_5x5", "conv_siblings", "conv_stride_2"} {
		launches := runTraced(t, nil, program, shape)
		if len(launches) != 4*(2*3+1)+2 { // arithmetics · (tiles · products + the reduction of filter gradients); and tiles for TMA
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

// The first layer has 3 channels. Its input and its filters are padded to chunks of 16 bytes, so
// its accesses are as good as those of other layers, with two exceptions: rows that begin inside a
// sector, and the parts of its filters' gradient, which are 3 channels of a chunk of 4.
func TestCostOfTheFirstConvolution(t *testing.T) {
	program := build(t, trace, "trace_tests")
	for _, l := range runTraced(t, nil, program, "conv_image") {
		checkConv(t, "conv_image", l)
		gathered := func(s site) bool { return s.Width < 16 }
		for _, s := range l.Sites {
			if mainLoop(s) && s.Space == "device" && gathered(s) {
				t.Errorf("%s: %d bytes at a time in the main loop", l.Kernel, s.Width)
			}
		}
		if excess, least := l.excess("device", func(s site) bool { return gathered(s) || floatsOfHalves(s) }); excess*4 > least {
			t.Errorf("%s: %d sectors beyond the least, %d, are more than a quarter", l.Kernel, excess, least)
		}
		if excess, least := l.excess("device", func(s site) bool { return !gathered(s) }); excess > 4*least {
			t.Errorf("%s: %d sectors of gathered elements beyond the least, %d, are more than four times as many", l.Kernel, excess, least)
		}
		if excess, _ := l.excess("shared", nil); excess != 0 {
			t.Errorf("%s: %d wavefronts beyond the least", l.Kernel, excess)
		}
	}
}

// checkConv checks what holds for every launch, and logs the launch.
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
	// The trace sees the whole main loop: it fills whole stages, equally many in every block, and
	// multiplies everything that it fills. The trace counts no reads by warpgroups and no filling
	// of B by TMA: the hardware chooses their order, and this layout is made for it.
	warpgroups, tma := strings.Contains(l.Kernel, "_wgmma_"), strings.Contains(l.Kernel, "_tma_")
	stage := int64(0)
	for i, part := range strings.Split(l.Kernel[strings.LastIndexByte(l.Kernel, '_')+1:], "x") { // "128x64"
		extent, err := strconv.Atoi(part)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 || !tma {
			stage += 128 * int64(extent)
		}
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
	if blocks := int64(l.Grid[0] * l.Grid[1]); filled == 0 || filled%stage != 0 || filled/stage < blocks || read < 2*filled && !warpgroups && !tma {
		t.Errorf("%s, %s: %d bytes of stages of %d are filled and %d are read", shape, l.Kernel, filled, stage, read)
	}
}

// ---- kernels that move memory ------------------------------------------------------------------------------------------

// passes says how often a launch may read and write a buffer, as a multiple of its size. If it may
// read or write a buffer at all, it must touch every byte.
type passes struct{ read, written float64 }

// perWarp is for small buffers that every warp reads for itself, or in which every block counts.
var perWarp = passes{-1, -1}

var (
	in    = passes{1, 0}
	out   = passes{0, 1}
	inOut = passes{1, 1}
)

// launch is what a traced launch must move.
type launch struct {
	params  any
	buffers map[string]passes
}

// both returns a launch that stores and one that adds to what memory holds.
func both(params any, to string, buffers map[string]passes) []launch {
	stores, adds := maps.Clone(buffers), maps.Clone(buffers)
	stores[to], adds[to] = out, inOut
	return []launch{{params, stores}, {params, adds}}
}

// The shapes of tests/traced/memory.h.
const (
	tracedBlocks  = 4
	tracedCols    = 192
	lossRows      = 32
	lossClasses   = 1008
	longRows      = 4
	lossHeads     = 3
	warpsOfABlock = kernels.Threads / 32
)

// memoryLaunches returns the launches of each test of trace_tests. If a number is not 1, a comment
// gives the reason.
func memoryLaunches(elemBytes int) map[string][]launch {
	// Threads keep their channels: each group of threads that handles a row of the tensor reads its
	// per-channel parameters once, and the last block of a reduction reads them again.
	groups := passes{tracedBlocks*kernels.Threads*16/float64(tracedCols*elemBytes) + 1, 0}
	norm := func(more map[string]passes) map[string]passes {
		m := map[string]passes{"Final.Gamma": in, "Final.Beta": in, "Final.RunningMean": inOut, "Final.RunningVar": inOut, "Final.Mean": out,
			"Final.Invstd": out, "Final.Scale": out, "Final.Shift": out}
		maps.Copy(m, more)
		return m
	}
	// A window's inputs are read once for each window that contains them: from memory once, then
	// from the caches. With 3 x 3 windows of stride 2, that is 9 reads for each of 7² outputs of
	// 15² inputs.
	maxpool := func(x float64, taps float64) []launch {
		return []launch{
			{kernels.MaxPoolParams{}, map[string]passes{"X": {x, 0}, "Y": out, "Index": out}},
			{kernels.MaxPoolBackwardParams{}, map[string]passes{"DY": {taps, 0}, "Index": {taps, 0}, "DX": out}},
		}
	}
	avgpool := func(x float64, taps float64) []launch {
		return []launch{
			{kernels.AvgPoolParams{}, map[string]passes{"X": {x, 0}, "Y": out}},
			{kernels.AvgPoolBackwardParams{}, map[string]passes{"DY": {taps, 0}, "DX": out}},
		}
	}
	lrn := []launch{
		{kernels.LRNParams{}, map[string]passes{"X": in, "Y": out, "Base": out}},
		{kernels.LRNBackwardParams{}, map[string]passes{"X": in, "Base": in, "DY": in, "DX": out}},
	}
	// Every block counts the labels, and every warp reads the label and the logit at that label of
	// its row.
	loss := func(rows, classes int, logits float64) []launch {
		m := map[string]passes{"RowLoss": inOut, "RowRank": inOut, "Counter": perWarp, "Run": perWarp, "Metrics": perWarp,
			"Labels": {float64(rows*lossHeads) * (1 + float64(warpsOfABlock)/float64(rows)), 0}}
		for i := range lossHeads {
			m[fmt.Sprintf("Heads[%d].Logits", i)] = passes{logits + float64(warpsOfABlock)/float64(classes), 0}
			m[fmt.Sprintf("Heads[%d].Dlogits", i)] = out
		}
		return []launch{{kernels.SoftmaxCrossEntropyParams{}, m}}
	}
	optimizer := func(slots map[string]passes) []launch {
		m := map[string]passes{"Value": inOut, "Gradient": in, "Slot0": inOut, "Average": inOut, "BF16": out, "Chunks": perWarp, "Run": perWarp,
			"Scalars": perWarp}
		maps.Copy(m, slots)
		return []launch{
			{kernels.GradientNormParams{}, map[string]passes{"Gradient": in, "Partial": inOut, "Chunks": perWarp, "Counter": perWarp, "Run": perWarp,
				"Metrics": perWarp, "Scalars": out}},
			{kernels.UpdateParams{}, m},
		}
	}
	return map[string][]launch{
		"normalize_dense":  {{kernels.NormalizeParams{}, map[string]passes{"Pixels": in, "Scale": perWarp, "Shift": perWarp, "Y": out}}},
		"normalize_padded": {{kernels.NormalizeParams{}, map[string]passes{"Pixels": in, "Scale": perWarp, "Shift": perWarp, "Y": out}}},
		"augment_store": {{kernels.AugmentStoreParams{}, map[string]passes{"Pixels": in, "Recipes": perWarp, "Sums": perWarp, "Scale": perWarp,
			"Shift": perWarp, "Y": out}}},
		"convert":       {{kernels.ConvertParams{}, map[string]passes{"X": in, "Y": out}}},
		"scale":         both(kernels.ScaleParams{}, "Y", map[string]passes{"X": in}),
		"add":           {{kernels.AddParams{}, map[string]passes{"Xs[0]": in, "Xs[1]": in, "Xs[2]": in, "Y": out}}},
		"add_backward":  {{kernels.AddBackwardParams{}, map[string]passes{"Y": in, "DY": in, "Dxs[0]": inOut, "Dxs[1]": out}}},
		"relu":          {{kernels.ReLUParams{}, map[string]passes{"X": in, "Y": out}}},
		"relu_backward": both(kernels.ReLUBackwardParams{}, "DX", map[string]passes{"Y": in, "DY": in}),
		"dropout":       both(kernels.DropoutParams{}, "Y", map[string]passes{"X": in, "Run": perWarp}),

		"affine":         {{kernels.AffineParams{}, map[string]passes{"X": in, "Y": out, "Scale": groups, "Shift": groups}}},
		"bias_backward":  {{kernels.BiasBackwardParams{}, map[string]passes{"DY": in, "DB": out, "Partial": inOut, "Counters": perWarp, "Run": perWarp}}},
		"compare":        {{kernels.CompareParams{}, map[string]passes{"A": in, "B": in, "Chunks": perWarp, "Y": out}}},
		"probe":          {{kernels.ProbeParams{}, map[string]passes{"X": in, "Y": out, "Partial": inOut, "Counters": perWarp}}},
		"batchnorm_sums": {{kernels.BatchNormSumsParams{}, norm(map[string]passes{"X": in, "Partial": inOut, "Counters": perWarp})}},
		"batchnorm_reduce": {{kernels.BatchNormReduceParams{}, map[string]passes{"X": in, "DY": in, "Mean": groups, "Invstd": groups, "Scale": groups,
			"Shift": groups, "Dgamma": out, "Dbeta": out, "Coefficients": out, "Partial": inOut, "Counters": perWarp, "Run": perWarp}}},
		"batchnorm_apply": both(kernels.BatchNormApplyParams{}, "DX", map[string]passes{"X": in, "DY": in, "Scale": groups, "Shift": groups,
			"Coefficients": groups}),
		"batchnorm_finalize": {{kernels.BatchNormFinalizeParams{}, norm(map[string]passes{"Sums": in, "Partial": inOut, "Counters": perWarp})}},
		"batchnorm_fold":     {{kernels.BatchNormFoldParams{}, map[string]passes{"Entries": perWarp}}},

		"maxpool_apart":       maxpool(1, 4),
		"maxpool_overlapping": maxpool(9*7*7/225.0, 9),
		"maxpool_same_size":   maxpool(9, 9),
		"avgpool_global":      avgpool(1, 49),
		"avgpool_head":        avgpool(25*4*4/196.0, 25),
		"lrn_64":              lrn,
		"lrn_192":             lrn,

		"loss_short_rows": loss(lossRows, lossClasses, 1),
		// Registers hold half of such a row. Each of the three passes reads the other half.
		"loss_long_rows": loss(longRows, 2*4*kernels.Threads*16/elemBytes, (1+3)/2.0),

		"sgd":   optimizer(nil),
		"adamw": optimizer(map[string]passes{"Slot1": inOut}),
	}
}

// Kernels that move memory read and write every byte once, or as often as memoryLaunches says, in
// the least number of sectors, and have no bank conflicts.
func TestCostOfMemoryKernels(t *testing.T) {
	program := build(t, trace, "trace_tests")
	for _, suffix := range []string{"_f32", "_bf16", ""} {
		elemBytes := 4
		if suffix == "_bf16" {
			elemBytes = 2
		}
		table := memoryLaunches(elemBytes)
		for _, test := range slices.Sorted(maps.Keys(table)) {
			if float := slices.Contains([]string{"batchnorm_finalize", "batchnorm_fold", "compare", "sgd", "adamw"}, test); float != (suffix == "") {
				continue
			}
			launches := runTraced(t, nil, program, test+suffix)
			if len(launches) != len(table[test]) {
				t.Fatalf("%s: %d launches are in the trace, not %d", test+suffix, len(launches), len(table[test]))
			}
			for i, l := range launches {
				checkMemory(t, test+suffix, l, table[test][i])
			}
		}
	}
}

// The kernel makes images of regions without bank conflicts, and writes them once. It reads every
// byte of a region. It reads a row again for the next rows of pixels that need it, and a pixel
// again in the next request of its warp. That is less than three times on the whole, all but once
// from the caches.
func TestCostOfAugmentation(t *testing.T) {
	for _, l := range runTraced(t, nil, build(t, trace, "trace_tests"), "augment_resize") {
		names := pointers(kernels.AugmentResizeParams{})
		t.Log(l.table(names))
		for _, b := range l.Buffers {
			switch name := b.name(names); name {
			case "Regions":
				if b.ReadOnce != b.Size || b.Read > 3*b.Size {
					t.Errorf("of %d bytes of regions, %d are read, %.3f times", b.Size, b.ReadOnce, float64(b.Read)/float64(b.Size))
				}
			case "Pixels", "Sums":
				if b.Read != 0 || b.Written != b.Size || b.WrittenOnce != b.Size {
					t.Errorf("%s is not written once: %+v", name, b)
				}
			}
		}
		if excess, least := l.excess("shared", nil); excess != 0 || least == 0 {
			t.Errorf("%d wavefronts beyond the least, %d", excess, least)
		}
	}
}

func checkMemory(t *testing.T, test string, l traced, want launch) {
	t.Helper()
	names := pointers(want.params)
	t.Logf("%s: %s", test, l.table(names))
	warps := float64(l.Grid[0] * l.Grid[1] * l.Block[0] / 32)
	seen := 0
	for _, b := range l.Buffers {
		name := b.name(names)
		if b.Param < 0 { // a buffer in batchnorm_fold's table
			if b.Read+b.Written != b.Size || b.ReadOnce+b.WrittenOnce != b.Size {
				t.Errorf("%s: a buffer of the table is moved more than once or not whole: %+v", test, b)
			}
			continue
		}
		p, ok := want.buffers[name]
		if !ok {
			t.Errorf("%s: %s touches %s", test, l.Kernel, name)
			continue
		}
		seen++
		whole := func(limit float64, once int64) bool { return limit == 0 || once == b.Size }
		if p == perWarp {
			p = passes{warps, warps}
			whole = func(float64, int64) bool { return true }
		}
		size := float64(b.Size)
		if float64(b.Read) > p.read*size || float64(b.Written) > p.written*size {
			t.Errorf("%s: %s reads %s %.3f times and writes it %.3f times, at most %.3f and %.3f are needed", test, l.Kernel, name,
				float64(b.Read)/size, float64(b.Written)/size, p.read, p.written)
		}
		if !whole(p.read, b.ReadOnce) || !whole(p.written, b.WrittenOnce) {
			t.Errorf("%s: of %s's %d bytes, %d are read and %d are written", test, name, b.Size, b.ReadOnce, b.WrittenOnce)
		}
	}
	if seen != len(want.buffers) {
		t.Errorf("%s: %s touches %d buffers of %d", test, l.Kernel, seen, len(want.buffers))
	}
	// At 3 bytes per pixel, three accesses of one byte move the same sectors.
	pixels := func(s site) bool {
		return (strings.HasPrefix(test, "normalize_padded") || strings.HasPrefix(test, "augment_store")) && s.Width == 1
	}
	if excess, least := l.excess("device", func(s site) bool { return floatsOfHalves(s) || pixels(s) }); excess != 0 || least == 0 {
		t.Errorf("%s: %s moves %d sectors beyond the least, %d", test, l.Kernel, excess, least)
	}
	if excess, least := l.excess("device", func(s site) bool { return !floatsOfHalves(s) }); excess > least {
		t.Errorf("%s: %s moves %d sectors of per-channel parameters beyond twice the least, %d", test, l.Kernel, excess, least)
	}
	if excess, least := l.excess("device", func(s site) bool { return !pixels(s) }); excess > 2*least {
		t.Errorf("%s: %s moves %d sectors of pixels beyond three times the least, %d", test, l.Kernel, excess, least)
	}
	if excess, _ := l.excess("shared", nil); excess != 0 {
		t.Errorf("%s: %s has bank conflicts: %d wavefronts beyond the least", test, l.Kernel, excess)
	}
}
