// affine.cpp: a scale and a shift for every channel.
#include "harness.h"

using namespace test;

TEST(affine, 16) {
  const int rows = r.range(1, 90), cols = r.range(0, 9) ? channels(r) : 8 * 150;
  const bool scaled = r.coin(), relu = r.coin();
  Matrix<T> x(r, rows, cols), y(r, rows, cols);
  x.random(r, -2, 2);
  const std::vector<float> scale = vector_of(r, cols, -2, 2), shift = vector_of(r, cols, -2, 2);
  x.upload();
  y.upload();
  Device<float> s(scale), t(shift);
  run("affine" + suffix<T>(), columns_grid<T>(r, cols),
      AffineParams{x.view(), y.view(), scaled ? s.data() : nullptr, t.data(), rows, cols, relu, 0});
  y.compare("y", 1e-6, precision<T>(), [&](int i, int c) {
    const double v = x(i, c) * (scaled ? scale[c] : 1) + shift[c];
    return relu && v < 0 ? 0 : v;
  });
}
