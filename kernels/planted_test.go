package kernels_test

import (
	"fmt"
	"strings"
	"testing"
)

// finding is one planted bug and what must be printed when it runs.
type finding struct {
	bug      string // an argument of planted_tests
	settings string // EMULATOR_ variables, without the prefix
	want     string // in the output
}

// wait lets asynchronous copies happen at the wait.
const wait = "CPASYNC=wait"

// The bugs that the plain build finds, and the same programs without them.
var plainFindings = []finding{
	{"broadcast_ok", "", "result right"},
	{"broadcast_no_barrier", "SEED=1", "result wrong"},
	{"broadcast_no_barrier", "SEED=2", "result wrong"},
	{"broadcast_no_barrier", "SEED=3", "result wrong"},
	{"warp_tree_ok", "", "result right"},
	{"warp_tree_no_syncwarp", "", "result wrong"},
	{"warp_tree_no_syncwarp", "SEED=1", "result wrong"},
	{"async_copy_ok", "", "result right"},
	{"async_copy_ok", wait, "result right"},
	{"async_copy_late_wait", wait, "result wrong"},
	{"async_copy_late_wait", "SEED=1", "result wrong"},
	{"async_copy_no_wait", wait, "no cp_async_wait has covered this copy"},
	{"async_copy_no_wait", wait, "in kernel async_copy_no_wait, block (0,0,0), thread (0,0,0)"},
	{"gemm_tf32", "", "result right"},
	{"gemm_bf16", "", "result right"},
	{"gemm_bf16", wait, "result right"},
	{"gemm_bf16", "SEED=1", "result right"},
	{"warp_collectives", "", "result right"},
	{"warp_collectives", "SEED=2", "result right"},
	{"barrier_divergence", "", "barrier divergence: thread 0 waits at kernels/tests/planted/planted.cu:"},
	{"barrier_divergence", "SEED=4", "barrier divergence"},
	{"deadlock", "", "deadlock: no thread can go on; 32 of 32 have not returned, 31 wait at a barrier"},
	{"deadlock", "SEED=4", "deadlock"},
	{"warp_divergence", "", "warp divergence: lane 0 of warp 0 waits at"},
	{"misaligned", "", "is not a multiple of 16"},

	{"synchronised", "LAZY=1", "result right"},
	{"forgotten_synchronisation", "", "result right"},
	{"forgotten_synchronisation", "LAZY=1", "result wrong"},
	{"streams_ok", "LAZY=1 SEED=1", "result right"},
	{"captured_ok", "LAZY=1", "result right"},
	{"unjoined_capture", "", "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"},

	{"no_context", "", "no context is current on this OS thread"},
	{"no_context", "", "CUDA_ERROR_INVALID_CONTEXT"},
	{"no_context_on_thread", "", "cuLaunchKernel: no context is current on this OS thread"},
	{"stale_image", "", "16 bytes of parameters in the image and 24 in the source: the image is stale"},
	{"copy_out_of_bounds", "", "2048 bytes from offset 8 do not fit the device allocation of 2048 bytes"},
	{"too_many_threads", "", "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
	{"too_much_shared", "", "the function allows 49152 (cuFuncSetAttribute)"},
	{"shared_too_large", "", "12288 bytes of static and 225280 of dynamic shared memory: a block has at most 232448"},
	{"wrong_params", "", "takes 24 bytes of parameters, the launch passes 4"},
	{"unknown_call", "", "cuMemAllocManaged is not implemented"},
	{"fault", "FAULT=plus_one", "CUDA_ERROR_ILLEGAL_ADDRESS"},
}

func check(t *testing.T, program string, findings []finding) {
	t.Helper()
	for _, f := range findings {
		var settings []string
		for _, s := range strings.Fields(f.settings) {
			settings = append(settings, "EMULATOR_"+s)
		}
		if _, out := run(t, settings, program, f.bug); !strings.Contains(out, f.want) {
			t.Errorf("%s %s: no %q in\n%s", f.bug, f.settings, f.want, out)
		}
	}
}

func TestPlantedBugs(t *testing.T) { check(t, build(t, plain, "planted_tests"), plainFindings) }

// Work on two streams without an event between them, and a captured graph that lacks one, run in the wrong order with some seed
// and, with the event, with none.
func TestRandomOrderOfStreams(t *testing.T) {
	program := build(t, plain, "planted_tests")
	for _, kind := range []string{"streams", "captured"} {
		wrong := 0
		for seed := 1; seed <= 10; seed++ {
			settings := []string{fmt.Sprintf("EMULATOR_SEED=%d", seed), "EMULATOR_LAZY=1"}
			if _, out := run(t, settings, program, kind+"_no_wait"); strings.Contains(out, "result wrong") {
				wrong++
			}
			if _, out := run(t, settings, program, kind+"_ok"); !strings.Contains(out, "result right") {
				t.Errorf("%s_ok, seed %d: %s", kind, seed, out)
			}
		}
		if wrong == 0 {
			t.Errorf("%s_no_wait: no seed of 10 shows the missing event", kind)
		}
	}
}

func TestAddressSanitizerFindsPlantedBugs(t *testing.T) {
	check(t, build(t, asan, "planted_tests"), []finding{
		{"broadcast_ok", "", "result right"},
		{"warp_tree_ok", "SEED=1", "result right"},
		{"async_copy_ok", "SEED=1", "result right"},
		{"gemm_bf16", "SEED=1", "result right"},
		{"global_out_of_bounds", "", "heap-buffer-overflow"},
		{"global_out_of_bounds", "", "in kernel global_out_of_bounds, block (4,0,0), thread (0,0,0)"},
		{"global_out_of_bounds", "", "planted.cu:"},
		{"shared_out_of_bounds", "", "heap-buffer-overflow"},
		{"shared_out_of_bounds", "", "in kernel shared_out_of_bounds, block (0,0,0), thread (0,0,0)"},
	})
}

func TestThreadSanitizerFindsPlantedBugs(t *testing.T) {
	program := build(t, tsan, "planted_tests")
	for _, bug := range []string{"broadcast_no_barrier", "warp_tree_no_syncwarp", "count_without_atomic"} {
		if code, out := run(t, nil, program, bug); code == 0 || !strings.Contains(out, "data race") {
			t.Errorf("%s: no data race reported:\n%s", bug, out)
		}
	}
	for _, ok := range []string{"broadcast_ok", "warp_tree_ok", "async_copy_ok", "gemm_bf16", "gemm_tf32", "warp_collectives"} {
		if code, out := run(t, nil, program, ok); code != 0 || !strings.Contains(out, "result right") {
			t.Errorf("%s: exit code %d:\n%s", ok, code, out)
		}
	}
}

// A read-modify-write that is not atomic needs a switch between its read and its write.
func TestPreemptionFindsPlantedBugs(t *testing.T) {
	check(t, build(t, preempt, "planted_tests"), []finding{
		{"count_without_atomic", "SEED=1 PREEMPT=8", "result wrong"},
		{"broadcast_no_barrier", "SEED=1 PREEMPT=8", "result wrong"},
		{"broadcast_ok", "SEED=1 PREEMPT=8", "result right"},
		{"warp_tree_ok", "SEED=1 PREEMPT=8", "result right"},
	})
}
