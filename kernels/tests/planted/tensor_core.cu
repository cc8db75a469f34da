// tensor_core.cu: the wrappers that the emulator's own tests do not use otherwise, used as in a
// convolution: cp.async in two stages, ldmatrix with and without transposition, mma. One warp
// computes d = a·b for a of 16 x k and b of k x 16, k a multiple of 16. The same program on a GPU
// proves that the emulator's fragments are right.
#include "gpu/gpu.h"
#include "params.h"

// store_tile writes the fragments of a 16 x 16 result.
GPU_FN void store_tile(float* d, const float (&c)[1][2][4]) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  for (int j = 0; j < 2; j++)
    for (int q = 0; q < 4; q++) d[(g + q / 2 * 8) * 16 + j * 8 + t * 2 + q % 2] = c[0][j][q];
}

// The barriers: (1) every lane's part of the stage has arrived before any lane reads it; (2) all
// lanes have read the stage before the copies of the round after next overwrite it.
KERNEL(gemm_bf16, GemmParams, 32) {
  constexpr int ld = 24;  // elements: 48 bytes, so that 8 rows hit 8 different groups of banks
  SHARED(uint4, stages, [2][2][16 * ld / 8]);
  const int lane = threadIdx.x, row = lane / 2, half = lane % 2 * 8;
  const uint16_t *a = (const uint16_t*)p.a, *b = (const uint16_t*)p.b;
  const auto fetch = [&](int k) {
    uint16_t* s = (uint16_t*)&stages[k / 16 % 2][0][0];
    gpu::cp_async<16>(s + row * ld + half, a + row * p.k + k + half, true);
    gpu::cp_async<16>(s + 16 * ld + row * ld + half, b + (k + row) * 16 + half, true);
  };
  float c[1][2][4] = {};
  fetch(0);
  gpu::cp_async_commit();
  for (int k = 0; k < p.k; k += 16) {
    if (k + 16 < p.k) fetch(k + 16);
    gpu::cp_async_commit();
    gpu::cp_async_wait<1>();
    gpu::syncwarp();  // (1)
    const uint16_t* s = (const uint16_t*)&stages[k / 16 % 2][0][0];
    uint32_t fa[1][4], r[4];
    gpu::ldmatrix_x4(fa[0], s + lane % 16 * ld + lane / 16 * 8);
    gpu::ldmatrix_x4_trans(r, s + 16 * ld + (lane % 8 + lane / 8 % 2 * 8) * ld + lane / 16 * 8);
    const uint32_t fb[2][2] = {{r[0], r[1]}, {r[2], r[3]}};
    gpu::mma_tile_bf16(c, fa, fb);
    gpu::syncwarp();  // (2)
  }
  store_tile(p.d, c);
}

KERNEL(gemm_tf32, GemmParams, 32) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const float *a = (const float*)p.a, *b = (const float*)p.b;
  float c[1][2][4] = {};
  for (int k = 0; k < p.k; k += 8) {
    uint32_t fa[4];
    for (int q = 0; q < 4; q++) fa[q] = gpu::cvt_tf32(a[(g + q % 2 * 8) * p.k + k + t + q / 2 * 4]);
    for (int j = 0; j < 2; j++) {
      uint32_t fb[2];
      for (int q = 0; q < 2; q++) fb[q] = gpu::cvt_tf32(b[(k + t + q * 4) * 16 + j * 8 + g]);
      gpu::mma_m16n8k8_tf32(c[0][j], fa, fb);
    }
  }
  store_tile(p.d, c);
}

// The sums over a warp and over the lanes that a ballot selects.
KERNEL(warp_collectives, PlantedParams, 64) {
  const int t = threadIdx.x;
  double sum = (double)p.x[t];
  for (int m = 16; m; m >>= 1) sum += gpu::shfl_xor(sum, m);
  const uint32_t odd = gpu::ballot(((int)p.x[t] & 1) != 0);
  const float third = gpu::shfl(p.x[t], 3);
  p.y[t] = (float)sum + (float)(odd == 0xaaaaaaaau) + third;
}
