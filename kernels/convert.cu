// convert.cu: converts floats to the element type of activations, or of a copy of the weights.
//
//   y[row][c] = x[row][c], rounded to T
//
// Shapes: x (rows, channels) floats without gaps; y (rows, padded), channels <= padded; the other
// channels become 0, as in normalize.cu. Cost: reads 4 bytes and writes sizeof(T) per element.
// Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

// A thread reads 16 bytes, whatever the element type of y.
template <class T> GPU_FN void convert(const ConvertParams& p) {
  T* y = (T*)p.y.data;
  gpu::for_each_pack<4>(p.rows, p.padded, [&](int row, int c, int count) {
    const float* x = p.x + (size_t)row * p.channels + c;
    const int left = p.channels - c < 4 ? p.channels - c : 4;  // may be <= 0
    gpu::store4(y + (size_t)row * p.y.stride + c, gpu::load(x, left, gpu::wide(x, 4)), count);
  });
}

KERNEL(convert_f32, ConvertParams, 256) { convert<float>(p); }
KERNEL(convert_bf16, ConvertParams, 256) { convert<gpu::Bf16>(p); }
