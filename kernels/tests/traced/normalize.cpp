// normalize.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(normalize_dense) {
  Tensor<uint8_t> pixels(rows, 4);
  Tensor<float> scale(4), shift(4);
  Tensor<T> y(rows, 4);
  run("normalize" + suffix<T>(), {4}, NormalizeParams{pixels.data(), scale.data(), shift.data(), y.view(), rows, 4, 4, 0});
}
TRACED(normalize_padded) {
  Tensor<uint8_t> pixels(rows, 3);
  Tensor<float> scale(3), shift(3);
  Tensor<T> y(rows, 8);
  run("normalize" + suffix<T>(), {4}, NormalizeParams{pixels.data(), scale.data(), shift.data(), y.view(), rows, 3, 8, 0});
}

}  // namespace
