// compare.cpp: the comparison of two arenas.
#include "harness.h"

using namespace test;

TEST_FLOAT(compare, 8) {
  std::vector<Chunk> chunks;
  int64_t elements = 0;
  for (int i = r.range(1, 6); i; i--) {
    chunks.push_back({elements, r.coin() ? r.range(1, 40) : r.range(900, 3000), 1, 0, 0});
    elements += (chunks.back().count + 15) / 16 * 16;
  }
  const std::vector<float> a = vector_of(r, (int)elements, -1, 1), b = vector_of(r, (int)elements, -1, 1);
  Device<float> da(a), db(b);
  Device<Chunk> table(chunks);
  Device<double> y(3 * chunks.size());
  run("compare", {(unsigned)chunks.size()}, CompareParams{da.data(), db.data(), table.data(), y.data()});
  const std::vector<double> got = y.get();
  for (size_t i = 0; i < chunks.size(); i++) {
    double want[3] = {};
    for (int j = 0; j < chunks[i].count; j++) {
      const double u = a[chunks[i].offset + j], v = b[chunks[i].offset + j];
      want[0] += u * v, want[1] += u * u, want[2] += (u - v) * (u - v);
    }
    for (int k = 0; k < 3; k++)
      if (!(fabs(got[3 * i + k] - want[k]) <= 1e-12 * chunks[i].count)) fail("sum %d of chunk %zu: %.12g, want %.12g", k, i, got[3 * i + k], want[k]);
  }
}
