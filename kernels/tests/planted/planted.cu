// planted.cu: kernels with one bug or one wasteful access each, and the same kernels without it
// (name_ok). The emulator's tests run them. They expect the tool that claims to find a bug or a
// waste to report it, with the right message or number, and to report nothing about the other
// kernels.
#include "gpu/gpu.h"
#include "params.h"

// Thread 0 passes a value to the whole block. The barrier keeps other threads from reading before
// thread 0 has written.
template <bool OK> GPU_FN void broadcast(const PlantedParams& p) {
  SHARED(float, value, [1]);
  if (threadIdx.x == 0) value[0] = p.x[0];
  if (OK) __syncthreads();
  p.y[threadIdx.x] = value[0];
}
KERNEL(broadcast_ok, PlantedParams, 128) { broadcast<true>(p); }
KERNEL(broadcast_no_barrier, PlantedParams, 128) { broadcast<false>(p); }

// The sum of 32 values by a tree in shared memory. The first syncwarp of a round keeps a lane from
// reading before its neighbour has written in the round before. The second keeps it from
// overwriting what its neighbour has yet to read.
template <bool OK> GPU_FN void warp_tree(const PlantedParams& p) {
  SHARED(float, s, [64]);
  const int t = threadIdx.x;
  s[t] = p.x[t];
  s[t + 32] = 0;
  for (int o = 16; o; o >>= 1) {
    if (OK) gpu::syncwarp();
    const float v = s[t + o];
    if (OK) gpu::syncwarp();
    s[t] += v;
  }
  if (t == 0) p.y[0] = s[0];
}
KERNEL(warp_tree_ok, PlantedParams, 32) { warp_tree<true>(p); }
KERNEL(warp_tree_no_syncwarp, PlantedParams, 32) { warp_tree<false>(p); }

// Counts its threads. Only an atomic, or last_block, can do that correctly.
KERNEL(count_without_atomic, PlantedParams, 128) {
  volatile float* y = p.y;
  *y = *y + 1;
}

// Reads one element too many.
KERNEL(global_out_of_bounds, PlantedParams, 128) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= p.n) p.y[i % p.n] = p.x[i];
}
KERNEL(shared_out_of_bounds, PlantedParams, 64) {
  SHARED(float, s, [64]);
  s[threadIdx.x] = p.x[threadIdx.x];
  __syncthreads();
  p.y[threadIdx.x] = s[64 - threadIdx.x];  // thread 0 reads s[64]
}

// Copies through shared memory asynchronously. WAIT says when the kernel waits.
enum Wait { before_the_read, after_the_read, never };
template <Wait WAIT> GPU_FN void async_copy(const PlantedParams& p) {
  SHARED(float, s, [512]);
  const int t = threadIdx.x;
  gpu::cp_async<16>(&s[4 * t], p.x + 4 * t, true);
  gpu::cp_async_commit();
  if (WAIT == before_the_read) gpu::cp_async_wait<0>();
  for (int i = 0; i < 4; i++) p.y[4 * t + i] = s[4 * t + i];
  if (WAIT == after_the_read) gpu::cp_async_wait<0>();
}
KERNEL(async_copy_ok, PlantedParams, 128) { async_copy<before_the_read>(p); }
KERNEL(async_copy_late_wait, PlantedParams, 128) { async_copy<after_the_read>(p); }
KERNEL(async_copy_no_wait, PlantedParams, 128) { async_copy<never>(p); }

// Two halves of a block wait at different barriers.
KERNEL(barrier_divergence, PlantedParams, 64) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
  p.y[threadIdx.x] = 1;
}
// One warp waits for the block while its last lane waits for the warp.
KERNEL(deadlock, PlantedParams, 32) {
  if (threadIdx.x < 31)
    __syncthreads();
  else
    gpu::syncwarp();
  p.y[threadIdx.x] = 1;
}
// Two lanes take part in different collectives.
KERNEL(warp_divergence, PlantedParams, 32) {
  if (threadIdx.x < 16)
    p.y[threadIdx.x] = gpu::shfl(1.0f, 0);
  else
    p.y[threadIdx.x] = gpu::shfl_xor(1.0f, 1);
}
KERNEL(misaligned, PlantedParams, 32) { gpu::store16(p.y + 1, gpu::load16(p.x)); }

// y = x + 1: short work for the tests of streams and launches.
KERNEL(plus_one, PlantedParams, 128) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < p.n) p.y[i] = p.x[i] + 1;
}
// 12 KiB of static shared memory in addition to the most dynamic shared memory that a launch can
// ask for.
KERNEL(shared_too_large, PlantedParams, 32) {
  DYN_SHARED(memory);
  SHARED(float, s, [3072]);
  s[threadIdx.x] = memory[threadIdx.x];
  p.y[threadIdx.x] = s[threadIdx.x];
}

// The kernels below are correct but cost more than they must. The trace build counts the cost.

// A warp reads the columns of a tile of 32 rows. In rows of 32 floats, a column lies in one bank.
template <int LENGTH> GPU_FN void columns_of_tile(const PlantedParams& p) {
  SHARED(float, tile, [32][LENGTH]);
  const int t = threadIdx.x;
  float sum = p.x[t];
  for (int i = 0; i < 32; i++) tile[i][t] = sum;
  gpu::syncwarp();
  for (int i = 0; i < 32; i++) sum += tile[t][i];
  p.y[t] = sum;
}
KERNEL(columns_of_tile_ok, PlantedParams, 32) { columns_of_tile<33>(p); }
KERNEL(columns_of_tile, PlantedParams, 32) { columns_of_tile<32>(p); }

// The 8 rows of an 8 x 8 matrix are LENGTH chunks of 16 bytes apart. With LENGTH 8, all begin in
// the same bank.
template <int LENGTH> GPU_FN void rows_of_matrix(const PlantedParams& p) {
  SHARED(uint4, rows, [32 * LENGTH]);
  const int t = threadIdx.x;
  gpu::store16(&rows[t * LENGTH], gpu::load16(p.x + 4 * t));
  gpu::syncwarp();
  uint32_t r[4];
  gpu::ldmatrix_x4(r, &rows[t * LENGTH]);
  p.y[t] = gpu::as_float(r[0] ^ r[1] ^ r[2] ^ r[3]);
}
KERNEL(rows_of_matrix_ok, PlantedParams, 32) { rows_of_matrix<9>(p); }
KERNEL(rows_of_matrix, PlantedParams, 32) { rows_of_matrix<8>(p); }

// Every second lane reads; their floats are 32 floats apart.
KERNEL(strided, PlantedParams, 32) {
  if (threadIdx.x % 2 == 0) p.y[threadIdx.x] = p.x[16 * threadIdx.x];
}
// Reads its input twice.
KERNEL(read_twice, PlantedParams, 128) {
  const float first = p.x[threadIdx.x];
  __syncthreads();
  p.y[threadIdx.x] = first + p.x[threadIdx.x];
}
// Lanes leave the inner loop at different times, and the barrier brings them together again, so
// that every request writes neighbours.
KERNEL(uneven_loop_ok, PlantedParams, 32) {
  const int t = threadIdx.x;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i <= t; i++) p.y[32 * (i % 16) + t] = p.x[t];
    __syncthreads();
  }
}
// Every block counts itself once.
KERNEL(last_block_ok, PlantedParams, 32) {
  if (gpu::last_block((uint32_t*)p.y, gridDim.x) && threadIdx.x == 0) p.y[1] = 1;
}

// A block of 512 threads with 200 registers each needs more than a multiprocessor has.
static ::emu::Registration too_many_registers{{"too_many_registers", sizeof(PlantedParams), alignof(PlantedParams), 512, [](const void*) {}, nullptr, 200}};
