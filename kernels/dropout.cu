// dropout.cu: y = x·mask/(1-P), or y += .... The gradient is the same function, applied to dy. No
// mask is stored: it is a function of seed, step, node and element, the same on every backend
// (graph.DropoutStep).
//
// Element e = row·cols + c is kept if word e%4 of Philox4x32({e/4 low, e/4 high, step low, step
// high}, {seed low ^ seed high·0x9E3779B9, node}) is at least P·2³².
//
// Shapes: x, y (rows, cols); y may be x. Cost: 8 bytes per float (12 to add) and a quarter of a
// Philox, about 10 integer multiplications, if cols is a multiple of 4. Launch: 256 threads, any
// grid in x.
#include "gpu/matrix.h"
#include "gpu/philox.h"
#include "params.h"

// word_of computes the word of one element. It is for packs that begin within a block of four.
GPU_FN uint32_t word_of(uint64_t e, uint64_t step, uint32_t key, uint32_t node) {
  const gpu::PhiloxWords w = gpu::philox4x32((uint32_t)(e >> 2), (uint32_t)(e >> 34), (uint32_t)step, (uint32_t)(step >> 32), key, node);
  const uint32_t even = e & 2 ? w.w[2] : w.w[0], odd = e & 2 ? w.w[3] : w.w[1];
  return e & 1 ? odd : even;
}

template <class T> GPU_FN void dropout(const DropoutParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const T* x = (const T*)p.x.data;
  T* y = (T*)p.y.data;
  const uint64_t seed = p.run->seed, step = p.run->step;
  const uint32_t key = (uint32_t)seed ^ (uint32_t)(seed >> 32) * 0x9E3779B9u;
  int rows = p.rows, cols = p.cols;
  gpu::flatten(rows, cols, p.x.stride == cols && p.y.stride == cols);
  const bool wx = gpu::wide(x, rows == 1 ? N : p.x.stride), wy = gpu::wide(y, rows == 1 ? N : p.y.stride);
  gpu::for_each_pack<N>(rows, cols, [&](int row, int c, int count) {
    gpu::Pack<T> v = gpu::load(x + (size_t)row * p.x.stride + c, count, wx);
    T* to = y + (size_t)row * p.y.stride + c;
    const uint64_t first = (uint64_t)row * cols + c;
    UNROLL for (int i = 0; i < N; i += 4) {
      uint32_t w[4];
      if (first % 4 == 0) {
        const gpu::PhiloxWords words =
            gpu::philox4x32((uint32_t)((first + i) >> 2), (uint32_t)((first + i) >> 34), (uint32_t)step, (uint32_t)(step >> 32), key, p.node);
        UNROLL for (int j = 0; j < 4; j++) w[j] = words.w[j];
      } else {
        UNROLL for (int j = 0; j < 4; j++) w[j] = word_of(first + i + j, step, key, p.node);
      }
      UNROLL for (int j = 0; j < 4; j++) v.v[i + j] = w[j] < p.limit ? 0 : v.v[i + j] * p.scale;
    }
    if (p.accumulate) {
      const gpu::Pack<T> old = gpu::load(to, count, wy);
      UNROLL for (int i = 0; i < N; i++) v.v[i] += old.v[i];
    }
    gpu::store(to, v, count, wy);
  });
}

KERNEL(dropout_f32, DropoutParams, 256) { dropout<float>(p); }
KERNEL(dropout_bf16, DropoutParams, 256) { dropout<gpu::Bf16>(p); }
