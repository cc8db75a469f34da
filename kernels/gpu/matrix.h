// matrix.h: how memory-bound kernels walk over activations.
//
// An activation is a matrix: a row is a pixel of the batch in NHWC order, a column is a channel. A
// channel slice of a wider buffer (a branch of a concatenation) is a matrix whose stride, the
// number of elements from row to row, is larger than its number of columns. Kernels never touch the
// elements in between.
//
// The unit of work is a pack: 16 bytes of neighbouring channels of one row. It is moved in one
// access if pointer and stride are multiples of 16 bytes ("wide"), and element by element
// otherwise. Arithmetic is in float, whatever the element type.
#pragma once
#include "gpu.h"

namespace gpu {

// Bf16 is the upper half of a float32.
struct Bf16 {
  uint16_t bits;
};
GPU_FN float to_float(float v) { return v; }
GPU_FN float to_float(Bf16 v) { return bf16_float(v.bits); }
template <class T> GPU_FN T from_float(float v) {
  if constexpr (sizeof(T) == 4)
    return v;
  else
    return T{cvt_bf16(v)};
}

template <class T> struct Pack {
  static constexpr int N = 16 / sizeof(T);
  float v[N];
};

template <class T> GPU_FN bool wide(const T* p, int stride) {
  return ((uintptr_t)p | (uintptr_t)stride * sizeof(T)) % 16 == 0;
}

// load reads `count` elements; the rest of the pack is 0.
template <class T> GPU_FN Pack<T> load(const T* p, int count, bool wide) {
  Pack<T> r;
  if (wide && count == Pack<T>::N) {
    const uint4 u = load16(p);
    if constexpr (sizeof(T) == 4) {
      r.v[0] = as_float(u.x), r.v[1] = as_float(u.y), r.v[2] = as_float(u.z), r.v[3] = as_float(u.w);
    } else {
      const uint32_t w[4] = {u.x, u.y, u.z, u.w};
      UNROLL for (int i = 0; i < 4; i++) r.v[2 * i] = as_float(w[i] << 16), r.v[2 * i + 1] = as_float(w[i] & 0xffff0000u);
    }
  } else {
    UNROLL for (int i = 0; i < Pack<T>::N; i++) r.v[i] = i < count ? to_float(p[i]) : 0.0f;
  }
  return r;
}

template <class T> GPU_FN void store(T* p, const Pack<T>& r, int count, bool wide) {
  if (wide && count == Pack<T>::N) {
    uint32_t w[4];
    if constexpr (sizeof(T) == 4) {
      UNROLL for (int i = 0; i < 4; i++) w[i] = as_uint(r.v[i]);
    } else {
      UNROLL for (int i = 0; i < 4; i++) w[i] = cvt_bf16(r.v[2 * i]) | (uint32_t)cvt_bf16(r.v[2 * i + 1]) << 16;
    }
    store16(p, {w[0], w[1], w[2], w[3]});
  } else {
    UNROLL for (int i = 0; i < Pack<T>::N; i++)
      if (i < count) p[i] = from_float<T>(r.v[i]);
  }
}

// store4 writes the first `count` of 4 elements, in one access if the address allows it.
template <class T> GPU_FN void store4(T* p, const Pack<float>& r, int count) {
  if constexpr (sizeof(T) == 4) {
    store(p, r, count, wide(p, 4));
  } else if (count == 4 && (uintptr_t)p % 8 == 0) {
    store8(p, {cvt_bf16(r.v[0]) | (uint32_t)cvt_bf16(r.v[1]) << 16, cvt_bf16(r.v[2]) | (uint32_t)cvt_bf16(r.v[3]) << 16});
  } else {
    UNROLL for (int i = 0; i < 4; i++)
      if (i < count) p[i] = from_float<T>(r.v[i]);
  }
}

// load_bytes and store_bytes move N bytes, one for each of a pack's elements, at an address that is
// a multiple of N.
template <int N> GPU_FN void load_bytes(int (&out)[N], const uint8_t* p) {
  uint32_t w[2];
  if constexpr (N == 4) {
    w[0] = *(const uint32_t*)p;
  } else {
    const uint2 u = load8(p);
    w[0] = u.x, w[1] = u.y;
  }
  UNROLL for (int i = 0; i < N; i++) out[i] = (int)(w[i / 4] >> i % 4 * 8 & 255);
}
template <int N> GPU_FN void store_bytes(uint8_t* p, const int (&v)[N]) {
  uint32_t w[2] = {};
  UNROLL for (int i = 0; i < N; i++) w[i / 4] |= (uint32_t)v[i] << i % 4 * 8;
  if constexpr (N == 4)
    *(uint32_t*)p = w[0];
  else
    store8(p, {w[0], w[1]});
}

// channel_values reads per-channel parameters, which are always float, for the N channels from c
// on.
template <int N> GPU_FN void channel_values(float (&out)[N], const float* p, int c, int count) {
  if (count == N && (uintptr_t)(p + c) % 16 == 0) {
    UNROLL for (int i = 0; i < N; i += 4) {
      const Pack<float> four = load(p + c + i, 4, true);
      UNROLL for (int j = 0; j < 4; j++) out[i + j] = four.v[j];
    }
  } else {
    UNROLL for (int i = 0; i < N; i++) out[i] = i < count ? p[c + i] : 0.0f;
  }
}

// ---- elementwise: all packs are treated alike ---------------------------------------------------------------------------

// flatten makes one long row of a matrix without gaps, so that only its last pack can be
// incomplete.
GPU_FN void flatten(int& rows, int& cols, bool dense) {
  if (dense && (int64_t)rows * cols <= 0x7fffffff) {
    cols *= rows;
    rows = 1;
  }
}

// for_each_pack calls f(row, first channel, channels) for every pack of a matrix. The grid may have
// any number of blocks in x.
template <int N, class F> GPU_FN void for_each_pack(int rows, int cols, F f) {
  const uint32_t packs = (uint32_t)(cols + N - 1) / N, total = (uint32_t)rows * packs;
  const uint32_t step = gridDim.x * blockDim.x;
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
    const uint32_t row = rows == 1 ? 0 : i / packs;
    const int c = (int)(i - row * packs) * N;
    GPU_INLINE_CALL f((int)row, c, cols - c < N ? cols - c : N);
  }
}

// ---- by channel: a thread keeps its channels -----------------------------------------------------------------------------

// ThreadPack is a thread's pack of channels and its rows: first, first + step, ... Threads without
// a pack have no rows.
//
// gridDim.y divides the packs: each blockIdx.y has `width` packs, at most as many as there are
// threads. A block has threads/width groups of threads, and each group works on one row at a time.
// Neighbouring threads have neighbouring packs, so warps read whole lines of memory.
struct ThreadPack {
  int c, count;     // first channel, number of channels
  int row, step;    // first row, distance between rows
  int group;        // index of the group in the block
  int groups;       // number of groups
  int pack, width;  // index of the pack in the group, number of packs
};
template <int N> GPU_FN ThreadPack thread_pack(int rows, int cols) {
  ThreadPack p;
  const int packs = (cols + N - 1) / N, threads = blockDim.x, t = threadIdx.x;
  p.width = (packs + gridDim.y - 1) / gridDim.y;
  p.groups = threads / p.width;
  p.group = t / p.width;
  p.pack = t - p.group * p.width;
  p.c = (blockIdx.y * p.width + p.pack) * N;
  p.count = cols - p.c < N ? cols - p.c : N;
  p.step = gridDim.x * p.groups;
  p.row = p.group < p.groups && p.count > 0 ? (int)blockIdx.x * p.groups + p.group : rows;
  return p;
}

}  // namespace gpu
