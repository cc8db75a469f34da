// conv_forward_fp32.cu: convolution in strict float32, without tensor cores.
//
//   y[m][k] = Σ x[n, p·stride_h - top + r, q·stride_w - left + s, c] · weight[k][r][s][c],  m = (n, p, q)
//
// for several segments (sibling convolutions of one input) in one launch, each with its own filters, output slice and epilogue:
//
//   sums given    the tile's column sums of y and y² go to sums[blockIdx.x], for batchnorm_finalize: no pass over y for them
//   scale, shift  y·scale + shift, or y + shift without scale; then ReLU if asked for
//
// Shapes: x (n, h, w, c) and y (n, p, q, filters) as views; any window, stride, padding and number of channels. Implicit GEMM: a
// block computes a tile of 128 pixels x 64 filters and walks over r·s·c in steps of 16; 256 threads of 8 x 4 outputs each. Cost:
// 2·m·filters·r·s·c FLOPs; each block reads its 128 rows of the virtual matrix and its 64 filters once, with 16-byte accesses
// where c is a multiple of 4. The inner loop does 32 FMAs for 3 loads of 16 bytes from shared memory.
//
// Launch: 256 threads, grid (ceil(m/128), Σ ceil(filters/64)), ConvSegment.first_tile being the sum up to a segment.
//
// Shared memory holds two stages of both tiles, transposed, so that a thread reads 4 neighbouring pixels or filters at once. The
// column of row kk is m ^ 8·(kk/8): the 32 stores of a warp then hit 32 different banks. Barriers: (1) in the loop, a stage is
// complete before any thread reads it; with two stages it is also the one that lets the next-but-one overwrite it, because a
// thread passes it only after it has read the stage before. (2) the threads' column sums are written before they are added.
#include "gpu/matrix.h"
#include "params.h"

constexpr int BM = 128, BN = 64, BK = 16, LDM = BM + 4, LDN = BN + 4;

// Tap is a position in the reduction: which tap of the window and which channel.
struct Tap {
  int r, s, c;
  GPU_FN void advance(const ConvParams& p, int n) {
    for (c += n; c >= p.c; c -= p.c)
      if (++s == p.s) s = 0, r++;
  }
};

// Pixel is an output pixel: its image's first row, and the corner of its window.
struct Pixel {
  int image, h, w;  // image < 0: beyond the last one
};
GPU_FN Pixel pixel_of(const ConvParams& p, int m) {
  if (m >= p.n * p.p * p.q) return {-1, 0, 0};
  const int q = m % p.q, row = m / p.q;
  return {row / p.p * p.h, row % p.p * p.stride_h - p.top, q * p.stride_w - p.left};
}

GPU_FN const float* input_at(const ConvParams& p, Pixel at, Tap t) {
  const int h = at.h + t.r, w = at.w + t.s;
  if (at.image < 0 || t.r >= p.r || h < 0 || h >= p.h || w < 0 || w >= p.w) return nullptr;
  return (const float*)p.x.data + ((size_t)(at.image + h) * p.w + w) * p.x.stride + t.c;
}

typedef gpu::Pack<float> Quad;

// input_quad reads four neighbouring positions of the reduction for one pixel.
GPU_FN Quad input_quad(const ConvParams& p, Pixel at, Tap t, bool wide) {
  Quad v = {};
  if (wide) {  // all of one tap
    if (const float* x = input_at(p, at, t)) v = gpu::load(x, 4, true);
    return v;
  }
  UNROLL for (int i = 0; i < 4; i++) {
    if (const float* x = input_at(p, at, t)) v.v[i] = *x;
    t.advance(p, 1);
  }
  return v;
}

GPU_FN Quad shared_quad(const float* p) { return gpu::load(p, 4, true); }

KERNEL(conv_forward_fp32, ConvParams, 256) {
  SHARED(uint4, memory, [2 * BK * (LDM + LDN) / 4]);
  float* const shared = (float*)memory;
  int number = 0;
  while (number + 1 < p.count && (int)blockIdx.y >= p.segments[number + 1].first_tile) number++;
  const ConvSegment& seg = p.segments[number];
  const int t = threadIdx.x, m0 = blockIdx.x * BM, k0 = ((int)blockIdx.y - seg.first_tile) * BN;
  const int rows = p.n * p.p * p.q, depth = p.r * p.s * p.c, steps = (depth + BK - 1) / BK;

  // What this thread fetches: positions kk ... kk+3 of pixels m0 + t/4 and m0 + 64 + t/4, and of filter k0 + t/4.
  const int line = t / 4;
  int kk = t % 4 * 4;
  Tap tap = {0, 0, 0};
  tap.advance(p, kk);
  const Pixel pixels[2] = {pixel_of(p, m0 + line), pixel_of(p, m0 + 64 + line)};
  const bool wide_x = p.c % 4 == 0 && gpu::wide((const float*)p.x.data, p.x.stride), wide_w = gpu::wide(seg.weight, depth);
  const bool filter_on = k0 + line < seg.filters;
  const float* weight = seg.weight + (size_t)(filter_on ? k0 + line : 0) * depth;
  Quad a[2], b;
  const auto fetch = [&]() {
    UNROLL for (int i = 0; i < 2; i++) a[i] = input_quad(p, pixels[i], tap, wide_x);
    const int left = depth - kk;
    b = gpu::load(weight + kk, !filter_on || left < 0 ? 0 : left < 4 ? left : 4, wide_w);
    kk += BK;
    tap.advance(p, BK);
  };
  const int swizzle = t % 4 / 2 * 8;
  const auto put = [&](int stage) {
    float *as = shared + stage * BK * (LDM + LDN), *bs = as + BK * LDM;
    UNROLL for (int i = 0; i < 4; i++) {
      const int row = t % 4 * 4 + i;
      as[row * LDM + (line ^ swizzle)] = a[0].v[i];
      as[row * LDM + ((64 + line) ^ swizzle)] = a[1].v[i];
      bs[row * LDN + (line ^ swizzle)] = b.v[i];
    }
  };

  const int tm = t / 16 * 8, tn = t % 16 * 4;  // this thread's outputs within the tile
  float acc[8][4] = {};
  GPU_INLINE_CALL fetch();
  GPU_INLINE_CALL put(0);
  __syncthreads();
  for (int step = 0; step < steps; step++) {
    if (step + 1 < steps) GPU_INLINE_CALL fetch();
    const float *as = shared + step % 2 * BK * (LDM + LDN), *bs = as + BK * LDM;
    UNROLL for (int k = 0; k < BK; k++) {
      const int flip = k / 8 * 8;
      const Quad x0 = shared_quad(as + k * LDM + (tm ^ flip)), x1 = shared_quad(as + k * LDM + ((tm ^ flip) + 4));
      const Quad w = shared_quad(bs + k * LDN + (tn ^ flip));
      UNROLL for (int i = 0; i < 4; i++)
        UNROLL for (int j = 0; j < 4; j++) {
          acc[i][j] = gpu::fma(x0.v[i], w.v[j], acc[i][j]);
          acc[4 + i][j] = gpu::fma(x1.v[i], w.v[j], acc[4 + i][j]);
        }
    }
    if (step + 1 < steps) GPU_INLINE_CALL put((step + 1) % 2);
    __syncthreads();  // (1)
  }

  const int k = k0 + tn, count = seg.filters - k < 4 ? seg.filters - k : 4;
  if (seg.sums) {  // rows beyond the last are 0 and add nothing
    UNROLL for (int j = 0; j < 4; j++) {
      float sum = 0, squares = 0;
      UNROLL for (int i = 0; i < 8; i++) sum += acc[i][j], squares = gpu::fma(acc[i][j], acc[i][j], squares);
      shared[(t / 16) * BN + tn + j] = sum;
      shared[(16 + t / 16) * BN + tn + j] = squares;
    }
    __syncthreads();  // (2)
    const int which = t / BN, column = t % BN;
    if (which < 2 && k0 + column < seg.filters) {
      float sum = 0;
      for (int i = 0; i < 16; i++) sum += shared[(which * 16 + i) * BN + column];
      seg.sums[((size_t)blockIdx.x * 2 + which) * seg.filters + k0 + column] = sum;
    }
  }
  if (count <= 0) return;
  float scale[4] = {}, shift[4] = {};
  if (seg.scale) gpu::channel_values(scale, seg.scale, k, count);
  if (seg.shift) gpu::channel_values(shift, seg.shift, k, count);
  float* y = (float*)seg.y.data;
  const bool wide_y = gpu::wide(y, seg.y.stride);
  UNROLL for (int i = 0; i < 8; i++) {
    const int m = m0 + tm + i;
    if (m >= rows) break;
    Quad v;
    UNROLL for (int j = 0; j < 4; j++) {
      v.v[j] = acc[i][j];
      if (seg.shift) v.v[j] = seg.scale ? gpu::fma(v.v[j], scale[j], shift[j]) : v.v[j] + shift[j];
      if (seg.relu) v.v[j] = v.v[j] < 0 ? 0 : v.v[j];
    }
    gpu::store(y + (size_t)m * seg.y.stride + k, v, count, wide_y);
  }
}
