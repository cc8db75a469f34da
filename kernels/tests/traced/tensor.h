// tensor.h: what the traced launches share. The launches have fixed shapes from GoogLeNet, over
// aligned tensors without gaps. A Go test reads from the trace (emulator/trace.cpp) what they cost.
// Other tests check what they compute.
#pragma once
#include "../kernels/harness.h"

namespace traced {

using namespace test;

// Tensor is an allocation of its own, filled with zeros.
template <class T> struct Tensor : Device<T> {
  int cols;
  Tensor(int rows, int cols) : Device<T>((size_t)rows * cols), cols(cols) { this->zero(); }
  explicit Tensor(int n) : Tensor(1, n) {}
  View view() const { return {this->data(), cols, 0}; }
};

// TRACED registers launches for both element types, TRACED_FLOAT for float alone.
#define TRACED(name)                                                                                             \
  template <class T> static void name();                                                                         \
  static Registration register_##name##_f32{{#name "_f32", [](Random&) { name<float>(); }, 1}};                  \
  static Registration register_##name##_bf16{{#name "_bf16", [](Random&) { name<Bf16>(); }, 1}};                 \
  template <class T> static void name()
#define TRACED_FLOAT(name)                                                                                       \
  static void name();                                                                                            \
  static Registration register_##name{{#name, [](Random&) { name(); }, 1}};                                      \
  static void name()

inline int blocks(int n, int size) { return (n + size - 1) / size; }
inline int up(int n, int to) { return blocks(n, to) * to; }

}  // namespace traced
