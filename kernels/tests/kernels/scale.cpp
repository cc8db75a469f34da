// scale.cpp: multiplication by a factor, and copies.
#include "harness.h"

using namespace test;

TEST(scale, 16) {
  const int rows = r.range(1, 60), cols = channels(r);
  const bool accumulate = r.coin();
  const float factor = r.coin() ? 1 : (float)r.uniform(-2, 2);
  Matrix<T> x(r, rows, cols), y(r, rows, cols);
  x.random(r, -3, 3);
  if (accumulate) y.random(r, -3, 3);
  x.upload();
  y.upload();
  run("scale" + suffix<T>(), {(unsigned)r.range(1, 5)}, ScaleParams{x.view(), y.view(), rows, cols, factor, accumulate});
  y.compare("y", 1e-7, precision<T>(), [&](int i, int c) { return factor * x(i, c) + (accumulate ? y(i, c) : 0); });
}
