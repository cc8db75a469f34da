// relu.cu: the rectifier and its gradient, for plans in which no other step has them in its
// epilogue.
//
//   relu           y = x < 0 ? 0 : x, so that NaN stays NaN
//   relu_backward  g = y <= 0 ? 0 : dy;  dx = g, or dx += g
//
// Shapes: all (rows, cols) with strides of their own; y may be x, dx may be dy. Cost: 8 bytes per
// float forward, 12 (16 to add) backward. Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

template <class T> GPU_FN void relu(const ReLUParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* x = (const T*)p.x.data;
  T* y = (T*)p.y.data;
  const bool wx = gpu::wide(x, p.x.stride), wy = gpu::wide(y, p.y.stride);
  gpu::for_each_pack<N>(p.rows, p.cols, [&](int row, int c, int count) {
    gpu::Pack<T> v = gpu::load(x + (size_t)row * p.x.stride + c, count, wx);
    UNROLL for (int i = 0; i < N; i++) v.v[i] = v.v[i] < 0 ? 0 : v.v[i];
    gpu::store(y + (size_t)row * p.y.stride + c, v, count, wy);
  });
}

template <class T> GPU_FN void relu_backward(const ReLUBackwardParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T *y = (const T*)p.y.data, *dy = (const T*)p.dy.data;
  T* dx = (T*)p.dx.data;
  const bool wy = gpu::wide(y, p.y.stride), wg = gpu::wide(dy, p.dy.stride), wx = gpu::wide(dx, p.dx.stride);
  gpu::for_each_pack<N>(p.rows, p.cols, [&](int row, int c, int count) {
    const gpu::Pack<T> out = gpu::load(y + (size_t)row * p.y.stride + c, count, wy);
    gpu::Pack<T> g = gpu::load(dy + (size_t)row * p.dy.stride + c, count, wg);
    T* to = dx + (size_t)row * p.dx.stride + c;
    UNROLL for (int i = 0; i < N; i++) g.v[i] = out.v[i] <= 0 ? 0 : g.v[i];
    if (p.accumulate) {
      const gpu::Pack<T> old = gpu::load(to, count, wx);
      UNROLL for (int i = 0; i < N; i++) g.v[i] += old.v[i];
    }
    gpu::store(to, g, count, wx);
  });
}

KERNEL(relu_f32, ReLUParams, 256) { relu<float>(p); }
KERNEL(relu_bf16, ReLUParams, 256) { relu<gpu::Bf16>(p); }
KERNEL(relu_backward_f32, ReLUBackwardParams, 256) { relu_backward<float>(p); }
KERNEL(relu_backward_bf16, ReLUBackwardParams, 256) { relu_backward<gpu::Bf16>(p); }
