// probe.cu: statistics of a tensor by channel: the sum of squares, and how many values are not
// above zero.
//
//   y[c] = Σ x[row][c]²,  y[cols + c] = #{rows: not x[row][c] > 0}
//
// A NaN makes the first NaN, and counts in the second. Squares are doubles, because the squares of
// vanishing gradients are too small for floats. Shapes: x (rows, cols) with a stride of its own; y
// 2·cols doubles. Cost: reads x once. One launch; gpu/reduce.h explains the stages and their
// barriers. Launch: 256 threads; grid.y >= packs/256, any grid.x.
#include "gpu/reduce.h"
#include "params.h"

template <class T> GPU_FN void probe(const ProbeParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* x = (const T*)p.x.data;
  const bool wide = gpu::wide(x, p.x.stride);
  gpu::column_sums<T, 2, 256, double>(
      p.rows, p.cols, p.partial, p.counters,
      [&](int row, int c, int count, double (&v)[2][N]) {
        const gpu::Pack<T> a = gpu::load(x + (size_t)row * p.x.stride + c, count, wide);
        UNROLL for (int i = 0; i < N; i++) v[0][i] = (double)a.v[i] * a.v[i], v[1][i] = a.v[i] > 0 ? 0 : 1;
      },
      [&](int c, const double (&s)[2]) { p.y[c] = s[0], p.y[p.cols + c] = s[1]; });
}

KERNEL(probe_f32, ProbeParams, 256) { probe<float>(p); }
KERNEL(probe_bf16, ProbeParams, 256) { probe<gpu::Bf16>(p); }
