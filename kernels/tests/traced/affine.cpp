// affine.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(affine) {
  Tensor<T> x(rows, cols), y(rows, cols);
  Tensor<float> scale(cols), shift(cols);
  run("affine" + suffix<T>(), columns_grid<T>(cols), AffineParams{x.view(), y.view(), scale.data(), shift.data(), rows, cols, 1, 0});
}

}  // namespace
