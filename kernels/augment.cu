// augment.cu: makes images from regions of decoded images, as recipes say (package augment), and
// normalises them.
//
//   augment_resize  pixels[y][x] = the region, cut, mirrored and resized: columns first, then rows, each rounded to a byte
//                   sums[block]  = Σ brightness of a block's pixels before contrast is adjusted, if the recipe has contrast
//   augment_store   y[row][c]    = v[c]·scale[c] + shift[c], one rounding, where v is the pixel after adjusting its colours
//                                  and painting the patch
//
// Everything up to v is bit for bit what the CPU computes: the weights of the triangle filter in
// double precision, rounded to units of 2^-22; sums of bytes times weights in integers, in any
// order; colours in float, with the product rounded before the sum.
//
// Shapes: regions (rows.region, cols.region, channels) bytes, each at its recipe's offset; pixels
// (images, h, w, channels) bytes; y (images·h·w, padded), channels <= padded <= a pack, as in
// normalize.cu. Cost: a pixel takes about 2·max(1, cut/size) taps along each axis. A thread makes
// rows_each pixels of a column and walks down the rows that those need, so that a row is resized
// less than twice for each pixel. The bytes are read once from memory, then from the caches.
// augment_store reads a byte and writes sizeof(T) per element.
//
// Launch: 256 threads; augment_resize one block for each tile of each image, augment_store `blocks`
// for each image. Barriers: (1) all taps of a tile are in shared memory before they are used; and
// those of block_reduce, which all threads of a block reach or none, depending on the recipe.
#include "gpu/reduce.h"
#include "params.h"

constexpr int threads = 256, lines = AUGMENT_TILE_W + AUGMENT_TILE_H, rows_each = AUGMENT_TILE_W * AUGMENT_TILE_H / threads;

// Taps are the weights of a tile's columns, then of its rows, over the pixels of the region. All
// taps of a line are in one bank.
struct Taps {
  int start[lines], count[lines];  // no taps: black
  int weight[AUGMENT_TAPS][(lines + 31) / 32 * 32];
};

GPU_FN double triangle(int i, double centre, double radius) {
  const double d = gpu::div((double)i + 0.5 - centre, radius), v = 1 - (d < 0 ? -d : d);
  return v < 0 ? 0 : v;
}

// make_taps computes the weights of output position i of n.
GPU_FN void make_taps(Taps& taps, int line, const AugmentAxis& a, int i, int n) {
  taps.start[line] = taps.count[line] = 0;
  const int q = a.window + (a.mirror_window ? n - 1 - i : i);
  if (i >= n || q < a.from || q >= a.to) return;
  const double scale = gpu::div((double)a.cut, (double)a.size), radius = scale < 1 ? 1 : scale, centre = gpu::mul((double)q + 0.5, scale);
  int first = (int)(centre - radius + 0.5), end = (int)(centre + radius + 0.5);
  if (first < 0) first = 0;
  if (end > a.cut) end = a.cut;
  double sum = 0;
  for (int j = first; j < end; j++) sum += triangle(j, centre, radius);
  int start = (a.mirror_cut ? a.cut - end : first) - a.at, count = 0;
  for (int k = 0; k < end - first; k++) {
    const double exact = gpu::mul(gpu::div(triangle(a.mirror_cut ? end - 1 - k : first + k, centre, radius), sum), 4194304.0);
    const int whole = (int)exact, weight = whole + (exact - (double)whole >= 0.5), at = start + count;
    if (at < 0 || (weight == 0 && count == 0))
      start++;  // before the region, or weight 0
    else if (at < a.region)
      taps.weight[count++][line] = weight;
  }
  while (count > 0 && taps.weight[count - 1][line] == 0) count--;
  taps.start[line] = start;
  taps.count[line] = count;
}

GPU_FN int to_byte(int sum) {
  sum >>= 22;
  return sum < 0 ? 0 : sum > 255 ? 255 : sum;
}

template <int C> GPU_FN int luma(const int (&v)[C]) {
  if constexpr (C == 3)
    return (19595 * v[0] + 38470 * v[1] + 7471 * v[2] + (1 << 15)) >> 16;
  else
    return v[0];
}

// adjust applies one adjustment to a pixel: v becomes grey + factor·(v - grey), truncated and
// limited to a byte.
template <int C> GPU_FN void adjust(int (&v)[C], int op, float factor, int mean) {
  if (op == ADJUST_NONE || (op == ADJUST_SATURATION && C == 1)) return;
  const int grey = op == ADJUST_BRIGHTNESS ? 0 : op == ADJUST_CONTRAST ? mean : luma(v);
  UNROLL for (int c = 0; c < C; c++) {
    const int blend = (int)((float)grey + gpu::mul(factor, (float)(v[c] - grey)));
    v[c] = blend < 0 ? 0 : blend > 255 ? 255 : blend;
  }
}

// contrast_of returns the index of contrast among a recipe's adjustments, MAX_ADJUSTMENTS if it has
// none.
GPU_FN int contrast_of(const AugmentRecipe& r) {
  int i = 0;
  while (i < MAX_ADJUSTMENTS && r.op[i] != ADJUST_CONTRAST) i++;
  return i;
}

template <int C> GPU_FN void resize(const AugmentResizeParams& p, Taps& taps, uint32_t (&by_warp)[threads / 32]) {
  const int image = blockIdx.x / p.tiles, tile = blockIdx.x - image * p.tiles, t = threadIdx.x;
  const int across = (p.w + AUGMENT_TILE_W - 1) / AUGMENT_TILE_W, ty = tile / across;
  const int x0 = (tile - ty * across) * AUGMENT_TILE_W, y0 = ty * AUGMENT_TILE_H;
  const AugmentRecipe& r = p.recipes[image];
  if (t < AUGMENT_TILE_W)
    make_taps(taps, t, r.cols, x0 + t, p.w);
  else if (t < lines)
    make_taps(taps, t, r.rows, y0 + t - AUGMENT_TILE_W, p.h);
  __syncthreads();  // (1)

  const int column = t % AUGMENT_TILE_W, row = AUGMENT_TILE_W + t / AUGMENT_TILE_W * rows_each;  // lines of the taps
  const int left = taps.start[column], across_taps = taps.count[column];
  int sum[rows_each][C], start[rows_each], count[rows_each], lo = 0x7fffffff, hi = 0;
  UNROLL for (int i = 0; i < rows_each; i++) {
    start[i] = taps.start[row + i], count[i] = taps.count[row + i];
    UNROLL for (int c = 0; c < C; c++) sum[i][c] = 1 << 21;
    if (count[i] == 0) continue;
    lo = start[i] < lo ? start[i] : lo;
    hi = start[i] + count[i] > hi ? start[i] + count[i] : hi;
  }
  const uint8_t* from = p.regions + r.offset + (size_t)left * C;
  const size_t stride = (size_t)r.cols.region * C;
  for (int y = lo; y < hi; y++) {
    const uint8_t* in = from + (size_t)y * stride;
    int v[C];
    UNROLL for (int c = 0; c < C; c++) v[c] = 1 << 21;
    for (int k = 0; k < across_taps; k++) {
      const int weight = taps.weight[k][column];
      UNROLL for (int c = 0; c < C; c++) v[c] += weight * in[k * C + c];
    }
    UNROLL for (int c = 0; c < C; c++) v[c] = to_byte(v[c]);
    UNROLL for (int i = 0; i < rows_each; i++) {
      const unsigned k = (unsigned)(y - start[i]);
      if (k >= (unsigned)count[i]) continue;
      const int weight = taps.weight[k][row + i];
      UNROLL for (int c = 0; c < C; c++) sum[i][c] += weight * v[c];
    }
  }

  const int x = x0 + column, contrast = contrast_of(r);
  uint32_t brightness = 0;
  UNROLL for (int i = 0; i < rows_each; i++) {
    const int y = y0 + row - AUGMENT_TILE_W + i;
    if (x >= p.w || y >= p.h) continue;
    int v[C];
    uint8_t* out = p.pixels + (((size_t)image * p.h + y) * p.w + x) * C;
    UNROLL for (int c = 0; c < C; c++) v[c] = to_byte(sum[i][c]), out[c] = (uint8_t)v[c];
    if (contrast == MAX_ADJUSTMENTS) continue;
    for (int j = 0; j < contrast; j++) adjust(v, r.op[j], r.factor[j], 0);
    brightness += (uint32_t)luma(v);
  }
  if (contrast == MAX_ADJUSTMENTS) return;
  brightness = gpu::block_reduce<threads>(brightness, by_warp, gpu::Sum<uint32_t>());
  if (t == 0) p.sums[blockIdx.x] = brightness;
}

template <class T, int C> GPU_FN void store(const AugmentStoreParams& p, uint64_t (&by_warp)[threads / 32]) {
  const int image = blockIdx.x / p.blocks, part = blockIdx.x - image * p.blocks, t = threadIdx.x;
  const AugmentRecipe& r = p.recipes[image];
  const int area = p.h * p.w;
  int mean = 0;
  if (contrast_of(r) < MAX_ADJUSTMENTS) {
    uint64_t sum = 0;
    for (int i = t; i < p.tiles; i += threads) sum += p.sums[(size_t)image * p.tiles + i];
    sum = gpu::block_reduce<threads>(sum, by_warp, gpu::Sum<uint64_t>());
    mean = (int)((sum + (uint64_t)area / 2) / (uint64_t)area);
  }
  // Values that all pixels need stay in registers.
  int op[MAX_ADJUSTMENTS];
  float factor[MAX_ADJUSTMENTS], scale[C], shift[C];
  UNROLL for (int j = 0; j < MAX_ADJUSTMENTS; j++) op[j] = r.op[j], factor[j] = r.factor[j];
  UNROLL for (int c = 0; c < C; c++) scale[c] = p.scale[c], shift[c] = p.shift[c];
  const int y0 = r.y0, y1 = r.y1, x0 = r.x0, x1 = r.x1;
  const uint32_t colour = r.colour;
  T* y = (T*)p.y.data;
  const bool wide = gpu::wide(y, p.y.stride);
  for (int i = part * threads + t; i < area; i += p.blocks * threads) {
    const size_t row = (size_t)image * area + i;
    int v[C];
    UNROLL for (int c = 0; c < C; c++) v[c] = p.pixels[row * C + c];
    UNROLL for (int j = 0; j < MAX_ADJUSTMENTS; j++) adjust(v, op[j], factor[j], mean);
    const int py = i / p.w, px = i - py * p.w;
    if (py >= y0 && py < y1 && px >= x0 && px < x1)
      UNROLL for (int c = 0; c < C; c++) v[c] = colour >> 8 * c & 255;
    gpu::Pack<T> out = {};
    UNROLL for (int c = 0; c < C; c++) out.v[c] = gpu::fma((float)v[c], scale[c], shift[c]);
    gpu::store(y + row * p.y.stride, out, p.padded, wide);
  }
}

template <class T> GPU_FN void store_any(const AugmentStoreParams& p) {
  SHARED(uint64_t, by_warp, [threads / 32]);
  if (p.channels == 3)
    store<T, 3>(p, by_warp);
  else
    store<T, 1>(p, by_warp);
}

KERNEL(augment_resize, AugmentResizeParams, threads) {
  SHARED(Taps, taps, [1]);
  SHARED(uint32_t, by_warp, [threads / 32]);
  if (p.channels == 3)
    resize<3>(p, taps[0], by_warp);
  else
    resize<1>(p, taps[0], by_warp);
}
KERNEL(augment_store_f32, AugmentStoreParams, threads) { store_any<float>(p); }
KERNEL(augment_store_bf16, AugmentStoreParams, threads) { store_any<gpu::Bf16>(p); }
