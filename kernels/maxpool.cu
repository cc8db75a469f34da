// maxpool.cu: max pooling and its gradient.
//
//   maxpool           y = the maximum of each window over the image; padding never wins. index (uint8) is its position in the
//                     whole window, row-major, the first of equals. NaN wins over everything. A window of padding alone is 0.
//   maxpool_backward  dx = Σ dy over the windows whose maximum is here, in row-major order of the windows, or dx += ...
//                     Every input gathers from the windows that contain it, without atomics.
//
// Shapes: x (n, h, w, cols), y and index (n, p, q, cols), strides of their own; windows of at most
// 256 taps. Cost: reads x once from memory (overlapping windows hit the caches), writes 4 + 1 bytes
// per output; backward reads those and writes dx. A thread keeps its channels. Launch: 256 threads;
// grid.y >= packs/256, any grid.x.
#include "gpu/matrix.h"
#include "params.h"

template <class T> GPU_FN void maxpool(const MaxPoolParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const Window& g = p.win;
  const T* x = (const T*)p.x.data;
  T* y = (T*)p.y.data;
  uint8_t* index = (uint8_t*)p.index.data;
  const bool wx = gpu::wide(x, p.x.stride), wy = gpu::wide(y, p.y.stride);
  const bool wi = ((uintptr_t)index | (uintptr_t)p.index.stride) % N == 0;
  const int rows = g.n * g.p * g.q;
  const gpu::ThreadPack at = gpu::thread_pack<N>(rows, p.cols);
  for (int row = at.row; row < rows; row += at.step) {
    const int q = row % g.q, image = row / g.q / g.p, oy = row / g.q % g.p;
    const int h0 = oy * g.stride_h - g.top, w0 = q * g.stride_w - g.left;
    gpu::Pack<T> best;
    int tap[N];
    bool any = false;
    UNROLL for (int i = 0; i < N; i++) best.v[i] = 0, tap[i] = 0;
    for (int r = h0 < 0 ? -h0 : 0; r < g.kh && h0 + r < g.h; r++)
      for (int s = w0 < 0 ? -w0 : 0; s < g.kw && w0 + s < g.w; s++) {
        const gpu::Pack<T> v = gpu::load(x + ((size_t)(image * g.h + h0 + r) * g.w + w0 + s) * p.x.stride + at.c, at.count, wx);
        UNROLL for (int i = 0; i < N; i++)
          if (!any || v.v[i] > best.v[i] || v.v[i] != v.v[i]) best.v[i] = v.v[i], tap[i] = r * g.kw + s;
        any = true;
      }
    gpu::store(y + (size_t)row * p.y.stride + at.c, best, at.count, wy);
    if (!index) continue;
    uint8_t* to = index + (size_t)row * p.index.stride + at.c;
    if (wi && at.count == N) {
      gpu::store_bytes(to, tap);
    } else {
      UNROLL for (int i = 0; i < N; i++)
        if (i < at.count) to[i] = (uint8_t)tap[i];
    }
  }
}

// first_window returns the first output whose window reaches input i. Windows begin at o·stride -
// before and have k taps.
GPU_FN int first_window(int i, int before, int k, int stride) {
  const int a = i + before - k + 1;
  return a <= 0 ? 0 : (a + stride - 1) / stride;
}
// end_window returns the output after the last one whose window reaches input i.
GPU_FN int end_window(int i, int before, int stride, int out) {
  const int e = (i + before) / stride + 1;
  return e < out ? e : out;
}

template <class T> GPU_FN void maxpool_backward(const MaxPoolBackwardParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  const Window& g = p.win;
  const T* dy = (const T*)p.dy.data;
  T* dx = (T*)p.dx.data;
  const uint8_t* index = (const uint8_t*)p.index.data;
  const bool wg = gpu::wide(dy, p.dy.stride), wd = gpu::wide(dx, p.dx.stride);
  const bool wi = ((uintptr_t)index | (uintptr_t)p.index.stride) % N == 0;
  const int rows = g.n * g.h * g.w;
  const gpu::ThreadPack at = gpu::thread_pack<N>(rows, p.cols);
  for (int row = at.row; row < rows; row += at.step) {
    const int w = row % g.w, image = row / g.w / g.h, h = row / g.w % g.h;
    const int q0 = first_window(w, g.left, g.kw, g.stride_w), q1 = end_window(w, g.left, g.stride_w, g.q);
    const int o0 = first_window(h, g.top, g.kh, g.stride_h), o1 = end_window(h, g.top, g.stride_h, g.p);
    gpu::Pack<T> sum;
    UNROLL for (int i = 0; i < N; i++) sum.v[i] = 0;
    for (int o = o0; o < o1; o++)
      for (int q = q0; q < q1; q++) {
        const int here = (h - (o * g.stride_h - g.top)) * g.kw + w - (q * g.stride_w - g.left);
        const size_t from = (size_t)(image * g.p + o) * g.q + q;
        const gpu::Pack<T> v = gpu::load(dy + from * p.dy.stride + at.c, at.count, wg);
        const uint8_t* won = index + from * p.index.stride + at.c;
        if (wi && at.count == N) {
          int tap[N];
          gpu::load_bytes(tap, won);
          UNROLL for (int i = 0; i < N; i++)
            if (tap[i] == here) sum.v[i] += v.v[i];
        } else {
          UNROLL for (int i = 0; i < N; i++)
            if (i < at.count && won[i] == here) sum.v[i] += v.v[i];
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

KERNEL(maxpool_f32, MaxPoolParams, 256) { maxpool<float>(p); }
KERNEL(maxpool_bf16, MaxPoolParams, 256) { maxpool<gpu::Bf16>(p); }
KERNEL(maxpool_backward_f32, MaxPoolBackwardParams, 256) { maxpool_backward<float>(p); }
KERNEL(maxpool_backward_bf16, MaxPoolBackwardParams, 256) { maxpool_backward<gpu::Bf16>(p); }
