// window.h: random windows of poolings.
#pragma once
#include "harness.h"

namespace test {

// random_window draws a geometry whose padding is at most half the window, in ceil mode or not.
inline Window random_window(Random& r) {
  Window g{};
  g.n = r.range(1, 3);
  g.h = r.range(1, 12);
  g.w = r.range(1, 12);
  g.kh = r.range(1, 5);
  g.kw = r.range(1, 5);
  g.stride_h = r.range(1, 4);
  g.stride_w = r.range(1, 4);
  g.top = r.range(0, g.kh / 2);
  g.bottom = r.range(0, g.kh / 2);
  g.left = r.range(0, g.kw / 2);
  g.right = r.range(0, g.kw / 2);
  g.include_pad = r.coin();
  const auto outputs = [&](int in, int k, int stride, int before, int after) {
    const int room = in + before + after - k;
    if (room < 0) return 1;
    int out = room / stride + 1;
    if (r.coin() && room % stride && out * stride < in + before) out++;  // ceil mode: the last window begins in the image
    return out;
  };
  g.p = outputs(g.h, g.kh, g.stride_h, g.top, g.bottom);
  g.q = outputs(g.w, g.kw, g.stride_w, g.left, g.right);
  return g;
}

// pixel is the row of a matrix that holds a pixel of an image.
inline int pixel(int n, int y, int x, int h, int w) { return (n * h + y) * w + x; }

}  // namespace test
