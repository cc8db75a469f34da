// convert.cpp: conversion of floats to the element type of activations.
#include "harness.h"

using namespace test;

TEST(convert, 12) {
  const bool flat = r.range(0, 2) == 0;  // a copy of weights: one long row
  const int rows = flat ? 1 : r.range(1, 90), c = flat ? r.range(1, 5000) : r.range(1, 19), padded = r.coin() ? c : (c + 7) / 8 * 8;
  const std::vector<float> values = vector_of(r, rows * c, -3, 3);
  Matrix<T> y(r, rows, padded);
  y.upload();
  Device<float> x(values);
  run("convert" + suffix<T>(), {(unsigned)r.range(1, 3)}, ConvertParams{x.data(), y.view(), rows, c, padded, 0});
  y.compare("y", 0, 0, [&](int i, int j) { return j < c ? value(element<T>(values[(size_t)i * c + j])) : 0; });
}
