// affine.cu: y = x·scale[c] + shift[c] with one rounding, optionally followed by ReLU. It adds a
// bias (then there is no scale), and it is the second pass of batch normalisation, with the batch's
// statistics in training and the running ones in evaluation.
//
// Shapes: x, y (rows, cols) with strides of their own, scale and shift (cols); y may be x. Cost:
// reads x and writes y, 8 bytes per float; scale and shift stay in registers, because a thread
// keeps its channels. Launch: 256 threads; grid.y >= packs/256, any grid.x.
#include "gpu/matrix.h"
#include "params.h"

template <class T> GPU_FN void affine(const AffineParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* x = (const T*)p.x.data;
  T* y = (T*)p.y.data;
  const bool wx = gpu::wide(x, p.x.stride), wy = gpu::wide(y, p.y.stride);
  const gpu::ThreadPack at = gpu::thread_pack<N>(p.rows, p.cols);
  if (at.row >= p.rows) return;
  float scale[N], shift[N];
  gpu::channel_values(shift, p.shift, at.c, at.count);
  if (p.scale) gpu::channel_values(scale, p.scale, at.c, at.count);
  for (int row = at.row; row < p.rows; row += at.step) {
    gpu::Pack<T> v = gpu::load(x + (size_t)row * p.x.stride + at.c, at.count, wx);
    UNROLL for (int i = 0; i < N; i++) {
      v.v[i] = p.scale ? gpu::fma(v.v[i], scale[i], shift[i]) : v.v[i] + shift[i];
      if (p.relu) v.v[i] = v.v[i] < 0 ? 0 : v.v[i];
    }
    gpu::store(y + (size_t)row * p.y.stride + at.c, v, at.count, wy);
  }
}

KERNEL(affine_f32, AffineParams, 256) { affine<float>(p); }
KERNEL(affine_bf16, AffineParams, 256) { affine<gpu::Bf16>(p); }
