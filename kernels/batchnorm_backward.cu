// batchnorm_backward.cu: the gradients of batch normalisation, optionally followed by ReLU.
//
// With g = dy where x·scale + shift > 0 and 0 elsewhere (without ReLU g = dy), and M rows, per
// channel:
//
//   dbeta = Σ g,  dgamma = Σ g·(x-mean)·invstd
//   dx = scale·(g - dbeta/M - (x-mean)·invstd·dgamma/M) = scale·g + b·x + c
//   b = -scale·invstd·dgamma/M,  c = -scale·dbeta/M - b·mean
//
//   batchnorm_reduce  computes dbeta and dgamma (stored or added) and the coefficients b and c, in one launch; gpu/reduce.h
//                     explains the stages and their barriers.
//   batchnorm_apply   computes dx, stored or added; dx may be dy.
//
// Shapes: x, dy, dx (rows, cols) with strides of their own. Cost: reads x and dy twice and writes
// dx once, 20 bytes per float (24 to add). This is the least unless x and dy fit on the chip. The
// ReLU's mask is the sign of the forward pass's own fused multiply-add, computed again from x, so
// neither y nor a mask is kept. Launch: 256 threads; grid.y >= packs/256, any grid.x.
#include "gpu/reduce.h"
#include "params.h"

template <class T> GPU_FN void batchnorm_reduce(const BatchNormReduceParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T *x = (const T*)p.x.data, *dy = (const T*)p.dy.data;
  const bool wx = gpu::wide(x, p.x.stride), wg = gpu::wide(dy, p.dy.stride);
  const bool accumulate = p.accumulate || p.run->accumulate;
  const gpu::ThreadPack at = gpu::thread_pack<N>(p.rows, p.cols);
  const int count = at.count > 0 ? at.count : 0;
  float mean[N], invstd[N], scale[N], shift[N];
  gpu::channel_values(mean, p.mean, at.c, count);
  gpu::channel_values(invstd, p.invstd, at.c, count);
  gpu::channel_values(scale, p.scale, at.c, count);
  gpu::channel_values(shift, p.shift, at.c, count);
  gpu::column_sums<T, 2, 256>(
      p.rows, p.cols, p.partial, p.counters,
      [&](int row, int c, int n, float (&v)[2][N]) {
        const gpu::Pack<T> a = gpu::load(x + (size_t)row * p.x.stride + c, n, wx);
        gpu::Pack<T> g = gpu::load(dy + (size_t)row * p.dy.stride + c, n, wg);
        UNROLL for (int i = 0; i < N; i++) {
          if (p.relu && gpu::fma(a.v[i], scale[i], shift[i]) <= 0) g.v[i] = 0;
          v[0][i] = g.v[i];
          v[1][i] = g.v[i] * ((a.v[i] - mean[i]) * invstd[i]);
        }
      },
      [&](int c, const double (&s)[2]) {
        if (p.dbeta) p.dbeta[c] = (float)(accumulate ? s[0] + (double)p.dbeta[c] : s[0]);
        if (p.dgamma) p.dgamma[c] = (float)(accumulate ? s[1] + (double)p.dgamma[c] : s[1]);
        const double a = p.scale[c], b = gpu::div(-a * (double)p.invstd[c] * s[1], p.rows);
        p.coefficients[c] = (float)b;
        p.coefficients[p.cols + c] = (float)(gpu::div(-a * s[0], p.rows) - b * (double)p.mean[c]);
      });
}

template <class T> GPU_FN void batchnorm_apply(const BatchNormApplyParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T *x = (const T*)p.x.data, *dy = (const T*)p.dy.data;
  T* dx = (T*)p.dx.data;
  const bool wx = gpu::wide(x, p.x.stride), wg = gpu::wide(dy, p.dy.stride), wd = gpu::wide(dx, p.dx.stride);
  const gpu::ThreadPack at = gpu::thread_pack<N>(p.rows, p.cols);
  if (at.row >= p.rows) return;
  float scale[N], shift[N], b[N], c[N];
  gpu::channel_values(scale, p.scale, at.c, at.count);
  gpu::channel_values(shift, p.shift, at.c, at.count);
  gpu::channel_values(b, p.coefficients, at.c, at.count);
  gpu::channel_values(c, p.coefficients + p.cols, at.c, at.count);
  for (int row = at.row; row < p.rows; row += at.step) {
    const gpu::Pack<T> a = gpu::load(x + (size_t)row * p.x.stride + at.c, at.count, wx);
    gpu::Pack<T> g = gpu::load(dy + (size_t)row * p.dy.stride + at.c, at.count, wg);
    T* to = dx + (size_t)row * p.dx.stride + at.c;
    UNROLL for (int i = 0; i < N; i++) {
      if (p.relu && gpu::fma(a.v[i], scale[i], shift[i]) <= 0) g.v[i] = 0;
      g.v[i] = gpu::fma(scale[i], g.v[i], gpu::fma(b[i], a.v[i], c[i]));
    }
    if (p.accumulate) {
      const gpu::Pack<T> old = gpu::load(to, at.count, wd);
      UNROLL for (int i = 0; i < N; i++) g.v[i] += old.v[i];
    }
    gpu::store(to, g, at.count, wd);
  }
}

KERNEL(batchnorm_reduce_f32, BatchNormReduceParams, 256) { batchnorm_reduce<float>(p); }
KERNEL(batchnorm_reduce_bf16, BatchNormReduceParams, 256) { batchnorm_reduce<gpu::Bf16>(p); }
KERNEL(batchnorm_apply_f32, BatchNormApplyParams, 256) { batchnorm_apply<float>(p); }
KERNEL(batchnorm_apply_bf16, BatchNormApplyParams, 256) { batchnorm_apply<gpu::Bf16>(p); }
