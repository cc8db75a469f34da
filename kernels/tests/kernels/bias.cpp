// bias.cpp: the gradient of a bias.
#include "harness.h"

using namespace test;

TEST(bias_backward, 16) {
  const int rows = r.range(1, 400), cols = r.range(0, 9) ? channels(r) : 8 * 150;
  Matrix<T> dy(r, rows, cols);
  dy.random(r, -1, 1);
  dy.upload();
  Reduction red(r, columns_grid<T>(r, cols), 1, cols);
  const std::vector<float> old = vector_of(r, cols, -1, 1);
  Device<float> db(old);
  run("bias_backward" + suffix<T>(), red.grid,
      BiasBackwardParams{dy.view(), db.data(), red.partial.data(), red.counters.data(), red.run.data(), rows, cols, red.accumulate, 0});
  compare_vector("db", db.get(), 1e-5, 1e-6, [&](int c) {
    double s = red.accumulates() ? old[c] : 0;
    for (int i = 0; i < rows; i++) s += dy(i, c);
    return s;
  });
}
