// avgpool.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

template <class T> void average_pooling(const Window& g, bool adaptive) {
  Tensor<T> x(inputs(g), cols), y(outputs(g), cols);
  run("avgpool" + suffix<T>(), columns_grid<T>(cols), AvgPoolParams{x.view(), y.view(), g, cols, adaptive});
  run("avgpool_backward" + suffix<T>(), columns_grid<T>(cols), AvgPoolBackwardParams{y.view(), x.view(), g, cols, adaptive, 0, 0});
}
TRACED(avgpool_global) { average_pooling<T>({images, 7, 7, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true); }
TRACED(avgpool_head) { average_pooling<T>(window(side, 5, 3, 0), false); }

}  // namespace
