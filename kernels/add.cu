// add.cu: weighted sums, optionally followed by ReLU, as at the end of a residual block.
//
//   add           y = factor0·x0 + factor1·x1 + ..., from left to right; with relu y < 0 ? 0 : y, so that NaN stays NaN
//   add_backward  g = y <= 0 ? 0 : dy, or dy if y is null;  dx = factor·g or dx += factor·g, for every dx
//
// Shapes: up to MAX_ADDENDS inputs, all (rows, cols) with strides of their own. y may be any x. One
// dx may be dy. Two of the dx may be the same; the later one must then add. Cost: moves every input
// and output once, and a dx that is added to once more. Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

template <class T> GPU_FN void add(const AddParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  T* y = (T*)p.y.data;
  const bool wy = gpu::wide(y, p.y.stride);
  gpu::for_each_pack<N>(p.rows, p.cols, [&](int row, int c, int count) {
    gpu::Pack<T> sum;
    UNROLL for (int i = 0; i < N; i++) sum.v[i] = 0;
    for (int k = 0; k < p.count; k++) {
      const T* x = (const T*)p.xs[k].data;
      const gpu::Pack<T> v = gpu::load(x + (size_t)row * p.xs[k].stride + c, count, gpu::wide(x, p.xs[k].stride));
      UNROLL for (int i = 0; i < N; i++) sum.v[i] += p.factors[k] * v.v[i];
    }
    if (p.relu) UNROLL for (int i = 0; i < N; i++) sum.v[i] = sum.v[i] < 0 ? 0 : sum.v[i];
    gpu::store(y + (size_t)row * p.y.stride + c, sum, count, wy);
  });
}

template <class T> GPU_FN void add_backward(const AddBackwardParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T *y = (const T*)p.y.data, *dy = (const T*)p.dy.data;
  const bool wy = gpu::wide(y, p.y.stride), wg = gpu::wide(dy, p.dy.stride);
  gpu::for_each_pack<N>(p.rows, p.cols, [&](int row, int c, int count) {
    gpu::Pack<T> g = gpu::load(dy + (size_t)row * p.dy.stride + c, count, wg);
    if (y) {
      const gpu::Pack<T> out = gpu::load(y + (size_t)row * p.y.stride + c, count, wy);
      UNROLL for (int i = 0; i < N; i++) g.v[i] = out.v[i] <= 0 ? 0 : g.v[i];
    }
    for (int k = 0; k < p.count; k++) {
      T* dx = (T*)p.dxs[k].data;
      const bool wx = gpu::wide(dx, p.dxs[k].stride);
      T* to = dx + (size_t)row * p.dxs[k].stride + c;
      gpu::Pack<T> v;
      UNROLL for (int i = 0; i < N; i++) v.v[i] = p.factors[k] * g.v[i];
      if (p.accumulate[k]) {
        const gpu::Pack<T> old = gpu::load(to, count, wx);
        UNROLL for (int i = 0; i < N; i++) v.v[i] += old.v[i];
      }
      gpu::store(to, v, count, wx);
    }
  });
}

KERNEL(add_f32, AddParams, 256) { add<float>(p); }
KERNEL(add_bf16, AddParams, 256) { add<gpu::Bf16>(p); }
KERNEL(add_backward_f32, AddBackwardParams, 256) { add_backward<float>(p); }
KERNEL(add_backward_bf16, AddBackwardParams, 256) { add_backward<gpu::Bf16>(p); }
