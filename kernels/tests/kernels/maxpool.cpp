// maxpool.cpp: max pooling and its gradient.
#include "window.h"

using namespace test;

// Winner is the reference for one output of max pooling.
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
    for (int c = 0; c < cols; c++) x.set(i, c, r.range(0, 40) ? r.range(-3, 3) : NAN);  // many of them equal
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
