// reduce.h: reductions that give the same bits in every run. They use no floating-point atomics,
// and the order of every sum depends only on the shapes and the grid.
#pragma once
#include "matrix.h"

namespace gpu {

// block_reduce combines the values of all THREADS threads, and returns the result in all of them. f
// must be commutative. The first barrier keeps a warp from overwriting by_warp while another warp
// still reads the result of an earlier call. The second keeps a thread from reading before every
// warp has written.
template <int THREADS, class T, class F> GPU_FN T block_reduce(T v, T (&by_warp)[THREADS / 32], F f) {
  UNROLL for (int m = 16; m; m >>= 1) v = f(v, shfl_xor(v, m));
  __syncthreads();
  if (threadIdx.x % 32 == 0) by_warp[threadIdx.x / 32] = v;
  __syncthreads();
  v = by_warp[0];
  for (int i = 1; i < THREADS / 32; i++) v = f(v, by_warp[i]);
  return v;
}

template <class T> struct Sum {
  GPU_FN T operator()(T a, T b) const { return a + b; }
};

// column_sums computes K sums of each column over all rows, and passes them to finish, in one
// launch.
//
// First stage: each thread sums K values per channel over its rows. It sums up to 32 rows in type
// V, and these sums in double. A block adds up the sums of its threads and writes
// partial[blockIdx.x][k][column]. Second stage: of the blocks with one blockIdx.y, the last to end
// adds up what all of them wrote, block after block, and calls finish(column, sums) once for each
// of its columns.
//
//   rows       f(row, c, count, values): values[k][i] of the i-th channel of the pack at channel c
//   partial    gridDim.x · K · cols doubles
//   counters   gridDim.y counters: 0 before the first launch and after each launch
//
// Barriers: (1) all threads of the block have written their sums to shared memory before any thread
// adds them up; last_block has barriers of its own; (2) all groups have written their part of the
// sums before the parts are combined.
template <class T, int K, int THREADS, class V = float, class Rows, class Finish>
GPU_FN void column_sums(int rows, int cols, double* partial, uint32_t* counters, Rows values, Finish finish) {
  constexpr int N = Pack<T>::N;
  SHARED(double, sums, [K][THREADS * N]);
  // at returns the index of thread t's sum of its j-th channel. Shared memory serves 16 lanes at a
  // time. They write one j of neighbouring threads, and read all j of 16/N neighbouring threads. In
  // both cases no two of them meet in a bank.
  const auto at = [](int t, int j) { return j * THREADS + (t ^ j * (16 / N)); };
  const ThreadPack p = thread_pack<N>(rows, cols);
  double total[K][N] = {};
  for (int row = p.row; row < rows;) {
    V part[K][N] = {};
    for (int i = 0; i < 32 && row < rows; i++, row += p.step) {
      V v[K][N];
      GPU_INLINE_CALL values(row, p.c, p.count, v);
      UNROLL for (int k = 0; k < K; k++)
        UNROLL for (int j = 0; j < N; j++) part[k][j] += v[k][j];
    }
    UNROLL for (int k = 0; k < K; k++)
      UNROLL for (int j = 0; j < N; j++) total[k][j] += (double)part[k][j];
  }
  const int t = threadIdx.x, first = blockIdx.y * p.width * N;
  const int columns = cols - first < p.width * N ? cols - first : p.width * N;  // for this block; may be <= 0
  UNROLL for (int k = 0; k < K; k++)
    UNROLL for (int j = 0; j < N; j++) sums[k][at(t, j)] = total[k][j];
  __syncthreads();  // (1)
  for (int i = t; i < columns; i += THREADS)
    UNROLL for (int k = 0; k < K; k++) {
      double s = 0;
      for (int g = 0; g < p.groups; g++) s += sums[k][at(g * p.width + i / N, i % N)];
      partial[((size_t)blockIdx.x * K + k) * cols + first + i] = s;
    }
  if (!last_block(&counters[blockIdx.y], gridDim.x)) return;
  // Each thread adds up columns. If there are fewer columns than threads, groups of threads divide
  // the partial sums.
  const int groups = columns > 0 && columns < THREADS ? THREADS / columns : 1;
  const int group = groups > 1 ? t / columns : 0;
  for (int i = t - group * columns; i < columns && group < groups; i += THREADS) {
    double s[K] = {};
    for (int b = group; b < (int)gridDim.x; b += groups)
      UNROLL for (int k = 0; k < K; k++) s[k] += partial[((size_t)b * K + k) * cols + first + i];
    if (groups == 1) {
      GPU_INLINE_CALL finish(first + i, s);
    } else {
      UNROLL for (int k = 0; k < K; k++) sums[k][group * columns + i] = s[k];
    }
  }
  if (groups == 1) return;
  __syncthreads();  // (2)
  if (t >= columns) return;
  double s[K] = {};
  for (int g = 0; g < groups; g++)
    UNROLL for (int k = 0; k < K; k++) s[k] += sums[k][g * columns + t];
  GPU_INLINE_CALL finish(first + t, s);
}

}  // namespace gpu
