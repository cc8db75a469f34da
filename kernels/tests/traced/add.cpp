// add.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

TRACED(add) {
  Tensor<T> a(rows, cols), b(rows, cols), c(rows, cols), y(rows, cols);
  run("add" + suffix<T>(), {4}, AddParams{{a.view(), b.view(), c.view()}, y.view(), {1, 1, 0.5f}, 3, rows, cols, 1});
}
TRACED(add_backward) {
  Tensor<T> y(rows, cols), dy(rows, cols), a(rows, cols), b(rows, cols);
  run("add_backward" + suffix<T>(), {4}, AddBackwardParams{y.view(), dy.view(), {a.view(), b.view()}, {1, 0.5f}, {1, 0}, 2, rows, cols, 0});
}

}  // namespace
