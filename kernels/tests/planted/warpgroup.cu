// warpgroup.cu: wgmma with one step left out, and with none left out (wgmma_ok). A warpgroup
// computes d = a·b for a of 64 x 16 and b of 16 x 64, whose elements are x[16·m + k] and x[16·n + k
// + 1], and stores the first 8 rows of d.
#include "gpu/gpu.h"
#include "params.h"

enum Step { NONE, BARRIER, FENCE_ASYNC, STORE_AFTER_FENCE, FENCE, COMMIT, WAIT, WAIT_BEFORE_READ, WAIT_BEFORE_OVERWRITE };

// The barriers: (1) all threads have filled the operands before any thread multiplies; (2) all have
// multiplied before the operands are overwritten.
template <Step LEFT_OUT> GPU_FN void wgmma(const PlantedParams& p, unsigned char* shared) {
  const int t = threadIdx.x, row = t % 64;
  unsigned char* operand = shared + t / 64 * 8192;  // threads 0-63 fill a, the others b
  for (int j = 0; j < 2; j++) {
    uint32_t w[4];
    for (int i = 0; i < 4; i++) {
      const int from = 16 * row + 8 * j + 2 * i + t / 64;
      w[i] = gpu::cvt_bf16(p.x[from % p.n]) | (uint32_t)gpu::cvt_bf16(p.x[(from + 1) % p.n]) << 16;
    }
    gpu::store16(operand + row * 128 + (j ^ row % 8) * 16, {w[0], w[1], w[2], w[3]});
  }
  gpu::cp_async_wait<0>();
  if (LEFT_OUT != FENCE_ASYNC) gpu::fence_async();
  if (LEFT_OUT == STORE_AFTER_FENCE) gpu::store16(operand + row * 128 + (row % 8) * 16, gpu::load16(operand + row * 128 + (row % 8) * 16));
  if (LEFT_OUT != BARRIER) __syncthreads();  // (1)
  float d[32] = {};
  if (LEFT_OUT != FENCE) gpu::wgmma_fence();
  gpu::wgmma_bf16<64, false, false>(d, gpu::wgmma_operand(shared, 16, 1024), gpu::wgmma_operand(shared + 8192, 16, 1024));
  if (LEFT_OUT != COMMIT) gpu::wgmma_commit();
  if (LEFT_OUT == WAIT) return;
  if (LEFT_OUT != WAIT_BEFORE_READ && LEFT_OUT != WAIT_BEFORE_OVERWRITE) gpu::wgmma_wait(d);
  __syncthreads();  // (2)
  gpu::store16(operand + row * 128 + row % 8 * 16, {0, 0, 0, 0});
  if (LEFT_OUT == WAIT_BEFORE_OVERWRITE) gpu::wgmma_wait(d);
  if (t < 32)
    for (int j = 0; j < 8; j++)
      for (int e = 0; e < 2; e++) p.y[t / 4 * 64 + 8 * j + t % 4 * 2 + e] = d[4 * j + e];
  if (LEFT_OUT == WAIT_BEFORE_READ) gpu::wgmma_wait(d);
}
KERNEL(wgmma_ok, PlantedParams, 128) { DYN_SHARED(shared); wgmma<NONE>(p, shared); }
KERNEL(wgmma_no_barrier, PlantedParams, 128) { DYN_SHARED(shared); wgmma<BARRIER>(p, shared); }
KERNEL(wgmma_no_fence_async, PlantedParams, 128) { DYN_SHARED(shared); wgmma<FENCE_ASYNC>(p, shared); }
KERNEL(wgmma_store_after_fence, PlantedParams, 128) { DYN_SHARED(shared); wgmma<STORE_AFTER_FENCE>(p, shared); }
KERNEL(wgmma_no_fence, PlantedParams, 128) { DYN_SHARED(shared); wgmma<FENCE>(p, shared); }
KERNEL(wgmma_no_commit, PlantedParams, 128) { DYN_SHARED(shared); wgmma<COMMIT>(p, shared); }
KERNEL(wgmma_no_wait, PlantedParams, 128) { DYN_SHARED(shared); wgmma<WAIT>(p, shared); }
KERNEL(wgmma_early_read, PlantedParams, 128) { DYN_SHARED(shared); wgmma<WAIT_BEFORE_READ>(p, shared); }
KERNEL(wgmma_early_overwrite, PlantedParams, 128) { DYN_SHARED(shared); wgmma<WAIT_BEFORE_OVERWRITE>(p, shared); }
