// maxpool.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

template <class T> void max_pooling(const Window& g) {
  Tensor<T> x(inputs(g), cols), y(outputs(g), cols);
  Tensor<uint8_t> index(outputs(g), cols);
  run("maxpool" + suffix<T>(), columns_grid<T>(cols), MaxPoolParams{x.view(), y.view(), index.view(), g, cols, 0});
  run("maxpool_backward" + suffix<T>(), columns_grid<T>(cols), MaxPoolBackwardParams{y.view(), index.view(), x.view(), g, cols, 0});
}
TRACED(maxpool_apart) { max_pooling<T>(window(side, 2, 2, 0)); }
TRACED(maxpool_overlapping) { max_pooling<T>(window(side + 1, 3, 2, 0)); }
TRACED(maxpool_same_size) { max_pooling<T>(window(side, 3, 1, 1)); }

}  // namespace
