// relu.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(relu) {
  Tensor<T> x(rows, cols), y(rows, cols);
  run("relu" + suffix<T>(), {4}, ReLUParams{x.view(), y.view(), rows, cols});
}
TRACED(relu_backward) {
  Tensor<T> y(rows, cols), dy(rows, cols), dx(rows, cols);
  for (int accumulate : {0, 1}) run("relu_backward" + suffix<T>(), {4}, ReLUBackwardParams{y.view(), dy.view(), dx.view(), rows, cols, accumulate, 0});
}

}  // namespace
