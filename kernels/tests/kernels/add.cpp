// elementwise.cpp: normalize, convert, scale, add, relu, dropout.
#include "harness.h"

using namespace test;

TEST(normalize, 12) {
  const int rows = r.range(1, 90), c = r.range(1, 9), padded = r.coin() ? c : (c + 7) / 8 * 8;
  std::vector<uint8_t> pixels((size_t)rows * c);
  for (auto& p : pixels) p = (uint8_t)r.range(0, 255);
  const std::vector<float> scale = vector_of(r, c, 0.01, 0.02), shift = vector_of(r, c, -2, 2);
  Matrix<T> y(r, rows, padded);
  y.upload();
  Device<uint8_t> x(pixels);
  Device<float> s(scale), t(shift);
  run("normalize" + suffix<T>(), {(unsigned)r.range(1, 3)}, NormalizeParams{x.data(), s.data(), t.data(), y.view(), rows, c, padded, 0});
  y.compare("y", 1e-6, precision<T>(), [&](int i, int j) { return j < c ? (double)pixels[(size_t)i * c + j] * scale[j] + shift[j] : 0; });
}

TEST(convert, 12) {
  const bool flat = r.range(0, 2) == 0;  // a copy of weights: one long row
  const int rows = flat ? 1 : r.range(1, 90), c = flat ? r.range(1, 5000) : r.range(1, 19), padded = r.coin() ? c : (c + 7) / 8 * 8;
  const std::vector<float> values = vector_of(r, rows * c, -3, 3);
  Matrix<T> y(r, rows, padded);
  y.upload();
  Device<float> x(values);
  run("convert" + suffix<T>(), {(unsigned)r.range(1, 3)}, ConvertParams{x.data(), y.view(), rows, c, padded, 0});
  y.compare("y", 0, 0, [&](int i, int j) { return j < c ? value(element<T>(values[(size_t)i * c + j])) : 0; });
}

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

// with_specials sprinkles values at which a comparison can go wrong.
template <class T> static void with_specials(Random& r, Matrix<T>& m) {
  for (int i = 0; i < m.rows * m.cols / 8 + 1; i++) m.set(r.range(0, m.rows - 1), r.range(0, m.cols - 1), r.coin() ? 0.0 : r.coin() ? NAN : -0.0);
}

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

// One target may be dy itself, and the last two may be the same.
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

TEST(relu, 8) {
  const int rows = r.range(1, 60), cols = channels(r);
  Matrix<T> x(r, rows, cols), y(r, rows, cols);
  x.random(r, -1, 1);
  with_specials(r, x);
  x.upload();
  y.upload();
  run("relu" + suffix<T>(), {(unsigned)r.range(1, 5)}, ReluParams{x.view(), y.view(), rows, cols});
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
  run("relu_backward" + suffix<T>(), {(unsigned)r.range(1, 5)}, ReluBackwardParams{y.view(), dy.view(), dx.view(), rows, cols, accumulate, 0});
  dx.compare("dx", 1e-7, precision<T>(), [&](int i, int c) { return (y(i, c) <= 0 ? 0 : dy(i, c)) + (accumulate ? dx(i, c) : 0); });
}

// The generator, written again: the known answer of its authors' test vectors is checked below.
static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int i = 0; i < 10; i++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    const uint32_t n[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
    memcpy(c, n, sizeof n);
  }
}

TEST_FLOAT(philox_known_answer, 1) {
  (void)r;
  uint32_t c[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
  philox(c, 0xa4093822, 0x299f31d0);
  if (c[0] != 0xd16cfe09 || c[1] != 0x94fdcceb || c[2] != 0x5001e420 || c[3] != 0x24126ea1) fail("%08x %08x %08x %08x", c[0], c[1], c[2], c[3]);
}

TEST(dropout, 12) {
  const int rows = r.range(1, 60), cols = channels(r);
  const bool accumulate = r.coin();
  const double p = r.uniform(0.1, 0.8);
  RunState run_state{};
  run_state.seed = (uint64_t)r.word() << 32 | r.word();
  run_state.step = (uint64_t)r.range(0, 3) << 32 | r.word();
  Device<RunState> state(std::vector<RunState>{run_state});
  Matrix<T> x(r, rows, cols), y(r, rows, cols);
  x.random(r, 1, 3);
  if (accumulate) y.random(r, -1, 1);
  x.upload();
  y.upload();
  const uint32_t node = r.word(), limit = (uint32_t)(p * 4294967296.0);
  const float scale = (float)(1 / (1 - p));
  run("dropout" + suffix<T>(), {(unsigned)r.range(1, 5)},
      DropoutParams{x.view(), y.view(), state.data(), node, limit, scale, rows, cols, accumulate});
  y.compare("y", 1e-6, precision<T>(), [&](int i, int j) {
    const uint64_t e = (uint64_t)i * cols + j;
    uint32_t c[4] = {(uint32_t)(e / 4), (uint32_t)(e / 4 >> 32), (uint32_t)run_state.step, (uint32_t)(run_state.step >> 32)};
    philox(c, (uint32_t)run_state.seed ^ (uint32_t)(run_state.seed >> 32) * 0x9E3779B9u, node);
    return (c[e % 4] < limit ? 0 : x(i, j) * scale) + (accumulate ? y(i, j) : 0);
  });
}
