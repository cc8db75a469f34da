// tma.cu: TMA with one step left out, and with none left out (tma_ok). A warp loads a box of 8 rows
// and 64 columns of the matrix that the tensor map describes, from column 8 of row 2 on, and stores
// it as floats.
#include "gpu/gpu.h"
#include "params.h"

enum Step { NONE, INIT, INIT_FENCE, MEETING, EXPECT, WAIT, WAIT_BEFORE_READ, PARAMETER };

// The syncwarps: (1) the mbarrier is ready before anything arrives; (2) the load has been started
// before any lane waits for it.
template <Step LEFT_OUT> GPU_FN void tma(const TmaParams& p, unsigned char* shared, uint64_t* bar) {
  const int t = threadIdx.x;
  if (t == 0 && LEFT_OUT != INIT) {
    gpu::mbarrier_init(bar);
    if (LEFT_OUT != INIT_FENCE) gpu::fence_async();
  }
  if (LEFT_OUT == MEETING && t == 1) gpu::mbarrier_expect(bar, 1024);  // a thread that has not seen it made
  gpu::syncwarp();  // (1)
  if (t == 0) {
    if (LEFT_OUT != EXPECT) gpu::mbarrier_expect(bar, 1024);
    gpu::tma_load(shared, LEFT_OUT == PARAMETER ? p.global : &p.map, 8, 2, bar);
  }
  gpu::syncwarp();  // (2)
  if (LEFT_OUT == WAIT) return;
  if (LEFT_OUT != WAIT_BEFORE_READ) gpu::mbarrier_wait(bar, 0);
  for (int i = t; i < 512; i += 32) {
    const int row = i / 64, column = i % 64;
    p.y[i] = gpu::bf16_float(*(const uint16_t*)(shared + row * 128 + (column / 8 ^ row) * 16 + column % 8 * 2));
  }
  if (LEFT_OUT == WAIT_BEFORE_READ) gpu::mbarrier_wait(bar, 0);
}
#define PLANTED(name, left_out) \
  KERNEL(name, TmaParams, 32) { DYN_SHARED(shared); SHARED(uint64_t, bar, [1]); tma<left_out>(p, shared, bar); }
PLANTED(tma_ok, NONE)
PLANTED(tma_no_init, INIT)
PLANTED(tma_no_init_fence, INIT_FENCE)
PLANTED(tma_unseen_init, MEETING)
PLANTED(tma_no_expect, EXPECT)
PLANTED(tma_no_wait, WAIT)
PLANTED(tma_early_read, WAIT_BEFORE_READ)
PLANTED(tma_map_in_memory, PARAMETER)
