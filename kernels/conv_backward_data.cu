// conv_backward_data.cu: the gradient of a convolution's input, summed over siblings in one launch:
//
//   dx[n,h,w,c] = Σ_{segments} Σ_{r,s,k} dy[n, (h+top-r)/stride_h, (w+left-s)/stride_w, k] · w[k,r,s,c]     stored or added
//
// over the taps for which the divisions are exact and the pixel of dy exists.
//
// Shapes: dy (n·p·q, k) and w (k, kh, kw, c) of each segment, dx (n·h·w, c): everything that
// conv_forward takes.
// Strides: input pixels fall into stride_h·stride_w classes by the residues of (h+top, w+left).
// Within a class every pixel has the same taps, r = a, a + stride_h, ..., so a class is a
// convolution of stride 1 with a part of the window. No zero is multiplied. Classes without taps,
// as in a 1x1 convolution of stride 2, are zero.
// Cost: 2·n·p·q·k·kh·kw·c FLOPs (padding aside); reads as conv_forward, writes dx once, and reads
// it once to add.
// Launch: 256 threads, grid.x = ceil(n·⌈h/stride_h⌉·⌈w/stride_w⌉/BM)·ceil(c/BN), grid.y =
// stride_h·stride_w, 384·(BM+BN) bytes of dynamic shared memory. Tiles: 128x128, and 128x64 for few
// channels or few pixels.
// Barriers: those of gpu::gemm and gpu::Result.
#include "gpu/conv.h"

// Axis is one axis of one class: pixels first, first + stride, .... Tap j of pixel i is at i +
// origin - j in dy and at r = residue + j·stride in w.
struct Axis {
  int count, taps, first, origin;
};
GPU_FN Axis axis_of(int residue, int stride, int size, int window, int before) {
  Axis a;
  a.first = (residue - before) % stride;
  if (a.first < 0) a.first += stride;
  a.origin = (a.first + before - residue) / stride;
  a.count = (size - a.first + stride - 1) / stride;
  a.taps = (window - residue + stride - 1) / stride;
  if (a.count < 0) a.count = 0;
  if (a.taps < 0) a.taps = 0;
  return a;
}

template <class M> GPU_FN void conv_backward_data(const ConvBackwardDataParams& p, unsigned char* shared) {
  using T = typename M::T;
  using A = typename M::A;
  using B = typename M::B;
  constexpr int BM = M::ROWS, BN = M::COLS, N = A::N;
  const Window& g = p.win;
  const int a0 = blockIdx.y / g.stride_w, b0 = blockIdx.y % g.stride_w;
  const Axis v = axis_of(a0, g.stride_h, g.h, g.kh, g.top), h = axis_of(b0, g.stride_w, g.w, g.kw, g.left);
  const int rows = g.n * v.count * h.count, tiles = (p.c + BN - 1) / BN, tile = blockIdx.x / tiles;
  const int m0 = tile * BM, n0 = (blockIdx.x - tile * tiles) * BN;
  if (m0 >= rows) return;

  const T* any_dy = (const T*)p.segments[0].dy.data;
  const T* any_w = (const T*)p.segments[0].w;
  gpu::Pixel pixel[A::PASSES];
  UNROLL for (int i = 0; i < A::PASSES; i++) {
    const int m = m0 + A::my_line(i), j = m % h.count, ni = m / h.count, n = ni / v.count;
    const int y = ni - n * v.count + v.origin, x = j + h.origin;
    pixel[i] = m < rows ? gpu::Pixel{y, x, (n * g.p + y) * g.q + x} : gpu::no_pixel();
  }
  bool wide_dy = true, wide_w = true;
  int filters = 0;
  for (int i = 0; i < p.count; i++) {
    const ConvDataSegment& s = p.segments[i];
    wide_dy &= gpu::aligned((const T*)s.dy.data, s.dy.stride);
    wide_w &= gpu::aligned((const T*)s.w, p.c);
    filters += gpu::whole_chunks<N>(s.k);
  }

  // A thread loads one chunk of filters for PASSES pixels, and one chunk of channels for PASSES
  // filters. Each needs a walk of its own.
  const auto width = [&](int segment) { return segment < p.count ? gpu::whole_chunks<N>(p.segments[segment].k) : gpu::ENDLESS; };
  gpu::Walk at{0, 0, 0, 0}, line{0, 0, 0, 0};
  const int steps = (v.taps * h.taps * filters + A::DEPTH - 1) / A::DEPTH, c = n0 + B::my_chunk() * N;
  if (steps) {
    at.advance(A::my_chunk() * N, v.taps, h.taps, width);
    line.advance(B::my_line(0), v.taps, h.taps, width);
  }
  const auto load = [&](unsigned char* a, unsigned char* b) GPU_INLINE {
    UNROLL for (int i = 0; i < B::PASSES; i++) {
      const ConvDataSegment& f = p.segments[line.segment < p.count ? line.segment : 0];
      const bool is = line.segment < p.count && line.c < f.k;
      const int r = a0 + line.r * g.stride_h, t = b0 + line.s * g.stride_w;
      gpu::copy_chunk(b + B::chunk(B::my_line(i), B::my_chunk()), (const T*)f.w + (ptrdiff_t)((line.c * g.kh + r) * g.kw + t) * p.c + c, any_w,
                      is ? p.c - c : 0, wide_w);
      line.advance(B::STEP, v.taps, h.taps, width);
    }
    const bool on = at.segment < p.count;
    const ConvDataSegment& s = p.segments[on ? at.segment : 0];
    const int from = at.r * g.q + at.s;
    UNROLL for (int i = 0; i < A::PASSES; i++) {
      const bool in = on && gpu::inside(pixel[i].y - at.r, pixel[i].x - at.s, g.p, g.q);
      gpu::copy_chunk(a + A::chunk(A::my_line(i), A::my_chunk()), (const T*)s.dy.data + (ptrdiff_t)(pixel[i].index - from) * s.dy.stride + at.c,
                      any_dy, in ? s.k - at.c : 0, wide_dy);
    }
    at.advance(A::DEPTH, v.taps, h.taps, width);
  };
  M math;
  gpu::gemm(math, shared, steps, load, [](const unsigned char*) {});

  using R = gpu::Result<T, BM, BN>;
  const R result(math, shared);
  const int column = n0 + result.col, count = gpu::columns<R::N>(p.c - column);
  if (count <= 0) return;
  T* dx = (T*)p.dx.data + column;
  const bool wide = gpu::aligned((T*)p.dx.data, p.dx.stride);
  for (int m = result.group; m < BM && m0 + m < rows; m += R::GROUPS) {
    int row = m0 + m;
    if (gridDim.y > 1) {
      const int j = row % h.count, ni = row / h.count, n = ni / v.count, i = ni - n * v.count;
      row = (n * g.h + v.first + i * g.stride_h) * g.w + h.first + j * g.stride_w;
    }
    gpu::Pack<T> d = result.row(m);
    T* to = dx + (size_t)row * p.dx.stride;
    if (p.accumulate) {
      const gpu::Pack<T> old = gpu::load(to, count, wide);
      UNROLL for (int i = 0; i < R::N; i++) d.v[i] += old.v[i];
    }
    gpu::store(to, d, count, wide);
  }
}

template <int BM, int BN> using DataF32 = gpu::MultiplyF32<BM, BN, true, false>;
template <class T, int BM, int BN> using DataTensor = gpu::MultiplyTensor<T, BM, BN, true, false>;
template <int BM, int BN> using DataWgmma = gpu::MultiplyWgmma<BM, BN, true, false>;

KERNEL(conv_backward_data_f32_128x128, ConvBackwardDataParams, 256) { DYN_SHARED(shared); conv_backward_data<DataF32<128, 128>>(p, shared); }
KERNEL(conv_backward_data_f32_128x64, ConvBackwardDataParams, 256) { DYN_SHARED(shared); conv_backward_data<DataF32<128, 64>>(p, shared); }
KERNEL_TENSOR(conv_backward_data_tf32_128x128, ConvBackwardDataParams, 256, 1, TF32) { DYN_SHARED(shared); conv_backward_data<DataTensor<float, 128, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_data_tf32_128x64, ConvBackwardDataParams, 256, 1, TF32) { DYN_SHARED(shared); conv_backward_data<DataTensor<float, 128, 64>>(p, shared); }
KERNEL_TENSOR(conv_backward_data_bf16_128x128, ConvBackwardDataParams, 256, 1, BF16) { DYN_SHARED(shared); conv_backward_data<DataTensor<gpu::Bf16, 128, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_data_bf16_128x64, ConvBackwardDataParams, 256, 1, BF16) { DYN_SHARED(shared); conv_backward_data<DataTensor<gpu::Bf16, 128, 64>>(p, shared); }
KERNEL_TENSOR(conv_backward_data_wgmma_128x128, ConvBackwardDataParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  if constexpr (gpu::HAS_WGMMA) conv_backward_data<DataWgmma<128, 128>>(p, shared);
  else gpu::trap();
}
KERNEL_TENSOR(conv_backward_data_wgmma_128x64, ConvBackwardDataParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  if constexpr (gpu::HAS_WGMMA) conv_backward_data<DataWgmma<128, 64>>(p, shared);
  else gpu::trap();
}
