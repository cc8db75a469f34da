// pooling.cpp: max pooling, average pooling, adaptive pooling.
#include "harness.h"

using namespace test;

// random_window draws a geometry with padding of at most half the window, in ceil mode or not.
static Window random_window(Random& r) {
  Window g{};
  g.n = r.range(1, 3);
  g.h = r.range(1, 12);
  g.w = r.range(1, 12);
  g.kh = r.range(1, 5);
  g.kw = r.range(1, 5);
  g.stride_h = r.range(1, 4);
  g.stride_w = r.range(1, 4);
  g.top = r.range(0, g.kh / 2);
  g.bottom = r.range(0, g.kh / 2);
  g.left = r.range(0, g.kw / 2);
  g.right = r.range(0, g.kw / 2);
  g.include_pad = r.coin();
  const auto outputs = [&](int in, int k, int stride, int before, int after) {
    const int room = in + before + after - k;
    if (room < 0) return 1;
    int out = room / stride + 1;
    if (r.coin() && room % stride && out * stride < in + before) out++;  // ceil mode: the last window begins in the image
    return out;
  };
  g.p = outputs(g.h, g.kh, g.stride_h, g.top, g.bottom);
  g.q = outputs(g.w, g.kw, g.stride_w, g.left, g.right);
  return g;
}

// pixel is the row of a matrix that holds a pixel of an image.
static int pixel(int n, int y, int x, int h, int w) { return (n * h + y) * w + x; }

// Winner is the reference of one output of max pooling.
struct Winner {
  double v;
  int tap;
};
template <class T> static Winner winner(const Window& g, const Matrix<T>& x, int row, int c) {
  const int q = row % g.q, p = row / g.q % g.p, n = row / g.q / g.p;
  Winner best{0, -1};
  for (int i = 0; i < g.kh; i++)
    for (int j = 0; j < g.kw; j++) {
      const int h = p * g.stride_h - g.top + i, w = q * g.stride_w - g.left + j;
      if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
      const double v = x(pixel(n, h, w, g.h, g.w), c);
      if (best.tap < 0 || v > best.v || v != v) best = {v, i * g.kw + j};
    }
  return best;
}

TEST(maxpool, 24) {
  const Window g = random_window(r);
  const int cols = channels(r);
  Matrix<T> x(r, g.n * g.h * g.w, cols), y(r, g.n * g.p * g.q, cols);
  Matrix<uint8_t> index(r, y.rows, cols);
  for (int i = 0; i < x.rows; i++)
    for (int c = 0; c < cols; c++) x.set(i, c, r.range(0, 40) ? r.range(-3, 3) : NAN);  // many equals
  x.upload();
  y.upload();
  index.upload();
  const bool keep = r.range(0, 3) > 0;
  run("maxpool" + suffix<T>(), columns_grid<T>(r, cols), MaxPoolParams{x.view(), y.view(), keep ? index.view() : View{}, g, cols, 0});
  y.compare("y", 0, 0, [&](int i, int c) { return winner(g, x, i, c).v; });
  if (!keep) return;
  index.compare("index", 0, 0, [&](int i, int c) {
    const int tap = winner(g, x, i, c).tap;
    return tap < 0 ? 0 : tap;
  });
}

TEST(maxpool_backward, 24) {
  const Window g = random_window(r);
  const int cols = channels(r);
  const bool accumulate = r.coin();
  Matrix<T> x(r, g.n * g.h * g.w, cols), dy(r, g.n * g.p * g.q, cols), dx(r, x.rows, cols);
  Matrix<uint8_t> index(r, dy.rows, cols);
  for (int i = 0; i < x.rows; i++)
    for (int c = 0; c < cols; c++) x.set(i, c, r.range(-3, 3));
  dy.random(r, -1, 1);
  if (accumulate) dx.random(r, -1, 1);
  std::vector<double> want((size_t)x.rows * cols);
  for (int i = 0; i < dy.rows; i++)
    for (int c = 0; c < cols; c++) {
      const Winner win = winner(g, x, i, c);
      index.set(i, c, win.tap < 0 ? 0 : win.tap);
      if (win.tap < 0) continue;
      const int h = i / g.q % g.p * g.stride_h - g.top + win.tap / g.kw, w = i % g.q * g.stride_w - g.left + win.tap % g.kw;
      want[(size_t)pixel(i / g.q / g.p, h, w, g.h, g.w) * cols + c] += dy(i, c);
    }
  dy.upload();
  index.upload();
  dx.upload();
  run("maxpool_backward" + suffix<T>(), columns_grid<T>(r, cols),
      MaxPoolBackwardParams{dy.view(), index.view(), dx.view(), g, cols, accumulate});
  dx.compare("dx", 1e-6, precision<T>(), [&](int i, int c) { return want[(size_t)i * cols + c] + (accumulate ? dx(i, c) : 0); });
}

// Span and span are one axis of an average's window, from the definition.
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

// each_tap calls f(input row, output row, weight) for everything that the pooling connects.
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
