// conv_backward_filter.cu: the gradients of the filters of sibling convolutions, and of their
// biases, in one launch:
//
//   dw[k,r,s,c] = Σ_{n,p,q} dy[n,p,q,k] · x[n, p·stride_h+r-top, q·stride_w+s-left, c]     db[k] = Σ_{n,p,q} dy[n,p,q,k]
//
// stored or added, always in float.
//
// Shapes: everything that conv_forward takes. x and dy are read as memory holds them, in 16-byte
// chunks of channels: the sum runs over pixels, so both operands are mn-major.
// Split sums: there are few filters and many pixels. So gridDim.y blocks divide the pixels of a
// tile, `pixels` each, and each writes a part of the sums: partial[part][weights ..., biases ...].
// Then conv_backward_filter_reduce adds up the parts, one after the other in double, which gives
// the same bits in every run. With one part the result goes straight to dw and db. A part should
// have at most a few thousand pixels, because one float adds up that many products.
// The bias gradient comes from the tiles of dy that are in shared memory anyway, in the blocks of
// the first columns. A step's pixels are added up in float, the steps in double.
//
// Cost: 2·n·p·q·k·kh·kw·c FLOPs; dy is read ceil(kh·kw·c/BN) times and x kh·kw·ceil(k/BM) times,
// from L2 after the first time, because the blocks of a part are neighbours; and 8 bytes for each
// part of each weight.
// Launch: 256 threads, grid.x = ceil(cols/BM)·ceil(kh·kw·c'/BN) with c' = c rounded up to 16 bytes,
// grid.y = parts, 384·(BM+BN) bytes of dynamic shared memory. Tiles: 128x128, and 64x128 for few
// filters.
// conv_backward_filter_reduce: 256 threads, any grid.x, grid.y = count; the same parameters.
//
// Barriers: those of gpu::gemm and gpu::Result. The sums for biases need no barrier of their own:
// they are part of a step, after the barrier that completes the stage and before the barrier that
// lets it be overwritten.
#include "gpu/conv.h"

template <class M> GPU_FN void conv_backward_filter(const ConvBackwardFilterParams& p, unsigned char* shared) {
  using T = typename M::T;
  using A = typename M::A;
  using B = typename M::B;
  constexpr int BM = M::ROWS, BN = M::COLS, N = A::N;
  const Window& g = p.win;
  const int channels = gpu::whole_chunks<N>(p.c), taps = g.kh * g.kw;
  const int tiles = (taps * channels + BN - 1) / BN, tile = blockIdx.x / tiles;
  const int m0 = tile * BM, n0 = (blockIdx.x - tile * tiles) * BN;
  const int all = g.n * g.p * g.q, begin = blockIdx.y * p.pixels, end = all - begin < p.pixels ? all : begin + p.pixels;

  // A thread loads one chunk of filters for PASSES pixels of dy, and one chunk of (tap, channel)
  // for PASSES pixels of x.
  const ConvFilterSegment& mine = p.segments[gpu::segment_of(p, m0 + A::my_chunk() * N)];
  const int k = m0 + A::my_chunk() * N - mine.begin;
  const T *dy = (const T*)mine.dy.data, *x = (const T*)p.x.data;
  const bool wide_dy = gpu::aligned(dy, mine.dy.stride), wide_x = gpu::aligned(x, p.x.stride);
  const int column = n0 + B::my_chunk() * N, tap = column / channels, c = column - tap * channels, r = tap / g.kw, s = tap - r * g.kw;
  const int readable = tap < taps ? p.readable - c : 0;
  int from = begin + A::my_line(0), to = begin + B::my_line(0);  // the next pixels
  int q = to % g.q, np = to / g.q, n = np / g.p, y = np - n * g.p;
  const auto load = [&](unsigned char* a, unsigned char* b) GPU_INLINE {
    UNROLL for (int i = 0; i < A::PASSES; i++) {
      gpu::copy_chunk(a + A::chunk(A::my_line(i), A::my_chunk()), dy + (ptrdiff_t)from * mine.dy.stride + k, dy, from < end ? mine.k - k : 0, wide_dy);
      from += A::STEP;
    }
    UNROLL for (int i = 0; i < B::PASSES; i++) {
      const int h = y * g.stride_h - g.top + r, w = q * g.stride_w - g.left + s;
      const bool in = to < end && gpu::inside(h, w, g.h, g.w);
      gpu::copy_chunk(b + B::chunk(B::my_line(i), B::my_chunk()), x + (ptrdiff_t)((n * g.h + h) * g.w + w) * p.x.stride + c, x, in ? readable : 0, wide_x);
      to += B::STEP;
      for (q += B::STEP; q >= g.q; q -= g.q)
        if (++y == g.p) y = 0, n++;
    }
  };
  double bias = 0;
  const int t = threadIdx.x;
  const auto look = [&](const unsigned char* a) {
    if (n0 || t >= BM) return;
    float sum = 0;
    for (int i = 0; i < A::DEPTH; i++) sum += gpu::to_float(*(const T*)(a + A::at(t, i)));
    bias += (double)sum;
  };
  M math;
  gpu::gemm(math, shared, end > begin ? (end - begin + A::DEPTH - 1) / A::DEPTH : 0, load, look);

  const bool split = p.parts > 1, add = !split && (p.accumulate || p.run->accumulate);
  float* part = p.partial + (size_t)blockIdx.y * p.part;
  if (n0 == 0 && t < BM) {
    const ConvFilterSegment& o = p.segments[gpu::segment_of(p, m0 + t)];
    const int f = m0 + t - o.begin;
    if (o.db && f < o.k) {
      float* db = split ? part + o.biases + f : o.db + f;
      *db = (float)(add ? bias + (double)*db : bias);
    }
  }
  using R = gpu::Result<float, BM, BN>;
  const R result(math, shared);
  const int out = n0 + result.col, out_tap = out / channels, out_c = out - out_tap * channels;
  const int count = out_tap < taps ? gpu::columns<R::N>(p.c - out_c) : 0;
  if (count <= 0) return;
  for (int m = result.group; m < BM && m0 + m < p.cols; m += R::GROUPS) {
    const ConvFilterSegment& o = p.segments[gpu::segment_of(p, m0 + m)];
    const int f = m0 + m - o.begin;
    if (f >= o.k) continue;
    float* base = split ? part + o.weights : o.dw;
    const bool wide = gpu::aligned(base, p.c);
    float* dw = base + (size_t)(f * taps + out_tap) * p.c + out_c;
    gpu::Pack<float> d = result.row(m);
    if (add) {
      const gpu::Pack<float> old = gpu::load(dw, count, wide);
      UNROLL for (int i = 0; i < R::N; i++) d.v[i] += old.v[i];
    }
    gpu::store(dw, d, count, wide);
  }
}

// add_parts adds up `size` sums over all parts, pack by pack.
GPU_FN void add_parts(const ConvBackwardFilterParams& p, float* to, const float* partial, int size, bool add) {
  const bool wide_to = gpu::aligned(to, 0), wide_from = gpu::aligned(partial, 0);
  gpu::for_each_pack<4>(1, size, [&](int, int i, int count) {
    double sum[4] = {};
    for (int j = 0; j < p.parts; j++) {
      const gpu::Pack<float> v = gpu::load(partial + (size_t)j * p.part + i, count, wide_from);
      UNROLL for (int q = 0; q < 4; q++) sum[q] += (double)v.v[q];
    }
    gpu::Pack<float> d;
    if (add) {
      d = gpu::load(to + i, count, wide_to);
      UNROLL for (int q = 0; q < 4; q++) sum[q] += (double)d.v[q];
    }
    UNROLL for (int q = 0; q < 4; q++) d.v[q] = (float)sum[q];
    gpu::store(to + i, d, count, wide_to);
  });
}

KERNEL(conv_backward_filter_reduce, ConvBackwardFilterParams, 256) {
  const ConvFilterSegment& s = p.segments[blockIdx.y];
  const bool add = p.accumulate || p.run->accumulate;
  add_parts(p, s.dw, p.partial + s.weights, s.k * p.win.kh * p.win.kw * p.c, add);
  if (s.db) add_parts(p, s.db, p.partial + s.biases, s.k, add);
}

template <int BM, int BN> using FilterF32 = gpu::MultiplyF32<BM, BN, false, false>;
template <class T, int BM, int BN> using FilterTensor = gpu::MultiplyTensor<T, BM, BN, false, false>;
template <int BM, int BN> using FilterWgmma = gpu::MultiplyWgmma<BM, BN, false, false>;

KERNEL(conv_backward_filter_f32_128x128, ConvBackwardFilterParams, 256) { DYN_SHARED(shared); conv_backward_filter<FilterF32<128, 128>>(p, shared); }
KERNEL(conv_backward_filter_f32_64x128, ConvBackwardFilterParams, 256) { DYN_SHARED(shared); conv_backward_filter<FilterF32<64, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_filter_tf32_128x128, ConvBackwardFilterParams, 256, 1, TF32) { DYN_SHARED(shared); conv_backward_filter<FilterTensor<float, 128, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_filter_tf32_64x128, ConvBackwardFilterParams, 256, 1, TF32) { DYN_SHARED(shared); conv_backward_filter<FilterTensor<float, 64, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_filter_bf16_128x128, ConvBackwardFilterParams, 256, 1, BF16) { DYN_SHARED(shared); conv_backward_filter<FilterTensor<gpu::Bf16, 128, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_filter_bf16_64x128, ConvBackwardFilterParams, 256, 1, BF16) { DYN_SHARED(shared); conv_backward_filter<FilterTensor<gpu::Bf16, 64, 128>>(p, shared); }
KERNEL_TENSOR(conv_backward_filter_wgmma_128x128, ConvBackwardFilterParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  if constexpr (gpu::HAS_WGMMA) conv_backward_filter<FilterWgmma<128, 128>>(p, shared);
  else gpu::trap();
}
KERNEL_TENSOR(conv_backward_filter_wgmma_64x128, ConvBackwardFilterParams, 256, 2, BF16) {
  DYN_SHARED(shared);
  if constexpr (gpu::HAS_WGMMA) conv_backward_filter<FilterWgmma<64, 128>>(p, shared);
  else gpu::trap();
}
