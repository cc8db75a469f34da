// relu.cpp: the rectifier and its gradient.
#include "harness.h"

using namespace test;

TEST(relu, 8) {
  const int rows = r.range(1, 60), cols = channels(r);
  Matrix<T> x(r, rows, cols), y(r, rows, cols);
  x.random(r, -1, 1);
  with_specials(r, x);
  x.upload();
  y.upload();
  run("relu" + suffix<T>(), {(unsigned)r.range(1, 5)}, ReLUParams{x.view(), y.view(), rows, cols});
  y.compare("y", 0, 0, [&](int i, int c) { return x(i, c) < 0 ? 0 : x(i, c); });
}

TEST(relu_backward, 12) {
  const int rows = r.range(1, 60), cols = channels(r);
  const bool accumulate = r.coin();
  Matrix<T> y(r, rows, cols), dy(r, rows, cols), dx(r, rows, cols);
  y.random(r, -1, 1);
  with_specials(r, y);
  dy.random(r, -1, 1);
  if (accumulate) dx.random(r, -1, 1);
  y.upload();
  dy.upload();
  dx.upload();
  run("relu_backward" + suffix<T>(), {(unsigned)r.range(1, 5)}, ReLUBackwardParams{y.view(), dy.view(), dx.view(), rows, cols, accumulate, 0});
  dx.compare("dx", 1e-7, precision<T>(), [&](int i, int c) { return (y(i, c) <= 0 ? 0 : dy(i, c)) + (accumulate ? dx(i, c) : 0); });
}
