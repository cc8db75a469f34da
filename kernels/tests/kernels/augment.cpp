// augment.cpp: images from regions and recipes.
#include "harness.h"

using namespace test;

// random_axis returns an axis that resizes a cut up, down or not at all, and shows n pixels of it.
// The cut has more or fewer pixels than the region.
static AugmentAxis random_axis(Random& r, int n) {
  AugmentAxis a{};
  a.region = r.range(0, 70), a.cut = r.range(1, 90), a.mirror_cut = r.coin(), a.mirror_window = r.coin();
  const int least = (a.cut + 31) / 32;  // at most 32 times smaller
  a.size = r.coin() ? a.cut : r.coin() ? least : r.range(least, 120);
  a.at = r.range(-a.region, a.cut);
  a.from = r.coin() ? 0 : r.range(0, a.size);
  a.to = r.coin() ? a.size : r.range(0, a.size);
  a.window = r.range(-n, a.size);
  if (r.coin()) a.region = a.cut, a.at = 0, a.from = 0, a.to = a.size, a.window = r.range(-2, a.size > n ? a.size - n : 0);
  return a;
}

struct Batch {
  int n, h, w, c;
  std::vector<AugmentRecipe> recipes;
  std::vector<uint8_t> regions;

  explicit Batch(Random& r) : n(r.range(1, 4)), h(r.range(1, 40)), w(r.coin() ? r.range(1, 40) : r.range(1, 150)), c(r.coin() ? 3 : 1) {
    for (int i = 0; i < n; i++) {
      AugmentRecipe a{};
      if (i == 1) {  // a black image
        recipes.push_back(a);
        continue;
      }
      a.offset = (int64_t)regions.size();
      a.rows = random_axis(r, h), a.cols = random_axis(r, w);
      for (int j = a.rows.region * a.cols.region * c; j > 0; j--) regions.push_back((uint8_t)r.range(0, 255));
      const int first = r.range(1, 3), step = r.range(1, 2);
      for (int j = 0; j < MAX_ADJUSTMENTS; j++) {
        a.op[j] = r.range(0, 3) ? 1 + (first + j * step) % 3 : ADJUST_NONE;
        a.factor[j] = (float)r.uniform(0, 2);
      }
      if (r.coin()) a.y0 = r.range(0, h), a.y1 = r.range(0, h), a.x0 = r.range(0, w), a.x1 = r.range(0, w), a.colour = r.word() & 0xffffff;
      recipes.push_back(a);
    }
  }
  int tiles() const { return (h + AUGMENT_TILE_H - 1) / AUGMENT_TILE_H * ((w + AUGMENT_TILE_W - 1) / AUGMENT_TILE_W); }

  // resized returns an image before its colours change, computed as the definition says: the whole
  // cut, then all of it resized, then the window.
  std::vector<uint8_t> resized(const AugmentRecipe& r) const {
    std::vector<uint8_t> out((size_t)h * w * c);
    const AugmentAxis &rows = r.rows, &cols = r.cols;
    if (rows.from >= rows.to || cols.from >= cols.to) return out;
    std::vector<uint8_t> cut((size_t)rows.cut * cols.cut * c), wide((size_t)rows.cut * cols.size * c), all((size_t)rows.size * cols.size * c);
    for (int y = 0; y < rows.cut; y++)
      for (int x = 0; x < cols.cut; x++) {
        const int ry = (rows.mirror_cut ? rows.cut - 1 - y : y) - rows.at, rx = (cols.mirror_cut ? cols.cut - 1 - x : x) - cols.at;
        if (ry >= 0 && ry < rows.region && rx >= 0 && rx < cols.region)
          memcpy(&cut[((size_t)y * cols.cut + x) * c], &regions[(size_t)r.offset + ((size_t)ry * cols.region + rx) * c], (size_t)c);
      }
    for (int y = 0; y < rows.cut; y++) line(&wide[(size_t)y * cols.size * c], &cut[(size_t)y * cols.cut * c], cols.cut, cols.size, c);
    for (int x = 0; x < cols.size; x++) line(&all[(size_t)x * c], &wide[(size_t)x * c], rows.cut, rows.size, cols.size * c);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        const int wy = rows.window + (rows.mirror_window ? h - 1 - y : y), wx = cols.window + (cols.mirror_window ? w - 1 - x : x);
        if (wy >= rows.from && wy < rows.to && wx >= cols.from && wx < cols.to)
          memcpy(&out[((size_t)y * w + x) * c], &all[((size_t)wy * cols.size + wx) * c], (size_t)c);
      }
    return out;
  }
  // line resizes a line of pixels that are `step` bytes apart.
  void line(uint8_t* out, const uint8_t* in, int from, int to, int step) const {
    const double scale = (double)from / to, radius = scale > 1 ? scale : 1;
    for (int i = 0; i < to; i++) {
      const double centre = (i + 0.5) * scale;
      std::vector<double> weight((size_t)from);
      double sum = 0;
      for (int k = 0; k < from; k++) sum += weight[(size_t)k] = fmax(0, 1 - fabs((k + 0.5 - centre) / radius));
      for (int ch = 0; ch < c; ch++) {
        int64_t total = 1 << 21;
        for (int k = 0; k < from; k++) total += (int64_t)round(weight[(size_t)k] / sum * (1 << 22)) * in[(size_t)k * step + ch];
        total >>= 22;
        out[(size_t)i * step + ch] = (uint8_t)(total < 0 ? 0 : total > 255 ? 255 : total);
      }
    }
  }
  int brightness(const uint8_t* v) const { return c == 1 ? v[0] : (19595 * v[0] + 38470 * v[1] + 7471 * v[2] + 32768) >> 16; }
  int64_t brightness(const std::vector<uint8_t>& v) const {
    int64_t sum = 0;
    for (size_t i = 0; i < v.size(); i += (size_t)c) sum += brightness(&v[i]);
    return sum;
  }
  // adjusted applies a recipe's adjustments: all of them, or those before contrast.
  std::vector<uint8_t> adjusted(std::vector<uint8_t> v, const AugmentRecipe& r, bool all) const {
    for (int j = 0; j < MAX_ADJUSTMENTS; j++) {
      if (r.op[j] == ADJUST_NONE) continue;
      if (r.op[j] == ADJUST_CONTRAST && !all) break;
      const int mean = (int)((brightness(v) + h * w / 2) / (h * w));
      for (size_t i = 0; i < v.size(); i += (size_t)c) {
        const int grey = r.op[j] == ADJUST_BRIGHTNESS ? 0 : r.op[j] == ADJUST_CONTRAST ? mean : brightness(&v[i]);
        for (size_t ch = i; ch < i + (size_t)c; ch++) {
          const volatile float product = r.factor[j] * (float)(v[ch] - grey);
          const int blend = (int)((float)grey + product);
          v[ch] = (uint8_t)(blend < 0 ? 0 : blend > 255 ? 255 : blend);
        }
      }
    }
    return v;
  }
};

static bool has_contrast(const AugmentRecipe& r) {
  for (int op : r.op)
    if (op == ADJUST_CONTRAST) return true;
  return false;
}

TEST_FLOAT(augment_resize, 40) {
  const Batch b(r);
  const int tiles = b.tiles();
  const size_t size = (size_t)b.h * b.w * b.c;
  Device<uint8_t> regions(b.regions), pixels((size_t)b.n * size);
  Device<AugmentRecipe> recipes(b.recipes);
  Device<uint32_t> sums((size_t)b.n * tiles);
  pixels.put(std::vector<uint8_t>((size_t)b.n * size, 0x55));
  sums.put(std::vector<uint32_t>((size_t)b.n * tiles, 0xffffffff));
  run("augment_resize", {(unsigned)(b.n * tiles)},
      AugmentResizeParams{regions.data(), recipes.data(), pixels.data(), sums.data(), b.h, b.w, b.c, tiles});
  const std::vector<uint8_t> got = pixels.get();
  const std::vector<uint32_t> got_sums = sums.get();
  for (int i = 0; i < b.n; i++) {
    const AugmentRecipe& a = b.recipes[(size_t)i];
    const std::vector<uint8_t> want = b.resized(a);
    for (size_t j = 0; j < size; j++)
      if (got[(size_t)i * size + j] != want[j]) {
        fail("image %d of %dx%dx%d, byte %zu: %d, want %d (rows %d of %d to %d, columns %d of %d to %d)", i, b.h, b.w, b.c, j, got[(size_t)i * size + j], want[j],
             a.rows.region, a.rows.cut, a.rows.size, a.cols.region, a.cols.cut, a.cols.size);
        break;
      }
    int64_t sum = 0;
    for (int t = 0; t < tiles; t++) {
      const uint32_t part = got_sums[(size_t)i * tiles + t];
      if (!has_contrast(a) && part != 0xffffffff) fail("image %d has no contrast, but a sum was written", i);
      sum += part;
    }
    const int64_t brightness = b.brightness(b.adjusted(want, a, false));
    if (has_contrast(a) && sum != brightness) fail("image %d: the brightness is %lld, want %lld", i, (long long)sum, (long long)brightness);
  }
}

TEST(augment_store, 40) {
  const Batch b(r);
  const int tiles = b.tiles(), packed = 16 / (int)sizeof(T), padded = r.coin() ? b.c : packed;
  const size_t size = (size_t)b.h * b.w * b.c;
  std::vector<uint8_t> pixels, want;
  std::vector<uint32_t> sums((size_t)b.n * tiles, 0xffffffff);
  for (int i = 0; i < b.n; i++) {
    const AugmentRecipe& a = b.recipes[(size_t)i];
    std::vector<uint8_t> image(size);
    for (uint8_t& v : image) v = (uint8_t)r.range(0, 255);
    pixels.insert(pixels.end(), image.begin(), image.end());
    if (has_contrast(a))  // in parts
      for (int64_t t = 0, left = b.brightness(b.adjusted(image, a, false)); t < tiles; t++) {
        const int64_t part = t + 1 < tiles ? left / 2 : left;
        sums[(size_t)(i * tiles + t)] = (uint32_t)part;
        left -= part;
      }
    image = b.adjusted(image, a, true);
    for (int y = a.y0; y < a.y1; y++)
      for (int x = a.x0; x < a.x1; x++)
        for (int c = 0; c < b.c; c++) image[((size_t)y * b.w + x) * b.c + c] = (uint8_t)(a.colour >> 8 * c);
    want.insert(want.end(), image.begin(), image.end());
  }
  const std::vector<float> scale = vector_of(r, b.c, 0.01, 0.02), shift = vector_of(r, b.c, -2, 2);
  Matrix<T> y(r, b.n * b.h * b.w, padded);
  y.upload();
  Device<uint8_t> x(pixels);
  Device<AugmentRecipe> recipes(b.recipes);
  Device<uint32_t> parts(sums);
  Device<float> s(scale), t(shift);
  const int blocks = r.range(1, 3);
  run("augment_store" + suffix<T>(), {(unsigned)(b.n * blocks)},
      AugmentStoreParams{x.data(), recipes.data(), parts.data(), s.data(), t.data(), y.view(), b.h, b.w, b.c, padded, tiles, blocks});
  y.compare("y", 1e-6, precision<T>(), [&](int i, int j) { return j < b.c ? (double)want[(size_t)i * b.c + j] * scale[j] + shift[j] : 0; });
}
