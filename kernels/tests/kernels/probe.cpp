// probe.cpp: sums of squares, and numbers of values that are not above zero.
#include "harness.h"

using namespace test;

TEST(probe, 16) {
  const int rows = r.range(1, 400), cols = channels(r);
  Matrix<T> x(r, rows, cols);
  x.random(r, -1, 1);
  for (int i = 0; i < rows; i++) x.set(i, r.range(0, cols - 1), r.coin() ? 0.0 : -0.0);
  for (int c = 0; c < cols; c++)  // gradients that have vanished, or nearly
    if (const double scale = r.coin() ? 1 : pow(2, -r.range(1, 115)); scale < 1)
      for (int i = 0; i < rows; i++) x.set(i, c, x(i, c) * scale);
  const int odd = r.coin() ? r.range(0, cols - 1) : -1;
  if (odd >= 0) x.set(r.range(0, rows - 1), odd, NAN);
  x.upload();
  Reduction red(r, columns_grid<T>(r, cols), 2, cols);
  Device<double> y((size_t)(2 * cols));
  run("probe" + suffix<T>(), red.grid, ProbeParams{x.view(), y.data(), red.partial.data(), red.counters.data(), rows, cols});
  const std::vector<double> got = y.get();
  for (int c = 0; c < cols; c++) {
    double squares = 0, zeros = 0;
    for (int i = 0; i < rows; i++) squares += x(i, c) * x(i, c), zeros += !(x(i, c) > 0);
    if (c == odd ? got[c] == got[c] : !(fabs(got[c] - squares) <= 1e-12 * squares)) fail("squares of column %d of %d: %.9g, want %.9g", c, cols, got[c], squares);
    if (got[cols + c] != zeros) fail("zeros of column %d of %d: %.9g, want %.9g", c, cols, got[cols + c], zeros);
  }
}
