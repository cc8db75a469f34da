package kernels_test

import (
	"fmt"
	"strings"
	"testing"
)

// finding is one planted bug and the output that it must produce.
type finding struct {
	bug      string // an argument of planted_tests
	settings string // EMULATOR_ variables, without the prefix
	want     string // part of the output
}

// wait delays asynchronous copies until the kernel waits for them.
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
	{"wgmma_ok", "", "result right"},
	{"wgmma_ok", wait, "result right"},
	{"wgmma_ok", "SEED=1", "result right"},
	{"wgmma_no_fence_async", "", "no fence_async has come since this thread last wrote to shared memory"},
	{"wgmma_store_after_fence", "", "no fence_async has come since this thread last wrote to shared memory"},
	{"wgmma_no_fence", "", "no wgmma_fence has come since the last wgmma_wait"},
	{"wgmma_no_commit", "", "no wgmma_commit has come since the last wgmma"},
	{"wgmma_no_wait", wait, "no wgmma_wait has covered this product"},
	{"wgmma_no_wait", wait, "in kernel wgmma_no_wait, block (0,0,0)"},
	{"wgmma_early_read", wait, "result wrong"},
	{"wgmma_early_overwrite", wait, "result wrong"},
	{"tma_ok", "", "result right"},
	{"tma_ok", wait, "result right"},
	{"tma_ok", "SEED=1", "result right"},
	{"tma_no_init", "", "no mbarrier_init has made it"},
	{"tma_no_init_fence", "", "no fence_async of thread 0 has come since its mbarrier_init"},
	{"tma_unseen_init", "", "thread 1 has not met thread 0 at a barrier since its mbarrier_init"},
	{"tma_no_expect", "", "mbarrier_wait: no mbarrier_expect"},
	{"tma_no_wait", wait, "no mbarrier_wait has covered this load"},
	{"tma_early_read", wait, "result wrong"},
	{"tma_map_in_memory", "", "is not in the kernel's parameters"},
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
	{"too_many_registers", "", "too_many_registers: a block of 512 threads of 200 registers; there are 65536"},
	{"too_many_registers", "", "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
	{"too_much_shared", "", "the function allows 49152 (cuFuncSetAttribute)"},
	{"shared_too_large", "", "12288 bytes of static and 225280 of dynamic shared memory: a block has at most 232448"},
	{"params_in_a_buffer", "", "a buffer of parameters, whose layout depends on the GPU"},
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

// Work on two streams without an event between them, and a captured graph without such an event,
// run in the wrong order with some seed. With the event, they never do.
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
		{"wgmma_ok", "SEED=1", "result right"},
		{"tma_ok", "SEED=1", "result right"},
		{"global_out_of_bounds", "", "heap-buffer-overflow"},
		{"global_out_of_bounds", "", "in kernel global_out_of_bounds, block (4,0,0), thread (0,0,0)"},
		{"global_out_of_bounds", "", "planted.cu:"},
		{"shared_out_of_bounds", "", "heap-buffer-overflow"},
		{"shared_out_of_bounds", "", "in kernel shared_out_of_bounds, block (0,0,0), thread (0,0,0)"},
	})
}

func TestThreadSanitizerFindsPlantedBugs(t *testing.T) {
	program := build(t, tsan, "planted_tests")
	for _, bug := range []string{"broadcast_no_barrier", "warp_tree_no_syncwarp", "count_without_atomic", "wgmma_no_barrier"} {
		if code, out := run(t, nil, program, bug); code == 0 || !strings.Contains(out, "data race") {
			t.Errorf("%s: no data race reported:\n%s", bug, out)
		}
	}
	for _, ok := range []string{"broadcast_ok", "warp_tree_ok", "async_copy_ok", "gemm_bf16", "gemm_tf32", "wgmma_ok", "tma_ok", "warp_collectives"} {
		if code, out := run(t, nil, program, ok); code != 0 || !strings.Contains(out, "result right") {
			t.Errorf("%s: exit code %d:\n%s", ok, code, out)
		}
	}
}

// To go wrong, a read-modify-write that is not atomic needs a switch of threads between its read
// and its write.
func TestPreemptionFindsPlantedBugs(t *testing.T) {
	check(t, build(t, preempt, "planted_tests"), []finding{
		{"count_without_atomic", "SEED=1 PREEMPT=8", "result wrong"},
		{"broadcast_no_barrier", "SEED=1 PREEMPT=8", "result wrong"},
		{"broadcast_ok", "SEED=1 PREEMPT=8", "result right"},
		{"warp_tree_ok", "SEED=1 PREEMPT=8", "result right"},
	})
}

// cost is the total cost of a kernel's accesses of one kind.
type cost struct{ requests, cost, least, worst, bytes, again int64 }

// The trace counts the waste of wasteful kernels, and no waste of others.
func TestTraceCountsPlantedCosts(t *testing.T) {
	program := build(t, trace, "planted_tests")
	for _, p := range []struct {
		kernel, access string
		want           cost
	}{
		{"columns_of_tile_ok", "shared write", cost{32, 32, 32, 1, 0, 0}},
		{"columns_of_tile_ok", "shared read", cost{32, 32, 32, 1, 0, 0}},
		{"columns_of_tile", "shared write", cost{32, 32, 32, 1, 0, 0}},
		{"columns_of_tile", "shared read", cost{32, 32 * 32, 32, 32, 0, 0}},
		{"rows_of_matrix_ok", "shared write", cost{1, 4, 4, 1, 0, 0}},
		{"rows_of_matrix_ok", "shared read", cost{1, 4, 4, 1, 0, 0}},
		{"rows_of_matrix", "shared write", cost{1, 4 * 8, 4, 8, 0, 0}},
		{"rows_of_matrix", "shared read", cost{1, 4 * 8, 4, 8, 0, 0}},
		{"rows_of_matrix", "device read", cost{1, 16, 16, 0, 512, 0}},
		{"strided", "device read", cost{1, 16, 2, 0, 64, 0}},
		{"strided", "device write", cost{1, 4, 2, 0, 64, 0}},
		{"read_twice", "device read", cost{2 * 4, 2 * 16, 2 * 16, 0, 2 * 512, 512}},
		{"read_twice", "device write", cost{4, 16, 16, 0, 512, 0}},
		{"uneven_loop_ok", "device write", cost{2 * 32, 2 * 80, 2 * 80, 0, 2 * 4 * 528, 2*4*528 - 4*392}},
		{"async_copy_ok", "device read", cost{4, 4 * 16, 4 * 16, 0, 2048, 0}},
		{"async_copy_ok", "shared write", cost{4, 4 * 4, 4 * 4, 1, 0, 0}},
		{"async_copy_ok", "shared read", cost{16, 16 * 4, 16, 4, 0, 0}}, // every 4th word
		{"last_block_ok", "device read", cost{4, 4, 4, 0, 16, 12}},      // the counter of last_block
		{"last_block_ok", "device write", cost{4 + 1, 4 + 1, 4 + 1, 0, 16 + 4, 12}},
	} {
		for _, settings := range [][]string{nil, {"EMULATOR_" + wait}, {"EMULATOR_SEED=1"}} {
			launches := runTraced(t, settings, program, p.kernel)
			if len(launches) != 1 {
				t.Fatalf("%s: %d launches are in the trace, not 1", p.kernel, len(launches))
			}
			var got cost
			for _, s := range launches[0].Sites {
				if s.Space+" "+s.Access == p.access {
					got = cost{got.requests + s.Requests, got.cost + s.Cost, got.least + s.Least, max(got.worst, s.Worst), got.bytes + s.Bytes, got.again + s.Again}
				}
			}
			if got != p.want {
				t.Errorf("%s %v: %s: %+v, want %+v\n%s", p.kernel, settings, p.access, got, p.want, launches[0].table(nil))
			}
		}
	}
}

// Only the trace build counts what accesses cost. Another build asks for it.
func TestTraceNeedsItsBuild(t *testing.T) {
	_, out := run(t, []string{"EMULATOR_TRACE=" + t.TempDir() + "/trace"}, build(t, plain, "planted_tests"), "plus_one")
	if !strings.Contains(out, "make VARIANT=trace") {
		t.Error(out)
	}
}
