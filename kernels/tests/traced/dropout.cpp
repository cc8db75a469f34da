// dropout.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(dropout) {
  Tensor<T> x(rows, cols), y(rows, cols);
  Tensor<RunState> state(1);
  for (int accumulate : {0, 1}) run("dropout" + suffix<T>(), {4}, DropoutParams{x.view(), y.view(), state.data(), 1, 1u << 31, 2, rows, cols, accumulate});
}

}  // namespace
