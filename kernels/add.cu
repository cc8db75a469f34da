// add.cu: y = x0 + x1 + ..., from left to right.
//
// Shapes: up to MAX_ADDENDS inputs and y, (rows, cols); y may be any of them. Cost: reads every input once, writes y.
// Launch: 256 threads, any grid in x.
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
      UNROLL for (int i = 0; i < N; i++) sum.v[i] += v.v[i];
    }
    gpu::store(y + (size_t)row * p.y.stride + c, sum, count, wy);
  });
}

KERNEL(add_f32, AddParams, 256) { add<float>(p); }
KERNEL(add_bf16, AddParams, 256) { add<gpu::Bf16>(p); }
