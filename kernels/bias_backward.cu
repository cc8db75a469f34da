// bias_backward.cu: db[c] = Σ dy[row][c], or db += ...: the gradient of a bias that no filter
// gradient computes along with its own.
//
// Shapes: dy (rows, cols), db (cols). Cost: reads dy once; partial sums of gridDim.x·cols doubles
// stay in the L2 cache. The reduction is deterministic, with two stages in one launch; gpu/reduce.h
// explains the stages and their barriers. Launch: 256 threads; grid.y >= packs/256, any grid.x.
#include "gpu/reduce.h"
#include "params.h"

template <class T> GPU_FN void bias_backward(const BiasBackwardParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* dy = (const T*)p.dy.data;
  const bool wide = gpu::wide(dy, p.dy.stride);
  const bool accumulate = p.accumulate || p.run->accumulate;
  gpu::column_sums<T, 1, 256>(
      p.rows, p.cols, p.partial, p.counters,
      [&](int row, int c, int count, float (&v)[1][N]) {
        const gpu::Pack<T> g = gpu::load(dy + (size_t)row * p.dy.stride + c, count, wide);
        UNROLL for (int i = 0; i < N; i++) v[0][i] = g.v[i];
      },
      [&](int c, const double (&s)[1]) { p.db[c] = (float)(accumulate ? s[0] + (double)p.db[c] : s[0]); });
}

KERNEL(bias_backward_f32, BiasBackwardParams, 256) { bias_backward<float>(p); }
KERNEL(bias_backward_bf16, BiasBackwardParams, 256) { bias_backward<gpu::Bf16>(p); }
