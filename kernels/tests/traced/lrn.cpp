// lrn.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

template <class T> void response(int rows, int cols) {
  Tensor<T> x(rows, cols), y(rows, cols), base(rows, cols), dx(rows, cols);
  const unsigned shared = 4u * (unsigned)cols * (unsigned)(cols >= 256 ? 1 : 256 / cols);
  run("lrn" + suffix<T>(), {4}, LRNParams{x.view(), y.view(), base.view(), rows, cols, 5, 1, 1e-4f, 0.75f}, shared);
  run("lrn_backward" + suffix<T>(), {4}, LRNBackwardParams{x.view(), base.view(), y.view(), dx.view(), rows, cols, 5, 1e-4f, 0.75f, 0}, shared);
}
TRACED(lrn_64) { response<T>(rows, 64); }
TRACED(lrn_192) { response<T>(rows, cols); }

}  // namespace
