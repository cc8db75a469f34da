// batchnorm_forward.cu: the statistics of batch normalisation in training (Ioffe and Szegedy 2015).
// affine.cu computes the second pass over the activation, y = x·scale + shift.
//
// With M rows, per channel:
//
//   mean = Σx/M,  var = Σx²/M - mean²,  invstd = 1/sqrt(var + eps),  scale = gamma·invstd,  shift = beta - mean·scale
//   running = (1-momentum)·running + momentum·batch; the running variance takes the unbiased variance, var·M/(M-1)
//
//   batchnorm_sums      sums x (rows, cols) itself, in one launch; gpu/reduce.h explains the stages and their barriers.
//                       Cost: reads x once. 256 threads; grid.y >= packs/256, any grid.x.
//   batchnorm_finalize  adds up partial sums (parts, 2, cols) in float, which the epilogue of a convolution left.
//                       Cost: reads those once. The rest is as in batchnorm_sums.
#include "gpu/reduce.h"
#include "params.h"

GPU_FN void finalize_channel(const BatchNormFinal& f, int c, double sum, double squares, double rows) {
  const double mean = gpu::div(sum, rows);
  double var = gpu::div(squares, rows) - mean * mean;
  if (var < 0) var = 0;  // NaN stays NaN
  const double invstd = gpu::div(1.0, gpu::sqrt(var + f.eps));
  const double scale = (double)f.gamma[c] * invstd;
  f.mean[c] = (float)mean;
  f.invstd[c] = (float)invstd;
  f.scale[c] = (float)scale;
  f.shift[c] = (float)((double)f.beta[c] - mean * scale);
  f.running_mean[c] = (float)((1 - f.momentum) * (double)f.running_mean[c] + f.momentum * mean);
  f.running_var[c] = (float)((1 - f.momentum) * (double)f.running_var[c] + f.momentum * gpu::div(var * rows, rows - 1));
}

template <class T> GPU_FN void batchnorm_sums(const BatchNormSumsParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* x = (const T*)p.x.data;
  const bool wide = gpu::wide(x, p.x.stride);
  gpu::column_sums<T, 2, 256>(
      p.rows, p.cols, p.partial, p.counters,
      [&](int row, int c, int count, float (&v)[2][N]) {
        const gpu::Pack<T> a = gpu::load(x + (size_t)row * p.x.stride + c, count, wide);
        UNROLL for (int i = 0; i < N; i++) v[0][i] = a.v[i], v[1][i] = a.v[i] * a.v[i];
      },
      [&](int c, const double (&s)[2]) { finalize_channel(p.final, c, s[0], s[1], p.rows); });
}

KERNEL(batchnorm_sums_f32, BatchNormSumsParams, 256) { batchnorm_sums<float>(p); }
KERNEL(batchnorm_sums_bf16, BatchNormSumsParams, 256) { batchnorm_sums<gpu::Bf16>(p); }

KERNEL(batchnorm_finalize, BatchNormFinalizeParams, 256) {
  constexpr int N = gpu::Pack<float>::N;
  const bool wide = gpu::wide(p.sums, p.cols);
  gpu::column_sums<float, 2, 256>(
      p.parts, p.cols, p.partial, p.counters,
      [&](int part, int c, int count, float (&v)[2][N]) {
        UNROLL for (int k = 0; k < 2; k++) {
          const gpu::Pack<float> a = gpu::load(p.sums + ((size_t)part * 2 + k) * p.cols + c, count, wide);
          UNROLL for (int i = 0; i < N; i++) v[k][i] = a.v[i];
        }
      },
      [&](int c, const double (&s)[2]) { finalize_channel(p.final, c, s[0], s[1], p.rows); });
}
