// add.cpp: weighted sums followed by ReLU.
#include "harness.h"

using namespace test;

TEST(add, 8) {
  const int rows = r.range(1, 60), cols = channels(r), n = r.range(2, MAX_ADDENDS);
  std::vector<Matrix<T>*> xs;
  AddParams p = {{}, {}, {}, n, rows, cols, r.coin()};
  for (int i = 0; i < n; i++) {
    xs.push_back(new Matrix<T>(r, rows, cols));
    xs[i]->random(r, -1, 1);
    with_specials(r, *xs[i]);
    xs[i]->upload();
    p.xs[i] = xs[i]->view();
    p.factors[i] = r.coin() ? 1 : (float)r.uniform(-2, 2);
  }
  Matrix<T> y(r, rows, cols);
  y.upload();
  p.y = y.view();
  run("add" + suffix<T>(), {(unsigned)r.range(1, 5)}, p);
  y.compare("y", 1e-6, precision<T>(), [&](int i, int c) {
    double s = 0;
    for (int k = 0; k < n; k++) s += p.factors[k] * (*xs[(size_t)k])(i, c);
    return p.relu && s < 0 ? 0 : s;
  });
  for (auto* x : xs) delete x;
}

// One dx may be dy itself, and the last two may be the same.
TEST(add_backward, 12) {
  const int rows = r.range(1, 60), cols = channels(r), n = r.range(1, MAX_ADDENDS);
  const bool relu = r.coin(), in_place = r.coin(), twice = n > 2 && r.coin();
  Matrix<T> y(r, rows, cols), dy(r, rows, cols), before(r, rows, cols);
  y.random(r, -1, 1);
  with_specials(r, y);
  dy.random(r, -1, 1);
  for (int i = 0; i < rows; i++)
    for (int c = 0; c < cols; c++) before.set(i, c, dy(i, c));
  std::vector<Matrix<T>*> dxs;
  AddBackwardParams p = {{}, {}, {}, {}, {}, n, rows, cols, 0};
  for (int k = 0; k < n; k++) {
    const bool last = twice && k == n - 1;
    dxs.push_back(in_place && k == 0 ? &dy : last ? dxs.back() : new Matrix<T>(r, rows, cols));
    p.factors[k] = r.coin() ? 1 : (float)r.uniform(-2, 2);
    p.accumulate[k] = last || (dxs.back() != &dy && r.coin());
    if (p.accumulate[k] && !last) dxs.back()->random(r, -1, 1);
    if (!last) dxs.back()->upload();
    p.dxs[k] = dxs.back()->view();
  }
  y.upload();
  if (!in_place) dy.upload();
  if (relu) p.y = y.view();
  p.dy = dy.view();
  run("add_backward" + suffix<T>(), {(unsigned)r.range(1, 5)}, p);
  const auto g = [&](int i, int c) { return relu && y(i, c) <= 0 ? 0 : before(i, c); };
  for (int k = 0; k < n - twice; k++) {
    const bool both = twice && k == n - 2;
    dxs[(size_t)k]->compare("dx", both ? 8 * precision<T>() : 1e-6, precision<T>(), [&](int i, int c) {
      const double old = p.accumulate[k] ? (*dxs[(size_t)k])(i, c) : 0;
      return p.factors[k] * g(i, c) + old + (both ? p.factors[k + 1] * g(i, c) : 0);
    });
  }
  for (int k = 0; k < n - twice; k++)
    if (dxs[(size_t)k] != &dy) delete dxs[(size_t)k];
}
