// conv.cpp: the convolutions: every shape in every arithmetic and every tile, forward and both
// gradients.
#include <memory>

#include "tensor.h"

using namespace traced;

namespace {

struct Shape {
  Window win;
  int c, readable;           // channels of x, and the channels that may be read
  std::vector<int> filters;  // of each sibling
};

// square is the geometry of a convolution of n images of size x size pixels with a k x k window.
Window square(int n, int size, int k, int stride, int pad) {
  const int out = (size + 2 * pad - k) / stride + 1;
  return {n, size, size, out, out, k, k, stride, stride, pad, pad, pad, pad, 0};
}

template <class P> void run_tile(const std::string& name, int m, int n, Grid3 grid, const P& params) {
  const std::string full = name + "_" + std::to_string(m) + "x" + std::to_string(n);
  const unsigned shared = 384u * (unsigned)(m + n);
  const int max_dynamic_shared = 8;
  CHECK(cuFuncSetAttribute(kernel(full), max_dynamic_shared, (int)shared));
  run(full, grid, params, shared);
}

// products runs all products of a shape. The first layer's input is an image and needs no gradient.
template <class T> void products(const Shape& s, const std::string& arithmetic) {
  const Window& g = s.win;
  const bool image = s.c < 4;
  const int in = g.n * g.h * g.w, out = g.n * g.p * g.q, taps = g.kh * g.kw, depth = taps * s.c;
  Tensor<T> x(in, s.readable), dx(in, s.c);
  Tensor<RunState> state(1);
  ConvForwardParams f{};
  ConvBackwardDataParams d{};
  ConvBackwardFilterParams b{};
  f.x = b.x = x.view(), f.win = d.win = b.win = g, d.c = b.c = s.c, f.c = b.readable = s.readable;
  f.count = d.count = b.count = (int)s.filters.size();
  d.dx = dx.view(), d.accumulate = 1, b.run = state.data();
  std::vector<std::unique_ptr<Tensor<T>>> tensors;
  std::vector<std::unique_ptr<Tensor<float>>> floats;
  const auto tensor = [&](int rows, int cols) { return (tensors.push_back(std::make_unique<Tensor<T>>(rows, cols)), tensors.back()->view()); };
  const auto vector = [&](int n) { return (floats.push_back(std::make_unique<Tensor<float>>(n)), floats.back()->data()); };
  for (int i = 0; i < f.count; i++) {
    const int k = s.filters[i];
    const void* w = tensor(k, taps * s.readable).data;  // padded like x
    f.segments[i] = {w, tensor(out, k), vector(blocks(out, 128) * 2 * k), vector(k), vector(k), vector(k), k, f.cols, 1, 0};
    d.segments[i] = {w, tensor(out, k), k, 0};
    b.segments[i] = {d.segments[i].dy, vector(k * depth), vector(k), b.part, b.part + k * depth, k, f.cols};
    b.part += k * depth + k;
    b.cols = f.cols += k;
  }
  b.parts = 2, b.pixels = blocks(out, b.parts);
  b.partial = vector((int)b.part * b.parts);
  const int pixels = g.n * blocks(g.h, g.stride_h) * blocks(g.w, g.stride_w), columns = taps * up(s.c, 16 / (int)sizeof(T));
  for (int n : {128, 64}) {
    run_tile("conv_forward_" + arithmetic, 128, n, {(unsigned)(blocks(out, 128) * blocks(f.cols, n))}, f);
    if (!image) run_tile("conv_backward_data_" + arithmetic, 128, n, {(unsigned)(blocks(pixels, 128) * blocks(s.c, n)), (unsigned)(g.stride_h * g.stride_w)}, d);
    run_tile("conv_backward_filter_" + arithmetic, n, 128, {(unsigned)(blocks(b.cols, n) * blocks(columns, 128)), (unsigned)b.parts}, b);
  }
  if (arithmetic == "wgmma") {
    for (int i = 0; i < f.count; i++) f.maps[i] = tensor_map<TensorMap>(f.segments[i].w, taps * f.c, f.segments[i].k, 2 * taps * f.c);
    for (int n : {128, 64}) run_tile("conv_forward_tma", 128, n, {(unsigned)(blocks(out, 128) * blocks(f.cols, n))}, f);
  }
  run("conv_backward_filter_reduce", {4, (unsigned)b.count}, b);
}

// all runs a shape in every arithmetic. x is readable in whole chunks of 16 bytes.
void all(const Window& win, int c, const std::vector<int>& filters) {
  const Shape floats{win, c, up(c, 4), filters}, bf16s{win, c, up(c, 8), filters};
  products<float>(floats, "f32");
  products<float>(floats, "tf32");
  products<Bf16>(bf16s, "bf16");
  products<Bf16>(bf16s, "wgmma");
}

const Registration registered[] = {
    {{"conv_3x3", [](Random&) { all(square(1, 14, 3, 1, 1), 64, {144}); }, 1}},
    {{"conv_5x5", [](Random&) { all(square(1, 14, 5, 1, 2), 16, {48}); }, 1}},
    {{"conv_siblings", [](Random&) { all({1, 1, 196, 1, 196, 1, 1, 1, 1, 0, 0, 0, 0, 0}, 192, {64, 96, 16}); }, 1}},
    {{"conv_stride_2", [](Random&) { all(square(1, 17, 3, 2, 0), 64, {96}); }, 1}},
    {{"conv_image", [](Random&) { all(square(1, 32, 7, 2, 3), 3, {64}); }, 1}},
};

}  // namespace
