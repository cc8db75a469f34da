// fill.cu: y = value.
//
// Shapes: y (rows, cols). Cost: writes y. Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

template <class T> GPU_FN void fill(const FillParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  T* y = (T*)p.y.data;
  int rows = p.rows, cols = p.cols;
  gpu::flatten(rows, cols, p.y.stride == cols);
  const bool wide = gpu::wide(y, rows == 1 ? N : p.y.stride);
  gpu::Pack<T> v;
  UNROLL for (int i = 0; i < N; i++) v.v[i] = p.value;
  gpu::for_each_pack<N>(rows, cols, [&](int row, int c, int count) { gpu::store(y + (size_t)row * p.y.stride + c, v, count, wide); });
}

KERNEL(fill_f32, FillParams, 256) { fill<float>(p); }
KERNEL(fill_bf16, FillParams, 256) { fill<gpu::Bf16>(p); }
