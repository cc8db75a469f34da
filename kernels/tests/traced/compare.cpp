// compare.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED_FLOAT(compare) {
  Tensor<float> a(8192 + 4096), b(8192 + 4096);
  Device<Chunk> chunks(std::vector<Chunk>({{0, 8192, 1, 0, 0}, {8192, 4096, 1, 0, 0}}));
  Tensor<double> y(6);
  run("compare", {2}, CompareParams{a.data(), b.data(), chunks.data(), y.data()});
}

}  // namespace
