// normalize.cpp: conversion of pixels' bytes to normalised activations.
#include "harness.h"

using namespace test;

TEST(normalize, 12) {
  const int rows = r.range(1, 90), c = r.range(1, 9), padded = r.coin() ? c : (c + 7) / 8 * 8;
  std::vector<uint8_t> pixels((size_t)rows * c);
  for (auto& p : pixels) p = (uint8_t)r.range(0, 255);
  const std::vector<float> scale = vector_of(r, c, 0.01, 0.02), shift = vector_of(r, c, -2, 2);
  Matrix<T> y(r, rows, padded);
  y.upload();
  Device<uint8_t> x(pixels);
  Device<float> s(scale), t(shift);
  run("normalize" + suffix<T>(), {(unsigned)r.range(1, 3)}, NormalizeParams{x.data(), s.data(), t.data(), y.view(), rows, c, padded, 0});
  y.compare("y", 1e-6, precision<T>(), [&](int i, int j) { return j < c ? (double)pixels[(size_t)i * c + j] * scale[j] + shift[j] : 0; });
}
