// conv.cpp: convolution and its gradients in every arithmetic and tile size, over all kinds of
// shapes.
//
// The references sum, in double, the products of the numbers that the kernel multiplies: of bf16s,
// or of floats rounded to tf32. So in every arithmetic the bounds have to cover only the float
// sums, and a lost or a doubled product stands out.
#include <algorithm>
#include <memory>

#include "harness.h"

using namespace test;

namespace {

// An arithmetic: its name, its type in memory, and how it rounds a number before it multiplies.
struct F32 {
  static constexpr bool TMA = false;
  using T = float;
  static std::string name() { return "f32"; }
  static double input(double v) { return v; }
};
struct Tf32 {
  static constexpr bool TMA = false;
  using T = float;
  static std::string name() { return "tf32"; }
  static double input(double v) {
    const float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, 4);
    u = (u + 0x1000) & ~0x1fffu;
    float g;
    memcpy(&g, &u, 4);
    return g;
  }
};
struct B16 {
  static constexpr bool TMA = false;
  using T = test::Bf16;
  static std::string name() { return "bf16"; }
  static double input(double v) { return v; }
};
struct Wgmma : B16 {
  static std::string name() { return "wgmma"; }
};
// Tma is Wgmma with filters from tensor maps, which need channels in multiples of 8.
struct Tma : B16 {
  static constexpr bool TMA = true;
  static std::string name() { return "tma"; }
};

struct Tile {
  int m, n;
  std::string name() const { return "_" + std::to_string(m) + "x" + std::to_string(n); }
  unsigned shared() const { return 384u * (unsigned)(m + n); }
};
int blocks(int n, int size) { return (n + size - 1) / size; }
int up(int n, int to) { return blocks(n, to) * to; }

template <class P> void run_tile(const std::string& name, Tile tile, Grid3 grid, const P& params) {
  const int max_dynamic_shared = 8;
  CHECK(cuFuncSetAttribute(kernel(name + tile.name()), max_dynamic_shared, (int)tile.shared()));
  run(name + tile.name(), grid, params, tile.shared());
}

// Shape is a random convolution: any window of the Inception family, with lopsided padding, or a
// linear layer.
struct Shape {
  Window win{};
  int c, in, out, taps, depth;
  explicit Shape(Random& r) {
    static const int windows[][2] = {{1, 1}, {1, 1}, {1, 1}, {3, 3}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {3, 1}};
    const int* k = windows[r.range(0, 10)];
    const bool linear = k[0] * k[1] == 1 && r.range(0, 3) == 0;
    win.kh = k[0], win.kw = k[1];
    win.stride_h = r.range(1, 2), win.stride_w = r.range(0, 4) ? win.stride_h : r.range(1, 3);
    win.n = linear ? r.range(1, 200) : r.range(1, 3);
    win.top = r.range(0, win.kh / 2), win.bottom = r.range(0, win.kh / 2), win.left = r.range(0, win.kw / 2), win.right = r.range(0, win.kw / 2);
    win.h = linear ? 1 : r.range(std::max(1, win.kh - win.top - win.bottom), 13);
    win.w = linear ? 1 : r.range(std::max(1, win.kw - win.left - win.right), 13);
    win.p = (win.h + win.top + win.bottom - win.kh) / win.stride_h + 1;
    win.q = (win.w + win.left + win.right - win.kw) / win.stride_w + 1;
    taps = win.kh * win.kw;
    c = std::min(r.pick({1, 3, 3, 4, 8, 16, 20, 24, 33, 64, 150}), std::max(3, 400 / taps));
    in = win.n * win.h * win.w;
    out = win.n * win.p * win.q;
    depth = taps * c;
  }
  // each calls f(output pixel, input pixel, tap) for every pair of pixels that the convolution
  // connects.
  template <class F> void each(F f) const {
    for (int m = 0; m < out; m++)
      for (int t = 0; t < taps; t++) {
        const int h = m / win.q % win.p * win.stride_h - win.top + t / win.kw, w = m % win.q * win.stride_w - win.left + t % win.kw;
        if (h >= 0 && h < win.h && w >= 0 && w < win.w) f(m, (m / win.q / win.p * win.h + h) * win.w + w, t);
      }
  }
};

int filters(Random& r) { return r.coin() ? 8 * r.range(1, 12) : r.range(1, 80); }

// dense returns a tensor without gaps, at any address.
template <class T> Matrix<T> dense(Random& r, int rows, int cols) { return Matrix<T>(r, rows, cols, cols, r.coin() ? 16 : 16 + r.range(1, 5)); }

template <class P, class T> std::vector<double> inputs(const Matrix<T>& x, int cols) {
  std::vector<double> v((size_t)x.rows * cols);
  for (int i = 0; i < x.rows; i++)
    for (int c = 0; c < cols; c++) v[(size_t)i * cols + c] = P::input(x(i, c));
  return v;
}

// input_of returns a random input. It may be readable beyond its channels, where it holds zeros.
template <class T> std::unique_ptr<Matrix<T>> input_of(Random& r, const Shape& s, int& readable) {
  readable = r.coin() ? s.c : up(s.c, 8);
  auto x = std::make_unique<Matrix<T>>(r, s.in, readable);
  x->random(r, -1, 1);
  for (int i = 0; i < s.in; i++)
    for (int c = s.c; c < readable; c++) x->set(i, c, 0);
  x->upload();
  return x;
}

// A float sum of depth products grows like sqrt(depth), and so does its rounding unit; together the
// error grows like depth.
double bound(int depth) { return 1e-6 + 2e-7 * depth; }

// ---- forward -----------------------------------------------------------------------------------------------------------
template <class P> struct ForwardSegment {
  using T = typename P::T;
  Matrix<T> w, y;
  std::vector<float> scale, shift, bias;
  Device<float> d_scale, d_shift, d_bias, sums;
  ForwardSegment(Random& r, const Shape& s, int k, int tiles)
      : w(P::TMA ? Matrix<T>(r, k, s.depth, s.depth, 16) : dense<T>(r, k, s.depth)), y(r, s.out, k), scale(vector_of(r, k, 0.5, 2)), shift(vector_of(r, k, -1, 1)), bias(vector_of(r, k, -1, 1)),
        d_scale(scale), d_shift(shift), d_bias(bias), sums(std::vector<float>((size_t)tiles * 2 * k, NAN)) {
    w.random(r, -1, 1);
    w.upload();
    y.upload();
  }
};

template <class P> void forward(Random& r) {
  using T = typename P::T;
  Shape s(r);
  if (P::TMA) s.c = up(s.c, 8), s.depth = s.taps * s.c;
  const Tile tile = r.coin() ? Tile{128, 64} : Tile{128, 128};
  const int tiles = blocks(s.out, tile.m);
  ConvForwardParams p{};
  Matrix<T> x(r, s.in, s.c);
  x.random(r, -1, 1);
  x.upload();
  p.x = x.view(), p.win = s.win, p.c = s.c;
  std::vector<std::unique_ptr<ForwardSegment<P>>> segments;
  p.count = r.coin() ? 1 : r.range(1, 4);
  for (int i = 0; i < p.count; i++) {
    const int k = filters(r);
    auto g = std::make_unique<ForwardSegment<P>>(r, s, k, tiles);
    const bool scaled = r.coin();
    p.segments[i] = {g->w.view().data, g->y.view(), r.coin() ? g->sums.data() : nullptr, scaled ? g->d_scale.data() : nullptr,
                     scaled || r.coin() ? g->d_shift.data() : nullptr, r.coin() ? g->d_bias.data() : nullptr, k, up(p.cols, 8), r.coin(), 0};
    p.cols = p.segments[i].begin + k;
    if (P::TMA) p.maps[i] = tensor_map<TensorMap>(p.segments[i].w, s.depth, k, 2 * s.depth);
    segments.push_back(std::move(g));
  }
  run_tile("conv_forward_" + P::name(), tile, {(unsigned)(tiles * blocks(p.cols, tile.n))}, p);

  const std::vector<double> in = inputs<P>(x, s.c);
  for (int i = 0; i < p.count; i++) {
    const auto& g = *segments[i];
    const ConvForwardSegment& o = p.segments[i];
    const std::vector<double> w = inputs<P>(g.w, s.depth);
    std::vector<double> raw((size_t)s.out * o.k);
    s.each([&](int m, int from, int t) {
      for (int k = 0; k < o.k; k++) {
        double sum = 0;
        for (int c = 0; c < s.c; c++) sum += in[(size_t)from * s.c + c] * w[(size_t)k * s.depth + t * s.c + c];
        raw[(size_t)m * o.k + k] += sum;
      }
    });
    g.y.compare("y", 2 * bound(s.depth), precision<T>(), [&](int m, int k) {
      double v = raw[(size_t)m * o.k + k];
      if (o.scale) v *= g.scale[k];
      if (o.shift) v += g.shift[k];
      if (o.bias) v += g.bias[k];
      return o.relu && v < 0 ? 0 : v;
    });
    if (!o.partial) continue;
    compare_vector("sums", g.sums.get(), 1e-4 + 5e-6 * s.depth, 1e-5, [&](int e) {
      const int k = e % o.k, square = e / o.k % 2, part = e / o.k / 2;
      double sum = 0;
      for (int m = part * tile.m; m < s.out && m < (part + 1) * tile.m; m++) sum += square ? raw[(size_t)m * o.k + k] * raw[(size_t)m * o.k + k] : raw[(size_t)m * o.k + k];
      return sum;
    });
  }
}

// ---- gradients -----------------------------------------------------------------------------------------------------------
template <class P> void backward_data(Random& r) {
  using T = typename P::T;
  const Shape s(r);
  const Tile tile = r.coin() ? Tile{128, 64} : Tile{128, 128};
  ConvBackwardDataParams p{};
  p.win = s.win, p.c = s.c, p.accumulate = r.coin();
  Matrix<T> dx(r, s.in, s.c);
  if (p.accumulate) dx.random(r, -1, 1);
  dx.upload();
  p.dx = dx.view();
  std::vector<double> want((size_t)s.in * s.c);
  std::vector<std::unique_ptr<Matrix<T>>> keep;
  int depth = 0;
  p.count = r.coin() ? 1 : r.range(1, 4);
  for (int i = 0; i < p.count; i++) {
    const int k = s.taps > 9 ? std::min(filters(r), 20) : filters(r);
    std::unique_ptr<Matrix<T>> w(new Matrix<T>(dense<T>(r, k, s.depth))), dy(new Matrix<T>(r, s.out, k));
    w->random(r, -1, 1), dy->random(r, -1, 1);
    w->upload(), dy->upload();
    p.segments[i] = {w->view().data, dy->view(), k, 0};
    const std::vector<double> vw = inputs<P>(*w, s.depth), vy = inputs<P>(*dy, k);
    s.each([&](int m, int to, int t) {
      for (int j = 0; j < k; j++)
        for (int c = 0; c < s.c; c++) want[(size_t)to * s.c + c] += vy[(size_t)m * k + j] * vw[(size_t)j * s.depth + t * s.c + c];
    });
    depth += s.taps * k;
    keep.push_back(std::move(w)), keep.push_back(std::move(dy));
  }
  const int pixels = s.win.n * blocks(s.win.h, s.win.stride_h) * blocks(s.win.w, s.win.stride_w);
  run_tile("conv_backward_data_" + P::name(), tile,
           {(unsigned)(blocks(pixels, tile.m) * blocks(s.c, tile.n)), (unsigned)(s.win.stride_h * s.win.stride_w)}, p);
  dx.compare("dx", 2 * bound(depth), precision<T>(), [&](int i, int c) { return want[(size_t)i * s.c + c] + (p.accumulate ? dx(i, c) : 0); });
}

template <class P> struct FilterSegment {
  Matrix<typename P::T> dy;
  Matrix<float> dw, db;
  FilterSegment(Random& r, const Shape& s, int k, bool old) : dy(r, s.out, k), dw(dense<float>(r, k, s.depth)), db(dense<float>(r, 1, k)) {
    dy.random(r, -1, 1);
    if (old) dw.random(r, -1, 1), db.random(r, -1, 1);
    dy.upload(), dw.upload(), db.upload();
  }
};

template <class P> void backward_filter(Random& r) {
  using T = typename P::T;
  const Shape s(r);
  const Tile tile = r.coin() ? Tile{64, 128} : Tile{128, 128};
  ConvBackwardFilterParams p{};
  const auto x = input_of<T>(r, s, p.readable);
  p.x = x->view(), p.win = s.win, p.c = s.c;
  RunState state{};
  p.accumulate = r.range(0, 2) == 0, state.accumulate = r.range(0, 2) == 0;
  Device<RunState> run_state(std::vector<RunState>{state});
  p.run = run_state.data();
  const bool add = p.accumulate || state.accumulate;
  p.pixels = blocks(s.out, r.range(1, 4));
  p.parts = blocks(s.out, p.pixels);
  std::vector<std::unique_ptr<FilterSegment<P>>> segments;
  p.count = r.coin() ? 1 : r.range(1, 4);
  for (int i = 0; i < p.count; i++) {
    const int k = filters(r);
    segments.push_back(std::make_unique<FilterSegment<P>>(r, s, k, add));
    auto& g = *segments.back();
    const int64_t weights = p.part, biases = weights + up(k * s.depth, 4);
    p.segments[i] = {g.dy.view(), (float*)g.dw.view().data, r.coin() ? (float*)g.db.view().data : nullptr, weights, biases, k, up(p.cols, 8)};
    p.part = biases + up(k, 4);
    p.cols = p.segments[i].begin + k;
  }
  Device<float> partial(std::vector<float>((size_t)(p.part * p.parts), NAN));
  p.partial = p.parts > 1 ? partial.data() : nullptr;
  const int columns = s.taps * up(s.c, 16 / (int)sizeof(T));
  run_tile("conv_backward_filter_" + P::name(), tile, {(unsigned)(blocks(p.cols, tile.m) * blocks(columns, tile.n)), (unsigned)p.parts}, p);
  if (p.parts > 1) run("conv_backward_filter_reduce", {(unsigned)r.range(1, 4), (unsigned)p.count}, p);

  const std::vector<double> in = inputs<P>(*x, s.c);
  for (int i = 0; i < p.count; i++) {
    const auto& g = *segments[i];
    const int k = p.segments[i].k;
    const std::vector<double> dy = inputs<P>(g.dy, k);
    std::vector<double> dw((size_t)k * s.depth);
    s.each([&](int m, int from, int t) {
      for (int j = 0; j < k; j++)
        for (int c = 0; c < s.c; c++) dw[(size_t)j * s.depth + t * s.c + c] += dy[(size_t)m * k + j] * in[(size_t)from * s.c + c];
    });
    g.dw.compare("dw", bound(s.out), 1e-6, [&](int j, int e) { return dw[(size_t)j * s.depth + e] + (add ? g.dw(j, e) : 0); });
    const bool biased = p.segments[i].db != nullptr;
    g.db.compare("db", bound(s.out), 1e-6, [&](int, int j) {
      if (!biased) return g.db(0, j);
      double sum = add ? g.db(0, j) : 0;
      for (int m = 0; m < s.out; m++) sum += g.dy(m, j);  // in float in every arithmetic
      return sum;
    });
  }
}

// The tests with names that end in _wgmma are for GPUs that have wgmma.
const Registration registered[] = {
    {{"conv_forward_f32", forward<F32>, 20}},         {{"conv_forward_tf32", forward<Tf32>, 20}},
    {{"conv_forward_bf16", forward<B16>, 20}},        {{"conv_forward_wgmma", forward<Wgmma>, 20}},
    {{"conv_forward_tma_wgmma", forward<Tma>, 20}},
    {{"conv_data_f32", backward_data<F32>, 20}},      {{"conv_data_tf32", backward_data<Tf32>, 20}},
    {{"conv_data_bf16", backward_data<B16>, 20}},     {{"conv_data_wgmma", backward_data<Wgmma>, 20}},
    {{"conv_filter_f32", backward_filter<F32>, 20}},  {{"conv_filter_tf32", backward_filter<Tf32>, 20}},
    {{"conv_filter_bf16", backward_filter<B16>, 20}}, {{"conv_filter_wgmma", backward_filter<Wgmma>, 20}},
};

}  // namespace
