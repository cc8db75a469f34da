// convert.cu: floats become the elements of activations, or of a copy of the weights.
//
//   y[row][c] = x[row][c], rounded to T
//
// Shapes: x (rows, channels) floats without gaps; y (rows, padded), channels <= padded, where the channels beyond are 0, as in
// normalize.cu. Cost: reads 4 bytes and writes sizeof(T) per element. Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

// floats reads a pack's worth of floats, `count` of them, in accesses of 16 bytes where the address allows it.
template <class T> GPU_FN gpu::Pack<T> floats(const float* x, int count) {
  constexpr int N = gpu::Pack<T>::N;
  gpu::Pack<T> v;
  UNROLL for (int i = 0; i < N; i += 4) {
    const int left = count - i < 0 ? 0 : count - i < 4 ? count - i : 4;
    const gpu::Pack<float> f = gpu::load(x + i, left, gpu::wide(x, 4));
    UNROLL for (int j = 0; j < 4; j++) v.v[i + j] = f.v[j];
  }
  return v;
}

template <class T> GPU_FN void convert(const ConvertParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  T* y = (T*)p.y.data;
  const bool wide = gpu::wide(y, p.y.stride);
  gpu::for_each_pack<N>(p.rows, p.padded, [&](int row, int c, int count) {
    gpu::store(y + (size_t)row * p.y.stride + c, floats<T>(p.x + (size_t)row * p.channels + c, p.channels - c), count, wide);
  });
}

KERNEL(convert_f32, ConvertParams, 256) { convert<float>(p); }
KERNEL(convert_bf16, ConvertParams, 256) { convert<gpu::Bf16>(p); }
