// tensor.h: what the traced launches share. They are launches of fixed shapes, as GoogLeNet has them, over aligned tensors without
// gaps: a Go test reads from the trace (emulator/trace.cpp) what they cost. What they compute is checked elsewhere.
#pragma once
#include "../kernels/harness.h"

namespace traced {

using namespace test;

// Tensor is an allocation of its own, full of zeros.
template <class T> struct Tensor : Device<T> {
  int cols;
  Tensor(int rows, int cols) : Device<T>((size_t)rows * cols), cols(cols) { this->zero(); }
  explicit Tensor(int n) : Tensor(1, n) {}
  View view() const { return {this->data(), cols, 0}; }
};

inline int blocks(int n, int size) { return (n + size - 1) / size; }
inline int up(int n, int to) { return blocks(n, to) * to; }

}  // namespace traced
