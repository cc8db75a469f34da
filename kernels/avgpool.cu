// avgpool.cu: average pooling, ordinary, adaptive and global, and its gradient.
//
//   avgpool           y = Σ x over the window / divisor
//   avgpool_backward  dx = Σ dy/divisor over the windows that contain the pixel, in row-major order, or dx += ...
//
// Ordinary windows begin at o·stride - before and have k taps, clipped to the padded image. The
// divisor counts the taps inside image and padding if include_pad is set, otherwise those inside
// the image. Adaptive windows reach from floor(o·in/out) to ceil((o+1)·in/out). A divisor is the
// product of one factor for each axis.
//
// Shapes: x (n, h, w, cols), y (n, p, q, cols), strides of their own. Cost: reads the input once
// from memory (overlapping windows hit the caches), writes the output. A thread keeps its channels.
// Launch: 256 threads; grid.y >= packs/256, any grid.x.
#include "gpu/matrix.h"
#include "params.h"

// Span is one axis of a window: the inputs [lo,hi) inside the image, and the axis's factor of the
// divisor.
struct Span {
  int lo, hi, divisor;
};

// Axis is one axis of the pooling.
struct Axis {
  int in, out, k, stride, before, after;
  bool include_pad, adaptive;

  GPU_FN Span window(int o) const {
    if (adaptive) {
      const int lo = (int)((unsigned)(o * in) / (unsigned)out), hi = (int)((unsigned)((o + 1) * in + out - 1) / (unsigned)out);
      return {lo, hi, hi - lo};
    }
    const int begin = o * stride - before, end = begin + k < in + after ? begin + k : in + after;
    const int lo = begin > 0 ? begin : 0, hi = end < in ? end : in;
    return {lo, hi, include_pad ? end - begin : hi - lo};
  }
  // The windows of the outputs [first,end) contain input i, and no others do.
  GPU_FN int first(int i) const {
    if (adaptive) return (int)((unsigned)(i * out) / (unsigned)in);
    const int a = i + before - k + 1;
    return a <= 0 ? 0 : (a + stride - 1) / stride;
  }
  GPU_FN int end(int i) const {
    const int e = adaptive ? (int)((unsigned)((i + 1) * out + in - 1) / (unsigned)in) : (i + before) / stride + 1;
    return e < out ? e : out;
  }
};

GPU_FN Axis rows_of(const Window& g, bool adaptive) {
  return {g.h, g.p, g.kh, g.stride_h, g.top, g.bottom, g.include_pad != 0, adaptive};
}
GPU_FN Axis columns_of(const Window& g, bool adaptive) {
  return {g.w, g.q, g.kw, g.stride_w, g.left, g.right, g.include_pad != 0, adaptive};
}

template <class T> GPU_FN void avgpool(const AvgPoolParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const Window& g = p.win;
  const T* x = (const T*)p.x.data;
  T* y = (T*)p.y.data;
  const bool wx = gpu::wide(x, p.x.stride), wy = gpu::wide(y, p.y.stride);
  const Axis vertical = rows_of(g, p.adaptive), horizontal = columns_of(g, p.adaptive);
  const int rows = g.n * g.p * g.q;
  const gpu::ThreadPack at = gpu::thread_pack<N>(rows, p.cols);
  for (int row = at.row; row < rows; row += at.step) {
    const int image = row / g.q / g.p;
    const Span a = vertical.window(row / g.q % g.p), b = horizontal.window(row % g.q);
    gpu::Pack<T> sum;
    UNROLL for (int i = 0; i < N; i++) sum.v[i] = 0;
    for (int h = a.lo; h < a.hi; h++)
      for (int w = b.lo; w < b.hi; w++) {
        const gpu::Pack<T> v = gpu::load(x + ((size_t)(image * g.h + h) * g.w + w) * p.x.stride + at.c, at.count, wx);
        UNROLL for (int i = 0; i < N; i++) sum.v[i] += v.v[i];
      }
    const float weight = a.lo < a.hi && b.lo < b.hi ? gpu::div(1.0f, (float)(a.divisor * b.divisor)) : 0;
    UNROLL for (int i = 0; i < N; i++) sum.v[i] *= weight;
    gpu::store(y + (size_t)row * p.y.stride + at.c, sum, at.count, wy);
  }
}

template <class T> GPU_FN void avgpool_backward(const AvgPoolBackwardParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const Window& g = p.win;
  const T* dy = (const T*)p.dy.data;
  T* dx = (T*)p.dx.data;
  const bool wg = gpu::wide(dy, p.dy.stride), wd = gpu::wide(dx, p.dx.stride);
  const Axis vertical = rows_of(g, p.adaptive), horizontal = columns_of(g, p.adaptive);
  const int rows = g.n * g.h * g.w;
  const gpu::ThreadPack at = gpu::thread_pack<N>(rows, p.cols);
  for (int row = at.row; row < rows; row += at.step) {
    const int w = row % g.w, image = row / g.w / g.h, h = row / g.w % g.h;
    gpu::Pack<T> sum;
    UNROLL for (int i = 0; i < N; i++) sum.v[i] = 0;
    for (int o = vertical.first(h); o < vertical.end(h); o++) {
      const Span a = vertical.window(o);
      for (int q = horizontal.first(w); q < horizontal.end(w); q++) {
        const Span b = horizontal.window(q);
        const float weight = gpu::div(1.0f, (float)(a.divisor * b.divisor));
        const gpu::Pack<T> v = gpu::load(dy + ((size_t)(image * g.p + o) * g.q + q) * p.dy.stride + at.c, at.count, wg);
        UNROLL for (int i = 0; i < N; i++) sum.v[i] = gpu::fma(weight, v.v[i], sum.v[i]);
      }
    }
    T* to = dx + (size_t)row * p.dx.stride + at.c;
    if (p.accumulate) {
      const gpu::Pack<T> old = gpu::load(to, at.count, wd);
      UNROLL for (int i = 0; i < N; i++) sum.v[i] += old.v[i];
    }
    gpu::store(to, sum, at.count, wd);
  }
}

KERNEL(avgpool_f32, AvgPoolParams, 256) { avgpool<float>(p); }
KERNEL(avgpool_bf16, AvgPoolParams, 256) { avgpool<gpu::Bf16>(p); }
KERNEL(avgpool_backward_f32, AvgPoolBackwardParams, 256) { avgpool_backward<float>(p); }
KERNEL(avgpool_backward_bf16, AvgPoolBackwardParams, 256) { avgpool_backward<gpu::Bf16>(p); }
