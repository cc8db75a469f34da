// conv.cpp: convolution.
#include "harness.h"

using namespace test;

TEST_FLOAT(conv_forward_fp32, 30) {
  ConvParams p{};
  p.n = r.range(1, 3), p.h = r.range(1, 13), p.w = r.range(1, 13);
  p.c = r.pick({1, 3, 4, 8, 16, 20, 33, 48});
  const int window = r.range(0, 4);
  p.r = window == 0 ? 1 : r.pick({1, 3, 5, 7}), p.s = window == 0 ? 1 : r.pick({1, 3, 5, 7});
  p.stride_h = r.range(1, 2), p.stride_w = r.range(1, 2);
  p.top = r.range(0, p.r / 2), p.left = r.range(0, p.s / 2);
  const int bottom = r.range(0, p.r / 2), right = r.range(0, p.s / 2);
  p.h = p.h < p.r ? p.r : p.h, p.w = p.w < p.s ? p.s : p.w;
  p.p = (p.h + p.top + bottom - p.r) / p.stride_h + 1, p.q = (p.w + p.left + right - p.s) / p.stride_w + 1;
  const int rows = p.n * p.p * p.q, depth = p.r * p.s * p.c, tiles = (rows + 127) / 128;
  p.count = r.range(1, 3);

  Matrix<float> x(r, p.n * p.h * p.w, p.c);
  x.random(r, -1, 1);
  x.upload();
  p.x = x.view();
  // Segment is one convolution with its epilogue.
  struct Segment {
    std::vector<float> weight, scale, shift;
    Device<float> d_weight, d_scale, d_shift, sums;
    Matrix<float> y;
    Segment(Random& r, int filters, int depth, int rows, int tiles)
        : weight(vector_of(r, filters * depth, -1, 1)), scale(vector_of(r, filters, 0.5, 2)), shift(vector_of(r, filters, -1, 1)), d_weight(weight),
          d_scale(scale), d_shift(shift), sums((size_t)tiles * 2 * filters), y(r, rows, filters) {}
  };
  std::vector<Segment*> segments;
  int tile = 0;
  for (int i = 0; i < p.count; i++) {
    const int filters = r.coin() ? 16 * r.range(1, 6) : r.range(1, 90);
    Segment* s = new Segment(r, filters, depth, rows, tiles);
    s->y.upload();
    const bool scaled = r.coin(), shifted = scaled || r.coin();
    p.segments[i] = {s->d_weight.data(), s->y.view(), scaled ? s->d_scale.data() : nullptr, shifted ? s->d_shift.data() : nullptr,
                     r.coin() ? s->sums.data() : nullptr, filters, r.coin(), tile, 0};
    tile += (filters + 63) / 64;
    segments.push_back(s);
  }
  run("conv_forward_fp32", {(unsigned)tiles, (unsigned)tile}, p);

  for (int i = 0; i < p.count; i++) {
    Segment* s = segments[i];
    const ConvSegment& seg = p.segments[i];
    const int filters = seg.filters;
    std::vector<double> plain((size_t)rows * filters);
    for (int m = 0; m < rows; m++)
      for (int a = 0; a < p.r; a++)
        for (int b = 0; b < p.s; b++) {
          const int h = m / p.q % p.p * p.stride_h - p.top + a, w = m % p.q * p.stride_w - p.left + b;
          if (h < 0 || h >= p.h || w < 0 || w >= p.w) continue;
          const int row = (m / p.q / p.p * p.h + h) * p.w + w;
          for (int c = 0; c < p.c; c++) {
            const double v = x(row, c);
            for (int k = 0; k < filters; k++) plain[(size_t)m * filters + k] += v * s->weight[(size_t)k * depth + (a * p.s + b) * p.c + c];
          }
        }
    // A float sum of depth products wanders like sqrt(depth), and so does its rounding unit: together like depth.
    s->y.compare("y", 1e-6 + 2e-7 * depth, 1e-6, [&](int m, int k) {
      double v = plain[(size_t)m * filters + k];
      if (seg.shift) v = v * (seg.scale ? s->scale[k] : 1) + s->shift[k];
      return seg.relu && v < 0 ? 0 : v;
    });
    if (seg.sums)
      compare_vector("sums", s->sums.get(), 1e-4 + 5e-6 * depth, 1e-5, [&](int e) {
        const int k = e % filters, square = e / filters % 2, t = e / filters / 2;
        double sum = 0;
        for (int m = t * 128; m < rows && m < (t + 1) * 128; m++) {
          const double v = plain[(size_t)m * filters + k];
          sum += square ? v * v : v;
        }
        return sum;
      });
    delete s;
  }
}
