// lrn.cu: local response normalisation across channels (Krizhevsky et al. 2012), and its gradient.
//
//   lrn           s[c] = k + alpha·Σ x[j]² over the `size` channels around c, those that exist;  y[c] = x[c]·s[c]^-beta
//   lrn_backward  dx[c] = s[c]^-beta·dy[c] - factor·x[c]·Σ r[j] over the channels j that have c around them,
//                 r = dy·x·s^(-beta-1), factor = 2·alpha·beta (alpha already divided by size);  stored or added
//
// The channels around c are c - size/2 ... c + (size-1)/2. Shapes: all (rows, cols) with strides of
// their own; y may be x, dx may be dy. Cost: forward reads x and writes y and s once; backward
// reads x, s and dy and writes dx once. Each element takes one power (two backward), by log2 and
// exp2. Launch: 256 threads, any grid in x, 4·cols·max(1, 256/cols) bytes of dynamic shared memory.
// Shared memory holds the row over which a window slides, so neighbours are not read twice. A
// thread keeps its first channel of a row in registers; the other channels of rows with more than
// 256 are read again, from the cache.
//
// Barriers of both: (1) the row is complete before windows are summed; (2) windows are summed
// before the next row overwrites this one.
#include "gpu/gpu.h"
#include "gpu/matrix.h"
#include "params.h"

GPU_FN float power(float s, float minus_beta) { return gpu::exp2(minus_beta * gpu::log2(s)); }

// RowGroups are the block's groups of threads, which work on a row each, and this thread's place
// among them. With few channels a block works on several rows at a time. With many channels a
// thread has several channels.
struct RowGroups {
  int groups, group, member, width;
};
GPU_FN RowGroups row_groups(int cols) {
  const int threads = blockDim.x, t = threadIdx.x;
  if (cols >= threads) return {1, 0, t, threads};
  const int groups = threads / cols;
  return {groups, t / cols, t % cols, cols};
}

template <class T> GPU_FN void lrn(const LRNParams& p) {
  DYN_SHARED(memory);
  const RowGroups r = row_groups(p.cols);
  float* square = (float*)memory + r.group * p.cols;
  const T* x = (const T*)p.x.data;
  T *y = (T*)p.y.data, *base = (T*)p.base.data;
  const int before = p.size / 2, after = (p.size - 1) / 2;
  for (int first = blockIdx.x * r.groups; first < p.rows; first += gridDim.x * r.groups) {
    const int row = first + r.group;
    const bool on = r.group < r.groups && row < p.rows;
    const T* from = x + (size_t)row * p.x.stride;
    float own = 0;
    for (int c = r.member; on && c < p.cols; c += r.width) {
      const float v = gpu::to_float(from[c]);
      if (c == r.member) own = v;
      square[c] = v * v;
    }
    __syncthreads();  // (1)
    for (int c = r.member; on && c < p.cols; c += r.width) {
      float sum = 0;
      for (int j = c - before < 0 ? 0 : c - before; j <= c + after && j < p.cols; j++) sum += square[j];
      const float s = gpu::fma(p.alpha, sum, p.k), v = c == r.member ? own : gpu::to_float(from[c]);
      y[(size_t)row * p.y.stride + c] = gpu::from_float<T>(v * power(s, -p.beta));
      if (base) base[(size_t)row * p.base.stride + c] = gpu::from_float<T>(s);
    }
    __syncthreads();  // (2)
  }
}

// Inputs are the values of an element that its gradient needs.
struct Inputs {
  float x, s, dy;
};
template <class T> GPU_FN Inputs read_inputs(const LRNBackwardParams& p, int row, int c) {
  const T *x = (const T*)p.x.data, *base = (const T*)p.base.data, *dy = (const T*)p.dy.data;
  return {gpu::to_float(x[(size_t)row * p.x.stride + c]), gpu::to_float(base[(size_t)row * p.base.stride + c]),
          gpu::to_float(dy[(size_t)row * p.dy.stride + c])};
}

template <class T> GPU_FN void lrn_backward(const LRNBackwardParams& p) {
  DYN_SHARED(memory);
  const RowGroups r = row_groups(p.cols);
  float* ratio = (float*)memory + r.group * p.cols;
  T* dx = (T*)p.dx.data;
  const int before = (p.size - 1) / 2, after = p.size / 2;
  for (int first = blockIdx.x * r.groups; first < p.rows; first += gridDim.x * r.groups) {
    const int row = first + r.group;
    const bool on = r.group < r.groups && row < p.rows;
    Inputs own = {};
    for (int c = r.member; on && c < p.cols; c += r.width) {
      const Inputs in = read_inputs<T>(p, row, c);
      if (c == r.member) own = in;
      ratio[c] = in.dy * in.x * power(in.s, -p.beta - 1);
    }
    __syncthreads();  // (1)
    for (int c = r.member; on && c < p.cols; c += r.width) {
      float sum = 0;
      for (int j = c - before < 0 ? 0 : c - before; j <= c + after && j < p.cols; j++) sum += ratio[j];
      const Inputs in = c == r.member ? own : read_inputs<T>(p, row, c);
      float d = in.dy * power(in.s, -p.beta) - p.factor * in.x * sum;
      T* to = dx + (size_t)row * p.dx.stride + c;
      if (p.accumulate) d += gpu::to_float(*to);
      *to = gpu::from_float<T>(d);
    }
    __syncthreads();  // (2)
  }
}

KERNEL(lrn_f32, LRNParams, 256) { lrn<float>(p); }
KERNEL(lrn_bf16, LRNParams, 256) { lrn<gpu::Bf16>(p); }
KERNEL(lrn_backward_f32, LRNBackwardParams, 256) { lrn_backward<float>(p); }
KERNEL(lrn_backward_bf16, LRNBackwardParams, 256) { lrn_backward<gpu::Bf16>(p); }
