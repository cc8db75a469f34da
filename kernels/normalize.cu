// normalize.cu: converts uint8 pixels to normalised activations.
//
//   y[row][c] = x[row][c]·scale[c] + shift[c], one rounding; scale = 1/(255·std), shift = -mean/std
//
// Shapes: x (rows, channels) bytes without gaps; y (rows, padded), channels <= padded; the other
// channels become 0, because tensor cores need the stem's 3 channels padded. Cost: reads 1 byte and
// writes sizeof(T) per element; arithmetic is negligible. Launch: 256 threads, any grid in x.
#include "gpu/matrix.h"
#include "params.h"

// Without gaps and padding, a thread converts a pack's worth of consecutive bytes to one pack,
// whatever their channels.
template <class T> GPU_FN void normalize_dense(const NormalizeParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  T* y = (T*)p.y.data;
  int rows = p.rows, cols = p.channels;
  gpu::flatten(rows, cols, true);
  const bool wide = gpu::wide(y, N);
  gpu::for_each_pack<N>(rows, cols, [&](int row, int e, int count) {
    const size_t at = (size_t)row * cols + e;
    gpu::Pack<T> v;
    int c = e % p.channels, pixel[N];
    if (count == N && (uintptr_t)(p.pixels + at) % N == 0)
      gpu::load_bytes(pixel, p.pixels + at);
    else
      UNROLL for (int i = 0; i < N; i++) pixel[i] = i < count ? p.pixels[at + i] : 0;
    UNROLL for (int i = 0; i < N; i++) {
      v.v[i] = gpu::fma((float)pixel[i], p.scale[c], p.shift[c]);
      c = c + 1 == p.channels ? 0 : c + 1;
    }
    gpu::store(y + at, v, count, wide);
  });
}

template <class T> GPU_FN void normalize_padded(const NormalizeParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  T* y = (T*)p.y.data;
  const bool wide = gpu::wide(y, p.y.stride);
  gpu::for_each_pack<N>(p.rows, p.padded, [&](int row, int c, int count) {
    gpu::Pack<T> v;
    UNROLL for (int i = 0; i < N; i++)
      v.v[i] = c + i < p.channels ? gpu::fma((float)p.pixels[(size_t)row * p.channels + c + i], p.scale[c + i], p.shift[c + i]) : 0.0f;
    gpu::store(y + (size_t)row * p.y.stride + c, v, count, wide);
  });
}

template <class T> GPU_FN void normalize(const NormalizeParams& p) {
  if (p.padded == p.channels && p.y.stride == p.channels)
    normalize_dense<T>(p);
  else
    normalize_padded<T>(p);
}

KERNEL(normalize_f32, NormalizeParams, 256) { normalize<float>(p); }
KERNEL(normalize_bf16, NormalizeParams, 256) { normalize<gpu::Bf16>(p); }
