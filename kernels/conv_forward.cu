// conv_forward.cu: convolutions of one input, all siblings in one launch:
//
//   y[n,p,q,k] = Σ_{r,s,c} w[k,r,s,c] · x[n, p·stride_h+r-top, q·stride_w+s-left, c]
//   y = relu(y·scale + shift + bias), each part optional, and before that Σy and Σy² for batch normalisation
//
// Shapes: x (n·h·w, c), w (k, kh, kw, c), y (n·p·q, k): any window, stride and padding, any number
// of channels and any pixel strides. A linear layer is a 1x1 convolution. 1x1 convolutions of
// stride 1 without padding are best given as one image of one row: n = h = p = 1.
// Cost: 2·n·p·q·k·kh·kw·c FLOPs. A tile of BM pixels reads its part of x once for each tap and BN
// filters, from L2 after the first time, because blocks with the same pixels are neighbours in the
// grid.
// Launch: 256 threads, grid.x = ceil(n·p·q/BM)·ceil(cols/BN), 384·(BM+BN) bytes of dynamic shared
// memory.
// Tiles: 128x128 (96 KB, and registers for one block on an SM, or two with wgmma), and 128x64 (72
// KB, two blocks on an SM of sm_80 or sm_90) for few filters or few pixels. The kernels with wgmma
// or tma in their names are for sm_90a. For those with tma, c must be a multiple of 8: they load
// the filters in boxes of 8 filters and 64 of (tap, channel), one thread for each box, through the
// tensor maps in the parameters.
//
// The statistics are computed from the sums in float before those are rounded to the output's type:
// each thread sums over its rows of a tile, then the threads' sums are added in order into
// partial[tile][2][k], which batchnorm_finalize adds up in order.
//
// Barriers besides those of gpu::gemm and gpu::Result: (3) all threads' statistics are in shared
// memory before they are added up; (4) the mbarriers are ready before anything arrives. All threads
// wait for a stage's mbarrier, after barrier (1) of its step. The barrier of the next step orders
// those waits, and the products, before the next box goes to that stage.
#include "gpu/conv.h"

// CopiedFilters are a tile's filters, copied chunk by chunk: each thread has PASSES filters, at the
// same position of k.
template <class M> struct CopiedFilters {
  using T = typename M::T;
  using B = typename M::B;
  const ConvForwardParams& p;
  const T* filter[B::PASSES];  // null after the last one
  bool wide = true;

  GPU_FN CopiedFilters(const ConvForwardParams& p, int n0, uint64_t*) : p(p) {
    for (int i = 0; i < p.count; i++) wide &= gpu::aligned((const T*)p.segments[i].w, p.c);
    UNROLL for (int i = 0; i < B::PASSES; i++) {
      const int n = n0 + B::my_line(i);
      const ConvForwardSegment& s = p.segments[gpu::segment_of(p, n)];
      filter[i] = n < s.begin + s.k ? (const T*)s.w + (size_t)(n - s.begin) * p.win.kh * p.win.kw * p.c : nullptr;
    }
  }
  GPU_FN void load(unsigned char* b, const gpu::Walk& at) {
    const bool on = at.segment == 0;
    const int from = (at.r * p.win.kw + at.s) * p.c + at.c;
    UNROLL for (int i = 0; i < B::PASSES; i++)
      gpu::copy_chunk(b + B::chunk(B::my_line(i), B::my_chunk()), filter[i] + from, (const T*)p.segments[0].w, on && filter[i] ? p.c - at.c : 0, wide);
  }
  GPU_FN void arrive() {}
};

// BoxedFilters are loaded by TMA: each of the first threads has a box of 8 filters. No box contains
// filters of two segments, because segments begin at multiples of 8. full are STAGES mbarriers.
template <class M> struct BoxedFilters {
  const ConvForwardParams& p;
  uint64_t* full;
  const void* map;
  int row, boxes;
  int step = 0, stage = 0;          // to load next
  int arriving = 0, parity = 0;     // the stage to wait for, and its parity

  GPU_FN BoxedFilters(const ConvForwardParams& p, int n0, uint64_t* full) : p(p), full(full) {
    const int n = n0 + 8 * threadIdx.x, left = p.cols - n0 < M::COLS ? p.cols - n0 : M::COLS;
    const int segment = gpu::segment_of(p, n);
    const ConvForwardSegment& s = p.segments[segment];
    map = p.maps + segment, row = n - s.begin, boxes = (left + 7) / 8;
    if (threadIdx.x == 0) {
      for (int i = 0; i < gpu::STAGES; i++) gpu::mbarrier_init(full + i);
      gpu::fence_async();
    }
    __syncthreads();  // (4)
  }
  GPU_FN void load(unsigned char* b, const gpu::Walk&) {
    const int t = threadIdx.x;
    if (t < 32) {
      if (t == 0) gpu::mbarrier_expect(full + stage, boxes * 1024);
      gpu::syncwarp();
      if (t < boxes) gpu::tma_load(b + t * 1024, map, step * M::B::DEPTH, row, full + stage);
    }
    step++;
    stage = stage == gpu::STAGES - 1 ? 0 : stage + 1;
  }
  GPU_FN void arrive() {
    gpu::mbarrier_wait(full + arriving, parity);
    if (++arriving == gpu::STAGES) arriving = 0, parity ^= 1;
  }
};

template <class M, class Filters = CopiedFilters<M>> GPU_FN void conv_forward(const ConvForwardParams& p, unsigned char* shared, uint64_t* full = nullptr) {
  using T = typename M::T;
  using A = typename M::A;
  constexpr int BM = M::ROWS, BN = M::COLS, N = A::N;
  const Window& g = p.win;
  const int rows = g.n * g.p * g.q, tiles = (p.cols + BN - 1) / BN, tile = blockIdx.x / tiles;
  const int m0 = tile * BM, n0 = (blockIdx.x - tile * tiles) * BN;

  // Of the image, a thread loads chunks of PASSES pixels at the same position of k.
  const T* x = (const T*)p.x.data;
  const bool wide_x = gpu::aligned(x, p.x.stride);
  gpu::Pixel pixel[A::PASSES];
  UNROLL for (int i = 0; i < A::PASSES; i++) {
    const int m = m0 + A::my_line(i), q = m % g.q, np = m / g.q, n = np / g.p;
    const int h = (np - n * g.p) * g.stride_h - g.top, w = q * g.stride_w - g.left;
    pixel[i] = m < rows ? gpu::Pixel{h, w, (n * g.h + h) * g.w + w} : gpu::no_pixel();
  }
  Filters filters(p, n0, full);

  const int channels = gpu::whole_chunks<N>(p.c);
  const auto width = [&](int segment) { return segment ? gpu::ENDLESS : channels; };
  gpu::Walk at{0, 0, 0, 0};
  at.advance(A::my_chunk() * N, g.kh, g.kw, width);
  const auto load = [&](unsigned char* a, unsigned char* b) GPU_INLINE {
    const bool on = at.segment == 0;
    const int from_x = at.r * g.w + at.s;
    UNROLL for (int i = 0; i < A::PASSES; i++) {
      const bool in = on && gpu::inside(pixel[i].y + at.r, pixel[i].x + at.s, g.h, g.w);
      gpu::copy_chunk(a + A::chunk(A::my_line(i), A::my_chunk()), x + (ptrdiff_t)(pixel[i].index + from_x) * p.x.stride + at.c, x,
                      in ? p.c - at.c : 0, wide_x);
    }
    filters.load(b, at);
    at.advance(A::DEPTH, g.kh, g.kw, width);
  };
  M math;
  gpu::gemm(math, shared, (g.kh * g.kw * channels + A::DEPTH - 1) / A::DEPTH, load, [](const unsigned char*) {}, [&]() GPU_INLINE { filters.arrive(); });

  using R = gpu::Result<T, BM, BN>;
  const R result(math, shared);
  const ConvForwardSegment& s = p.segments[gpu::segment_of(p, n0 + result.col)];
  const int k = n0 + result.col - s.begin, count = gpu::columns<R::N>(s.k - k);
  float scale[R::N], shift[R::N], bias[R::N] = {}, sum[R::N] = {}, squares[R::N] = {};
  UNROLL for (int i = 0; i < R::N; i++) scale[i] = 1, shift[i] = 0;
  if (s.scale) gpu::channel_values(scale, s.scale, k, count);
  if (s.shift) gpu::channel_values(shift, s.shift, k, count);
  if (s.bias) gpu::channel_values(bias, s.bias, k, count);
  UNROLL for (int i = 0; i < R::N; i++) shift[i] += bias[i];
  T* y = (T*)s.y.data + k;
  const bool wide_y = gpu::aligned((T*)s.y.data, s.y.stride);
  if (count > 0)
    for (int m = result.group; m < BM && m0 + m < rows; m += R::GROUPS) {
      gpu::Pack<T> v = result.row(m);
      UNROLL for (int i = 0; i < R::N; i++) {
        sum[i] += v.v[i];
        squares[i] = gpu::fma(v.v[i], v.v[i], squares[i]);
        const float f = gpu::fma(v.v[i], scale[i], shift[i]);
        v.v[i] = s.relu && f < 0 ? 0 : f;
      }
      gpu::store(y + (size_t)(m0 + m) * s.y.stride, v, count, wide_y);
    }

  bool statistics = false;
  for (int i = 0; i < p.count; i++) statistics |= p.segments[i].partial != nullptr;
  if (!statistics) return;
  float* sums = (float*)(shared + R::BYTES);  // 2·GROUPS rows of BN, in the order of R::at
  static_assert(R::BYTES + 2 * R::GROUPS * BN * 4 <= gpu::GEMM_SHARED<BM, BN>, "tile and statistics fit");
  UNROLL for (int i = 0; i < R::N; i += 4) {
    gpu::store(sums + R::at(result.group, result.col + i), gpu::Pack<float>{{sum[i], sum[i + 1], sum[i + 2], sum[i + 3]}}, 4, true);
    gpu::store(sums + R::at(R::GROUPS + result.group, result.col + i),
               gpu::Pack<float>{{squares[i], squares[i + 1], squares[i + 2], squares[i + 3]}}, 4, true);
  }
  __syncthreads();  // (3)
  for (int i = threadIdx.x; i < 2 * BN; i += gpu::GEMM_THREADS) {
    const int which = i / BN, n = i % BN;
    const ConvForwardSegment& o = p.segments[gpu::segment_of(p, n0 + n)];
    const int column = n0 + n - o.begin;
    if (!o.partial || column >= o.k) continue;
    float v = 0;
    for (int j = 0; j < R::GROUPS; j++) v += sums[R::at(which * R::GROUPS + j, n)];
    o.partial[((size_t)tile * 2 + which) * o.k + column] = v;
  }
}

template <int BM, int BN> using ForwardF32 = gpu::MultiplyF32<BM, BN, true, true>;
template <class T, int BM, int BN> using ForwardTensor = gpu::MultiplyTensor<T, BM, BN, true, true>;
template <int BM, int BN> using ForwardWgmma = gpu::MultiplyWgmma<BM, BN, true, true>;

KERNEL(conv_forward_f32_128x128, ConvForwardParams, 256) { DYN_SHARED(shared); conv_forward<ForwardF32<128, 128>>(p, shared); }
KERNEL(conv_forward_f32_128x64, ConvForwardParams, 256) { DYN_SHARED(shared); conv_forward<ForwardF32<128, 64>>(p, shared); }
KERNEL_TENSOR(conv_forward_tf32_128x128, ConvForwardParams, 256, 1, TF32) { DYN_SHARED(shared); conv_forward<ForwardTensor<float, 128, 128>>(p, shared); }
KERNEL_TENSOR(conv_forward_tf32_128x64, ConvForwardParams, 256, 1, TF32) { DYN_SHARED(shared); conv_forward<ForwardTensor<float, 128, 64>>(p, shared); }
KERNEL_TENSOR(conv_forward_bf16_128x128, ConvForwardParams, 256, 1, BF16) { DYN_SHARED(shared); conv_forward<ForwardTensor<gpu::Bf16, 128, 128>>(p, shared); }
KERNEL_TENSOR(conv_forward_bf16_128x64, ConvForwardParams, 256, 1, BF16) { DYN_SHARED(shared); conv_forward<ForwardTensor<gpu::Bf16, 128, 64>>(p, shared); }
KERNEL_TENSOR(conv_forward_wgmma_128x128, ConvForwardParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  if constexpr (gpu::HAS_WGMMA) conv_forward<ForwardWgmma<128, 128>>(p, shared);
  else gpu::trap();
}
KERNEL_TENSOR(conv_forward_wgmma_128x64, ConvForwardParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  if constexpr (gpu::HAS_WGMMA) conv_forward<ForwardWgmma<128, 64>>(p, shared);
  else gpu::trap();
}
KERNEL_TENSOR(conv_forward_tma_128x128, ConvForwardParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  SHARED(uint64_t, full, [gpu::STAGES]);
  if constexpr (gpu::HAS_WGMMA) conv_forward<ForwardWgmma<128, 128>, BoxedFilters<ForwardWgmma<128, 128>>>(p, shared, full);
  else gpu::trap();
}
KERNEL_TENSOR(conv_forward_tma_128x64, ConvForwardParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  SHARED(uint64_t, full, [gpu::STAGES]);
  if constexpr (gpu::HAS_WGMMA) conv_forward<ForwardWgmma<128, 64>, BoxedFilters<ForwardWgmma<128, 64>>>(p, shared, full);
  else gpu::trap();
}
