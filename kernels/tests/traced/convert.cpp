// convert.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(convert) {
  Tensor<float> x(rows, cols);
  Tensor<T> y(rows, cols);
  run("convert" + suffix<T>(), {4}, ConvertParams{x.data(), y.view(), rows, cols, cols, 0});
}

}  // namespace
