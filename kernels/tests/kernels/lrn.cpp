// lrn.cpp: local response normalisation.
#include "harness.h"

using namespace test;

static unsigned shared_bytes(int cols) { return 4u * (unsigned)cols * (unsigned)(cols >= 256 ? 1 : 256 / cols); }

TEST(lrn, 16) {
  const int rows = r.range(1, 40), cols = r.range(0, 5) ? channels(r) : r.range(250, 600), size = 2 * r.range(0, 3) + 1;
  const double k = r.uniform(0.5, 2), alpha = r.uniform(0.1, 1) / size, beta = r.coin() ? 0.75 : r.uniform(0.3, 1);
  const bool keep = r.coin();
  Matrix<T> x(r, rows, cols), y(r, rows, cols), base(r, rows, cols);
  x.random(r, -2, 2);
  x.upload();
  y.upload();
  base.upload();
  run("lrn" + suffix<T>(), {(unsigned)r.range(1, 4)},
      LRNParams{x.view(), y.view(), keep ? base.view() : View{}, rows, cols, size, (float)k, (float)alpha, (float)beta}, shared_bytes(cols));
  const auto s = [&](int i, int c) {
    double sum = 0;
    for (int j = c - size / 2; j <= c + size / 2; j++)
      if (j >= 0 && j < cols) sum += x(i, j) * x(i, j);
    return k + alpha * sum;
  };
  y.compare("y", 1e-6, precision<T>() + 1e-6, [&](int i, int c) { return x(i, c) * pow(s(i, c), -beta); });
  if (keep) base.compare("base", 1e-6, precision<T>() + 1e-6, s);
}

TEST(lrn_backward, 16) {
  const int rows = r.range(1, 40), cols = r.range(0, 5) ? channels(r) : r.range(250, 600), size = 2 * r.range(0, 3) + 1;
  const double factor = r.uniform(0.1, 1), beta = r.coin() ? 0.75 : r.uniform(0.3, 1);
  const bool accumulate = r.coin();
  Matrix<T> x(r, rows, cols), base(r, rows, cols), dy(r, rows, cols), dx(r, rows, cols);
  x.random(r, -2, 2);
  base.random(r, 1, 4);
  dy.random(r, -1, 1);
  if (accumulate) dx.random(r, -1, 1);
  x.upload();
  base.upload();
  dy.upload();
  dx.upload();
  run("lrn_backward" + suffix<T>(), {(unsigned)r.range(1, 4)},
      LRNBackwardParams{x.view(), base.view(), dy.view(), dx.view(), rows, cols, size, (float)factor, (float)beta, accumulate}, shared_bytes(cols));
  dx.compare("dx", 5e-6, precision<T>() + 1e-6, [&](int i, int c) {
    double sum = 0;
    for (int j = c - size / 2; j <= c + size / 2; j++)
      if (j >= 0 && j < cols) sum += dy(i, j) * x(i, j) * pow(base(i, j), -beta - 1);
    return dy(i, c) * pow(base(i, c), -beta) - factor * x(i, c) * sum + (accumulate ? dx(i, c) : 0);
  });
}
