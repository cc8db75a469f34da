// probe.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(probe) {
  Tensor<T> x(rows, cols);
  Tensor<double> y(2 * cols);
  TracedReduction red(columns_grid<T>(cols), 2, cols);
  run("probe" + suffix<T>(), red.grid, ProbeParams{x.view(), y.data(), red.partial.data(), red.counters.data(), rows, cols});
}

}  // namespace
