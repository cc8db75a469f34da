// bias.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(bias_backward) {
  Tensor<T> dy(rows, cols);
  Tensor<float> db(cols);
  TracedReduction red(columns_grid<T>(cols), 1, cols);
  run("bias_backward" + suffix<T>(), red.grid,
      BiasBackwardParams{dy.view(), db.data(), red.partial.data(), red.counters.data(), red.run.data(), rows, cols, 0, 0});
}

}  // namespace
