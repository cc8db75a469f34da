// memory.h: what the launches of memory-bound kernels share. Activations are 2 images of 14 x 14
// pixels and 192 channels, unless a kernel needs something else.
#pragma once
#include "tensor.h"

namespace traced {

const int images = 2, side = 14, rows = images * side * side, cols = 192;

// columns_grid has 4 blocks for each part of the channels.
template <class T> Grid3 columns_grid(int cols) { return {4, (unsigned)blocks(cols * (int)sizeof(T), 16 * 256)}; }

// TracedReduction holds what a two-stage reduction needs.
struct TracedReduction {
  Grid3 grid;
  Tensor<double> partial;
  Tensor<uint32_t> counters;
  Tensor<RunState> run;
  TracedReduction(Grid3 grid, int sums, int cols) : grid(grid), partial((int)grid.x, sums * cols), counters((int)grid.y), run(1) {}
};

// window is the geometry of a pooling of images of size x size pixels.
inline Window window(int size, int k, int stride, int pad) {
  const int out = (size + 2 * pad - k) / stride + 1;
  return {images, size, size, out, out, k, k, stride, stride, pad, pad, pad, pad, 0};
}
inline int inputs(const Window& g) { return g.n * g.h * g.w; }
inline int outputs(const Window& g) { return g.n * g.p * g.q; }

}  // namespace traced
