// dropout.cpp: dropout and its random generator.
#include "harness.h"

using namespace test;

// The generator, written a second time. It is checked below against a known answer from its
// authors' test vectors.
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
