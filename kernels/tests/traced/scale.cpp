// scale.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(scale) {
  Tensor<T> x(rows, cols), y(rows, cols);
  for (int accumulate : {0, 1}) run("scale" + suffix<T>(), {4}, ScaleParams{x.view(), y.view(), rows, cols, 1, accumulate});
}

}  // namespace
