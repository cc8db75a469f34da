// scale.cu: y = factor·x, or y += factor·x with one rounding. With factor 1 it copies or adds. The
// steps graph.Copy and graph.ScaleStep use it, forward and backward.
//
// Shapes: x, y (rows, cols), each with a stride of its own; y may be x. Cost: reads x (and y to
// add), writes y: 8 or 12 bytes per float. Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

template <class T> GPU_FN void scale(const ScaleParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* x = (const T*)p.x.data;
  T* y = (T*)p.y.data;
  int rows = p.rows, cols = p.cols;
  gpu::flatten(rows, cols, p.x.stride == cols && p.y.stride == cols);
  const bool wx = rows == 1 ? gpu::wide(x, N) : gpu::wide(x, p.x.stride), wy = rows == 1 ? gpu::wide(y, N) : gpu::wide(y, p.y.stride);
  gpu::for_each_pack<N>(rows, cols, [&](int row, int c, int count) {
    gpu::Pack<T> v = gpu::load(x + (size_t)row * p.x.stride + c, count, wx);
    T* to = y + (size_t)row * p.y.stride + c;
    if (p.accumulate) {
      const gpu::Pack<T> old = gpu::load(to, count, wy);
      UNROLL for (int i = 0; i < N; i++) v.v[i] = gpu::fma(p.factor, v.v[i], old.v[i]);
    } else {
      UNROLL for (int i = 0; i < N; i++) v.v[i] *= p.factor;
    }
    gpu::store(to, v, count, wy);
  });
}

KERNEL(scale_f32, ScaleParams, 256) { scale<float>(p); }
KERNEL(scale_bf16, ScaleParams, 256) { scale<gpu::Bf16>(p); }
