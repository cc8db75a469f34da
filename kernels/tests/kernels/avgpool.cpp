// avgpool.cpp: average pooling, adaptive average pooling, and their gradients.
#include "window.h"

using namespace test;

// Span and span describe one axis of an average's window, computed from the definition.
struct Span {
  int lo, hi, divisor;
};
static Span span(const Window& g, bool adaptive, bool vertical, int o) {
  const int in = vertical ? g.h : g.w, out = vertical ? g.p : g.q, k = vertical ? g.kh : g.kw;
  const int stride = vertical ? g.stride_h : g.stride_w, before = vertical ? g.top : g.left, after = vertical ? g.bottom : g.right;
  if (adaptive) {
    const int lo = (int)floor((double)o * in / out), hi = (int)ceil((double)(o + 1) * in / out);
    return {lo, hi, hi - lo};
  }
  Span s{in, 0, 0};
  for (int t = 0; t < k; t++) {
    const int i = o * stride - before + t;
    if (i >= 0 && i < in) s.lo = i < s.lo ? i : s.lo, s.hi = i + 1, s.divisor += !g.include_pad;
    if (i < in + after) s.divisor += g.include_pad;
  }
  return s;
}

static Window adaptive_window(Random& r) {
  Window g{};
  g.n = r.range(1, 3);
  g.h = r.range(1, 12);
  g.w = r.range(1, 12);
  g.p = r.coin() ? 1 : r.range(1, 14);
  g.q = r.coin() ? 1 : r.range(1, 14);
  return g;
}

// each_tap calls f(input row, output row, weight) for every pair of rows that the pooling connects.
static void each_tap(const Window& g, bool adaptive, const std::function<void(int, int, double)>& f) {
  for (int n = 0; n < g.n; n++)
    for (int p = 0; p < g.p; p++)
      for (int q = 0; q < g.q; q++) {
        const Span a = span(g, adaptive, true, p), b = span(g, adaptive, false, q);
        for (int h = a.lo; h < a.hi; h++)
          for (int w = b.lo; w < b.hi; w++) f(pixel(n, h, w, g.h, g.w), pixel(n, p, q, g.p, g.q), 1.0 / (a.divisor * b.divisor));
      }
}

TEST(avgpool, 30) {
  const bool adaptive = r.coin();
  const Window g = adaptive ? adaptive_window(r) : random_window(r);
  const int cols = channels(r);
  Matrix<T> x(r, g.n * g.h * g.w, cols), y(r, g.n * g.p * g.q, cols);
  x.random(r, -1, 1);
  x.upload();
  y.upload();
  run("avgpool" + suffix<T>(), columns_grid<T>(r, cols), AvgPoolParams{x.view(), y.view(), g, cols, adaptive});
  std::vector<double> want((size_t)y.rows * cols);
  each_tap(g, adaptive, [&](int in, int out, double weight) {
    for (int c = 0; c < cols; c++) want[(size_t)out * cols + c] += weight * x(in, c);
  });
  y.compare("y", 1e-6, precision<T>(), [&](int i, int c) { return want[(size_t)i * cols + c]; });
}

TEST(avgpool_backward, 30) {
  const bool adaptive = r.coin(), accumulate = r.coin();
  const Window g = adaptive ? adaptive_window(r) : random_window(r);
  const int cols = channels(r);
  Matrix<T> dx(r, g.n * g.h * g.w, cols), dy(r, g.n * g.p * g.q, cols);
  dy.random(r, -1, 1);
  if (accumulate) dx.random(r, -1, 1);
  dx.upload();
  dy.upload();
  run("avgpool_backward" + suffix<T>(), columns_grid<T>(r, cols), AvgPoolBackwardParams{dy.view(), dx.view(), g, cols, adaptive, accumulate, 0});
  std::vector<double> want((size_t)dx.rows * cols);
  each_tap(g, adaptive, [&](int in, int out, double weight) {
    for (int c = 0; c < cols; c++) want[(size_t)in * cols + c] += weight * dy(out, c);
  });
  dx.compare("dx", 1e-5, precision<T>(), [&](int i, int c) { return want[(size_t)i * cols + c] + (accumulate ? dx(i, c) : 0); });
}
