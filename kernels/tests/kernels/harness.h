// harness.h: what the kernel tests share. Every test draws random shapes, runs a kernel over
// strided views in device memory and compares it with loops in double.
//
// A view lies in an allocation of its own, at an offset that may or may not be aligned. Everything
// that the kernel must not touch (before, after, and between the rows) holds a pattern, which is
// checked afterwards. Outputs start as NaN.
#pragma once
#include <math.h>
#include <string.h>

#include <functional>
#include <string>
#include <vector>

#include "../driver.h"
#include "params.h"

namespace test {

// Random is a small generator, so that the tests do not depend on the standard library's.
struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) {}
  uint32_t word() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 32) ^ (uint32_t)(state >> 59);
  }
  int range(int lo, int hi) { return lo + (int)(word() % (uint32_t)(hi - lo + 1)); }  // both ends included
  double uniform(double lo, double hi) { return lo + (hi - lo) * (word() >> 8) / (1 << 24); }
  bool coin() { return word() >> 20 & 1; }
  int pick(std::initializer_list<int> of) { return of.begin()[word() % of.size()]; }
};

// ---- element types -----------------------------------------------------------------------------------------------------
struct Bf16 {
  uint16_t bits;
};
inline double value(float v) { return v; }
inline double value(uint8_t v) { return v; }
inline double value(Bf16 v) {
  const uint32_t u = (uint32_t)v.bits << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
template <class T> T element(double v);
template <> inline float element<float>(double v) { return (float)v; }
template <> inline uint8_t element<uint8_t>(double v) { return (uint8_t)v; }
template <> inline Bf16 element<Bf16>(double v) {
  const float f = (float)v;
  uint32_t u;
  memcpy(&u, &f, 4);
  return {(uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}

// suffix is the end of a kernel's name for an element type; precision is the type's relative
// rounding error.
template <class T> std::string suffix();
template <> inline std::string suffix<float>() { return "_f32"; }
template <> inline std::string suffix<Bf16>() { return "_bf16"; }
template <class T> double precision();
template <> inline double precision<float>() { return 1.0 / (1 << 24); }
template <> inline double precision<Bf16>() { return 1.0 / (1 << 8); }

// ---- device memory -------------------------------------------------------------------------------------------------------
// Device is an array in device memory of exactly its size, so that AddressSanitizer detects
// accesses beyond it.
template <class T> struct Device {
  CUdeviceptr ptr = 0;
  size_t n;
  explicit Device(size_t n) : n(n) { CHECK(cuMemAlloc_v2(&ptr, (n > 0 ? n : 1) * sizeof(T))); }
  explicit Device(const std::vector<T>& v) : Device(v.size()) { put(v); }
  Device(Device&& from) : ptr(from.ptr), n(from.n) { from.ptr = 0; }
  ~Device() { cuMemFree_v2(ptr); }
  void put(const std::vector<T>& v) { CHECK(cuMemcpyHtoD_v2(ptr, v.data(), v.size() * sizeof(T))); }
  std::vector<T> get() const {
    std::vector<T> v(n);
    CHECK(cuMemcpyDtoH_v2(v.data(), ptr, n * sizeof(T)));
    return v;
  }
  void zero() { CHECK(cuMemsetD8_v2(ptr, 0, n * sizeof(T))); }
  T* data() const { return (T*)ptr; }
};

// fail records a failure. It prints only the first few.
void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Matrix is a view of rows x cols with guard bands.
template <class T> struct Matrix {
  int rows, cols, stride, offset;
  std::vector<T> host;  // the whole allocation
  Device<T> device;

  // With Random, the view is dense or a slice of a wider buffer, and aligned to 16 bytes or not.
  Matrix(Random& r, int rows, int cols) : Matrix(r, rows, cols, cols + (r.coin() ? 0 : slack(r)), r.coin() ? 16 : 16 + r.range(1, 5)) {}
  Matrix(Random&, int rows, int cols, int stride, int offset)
      : rows(rows), cols(cols), stride(stride), offset(offset), host((size_t)offset + (size_t)rows * stride + 16), device(host.size()) {
    memset((void*)host.data(), 0xff, host.size() * sizeof(T));
  }
  static int slack(Random& r) { return r.coin() ? r.range(1, 9) : 8 * r.range(1, 3); }

  size_t at(int row, int c) const { return (size_t)offset + (size_t)row * stride + c; }
  double operator()(int row, int c) const { return value(host[at(row, c)]); }
  void set(int row, int c, double v) { host[at(row, c)] = element<T>(v); }
  // random fills the view with numbers from [lo,hi).
  void random(Random& r, double lo, double hi) {
    for (int i = 0; i < rows; i++)
      for (int c = 0; c < cols; c++) set(i, c, r.uniform(lo, hi));
  }
  View view() const { return {device.data() + offset, stride, 0}; }
  void upload() { device.put(host); }

  // compare checks the guard bands, and every element against want(row, column), which may be off
  // by absolute + relative·|want|.
  void compare(const char* what, double absolute, double relative, const std::function<double(int, int)>& want) const {
    const std::vector<T> now = device.get();
    std::vector<bool> mine(now.size());
    for (int i = 0; i < rows; i++)
      for (int c = 0; c < cols; c++) {
        mine[at(i, c)] = true;
        const double got = value(now[at(i, c)]), w = want(i, c);
        if (got == w || (got != got && w != w)) continue;
        if (!(fabs(got - w) <= absolute + relative * fabs(w)))
          fail("%s: row %d of %d, column %d of %d (stride %d): %.9g, want %.9g", what, i, rows, c, cols, stride, got, w);
      }
    for (size_t i = 0; i < now.size(); i++)
      if (!mine[i] && memcmp(&now[i], &host[i], sizeof(T))) fail("%s: element %zu outside the view was written (offset %d, stride %d, cols %d)", what, i, offset, stride, cols);
  }
};

// vector_of draws n numbers.
inline std::vector<float> vector_of(Random& r, int n, double lo, double hi) {
  std::vector<float> v((size_t)n);
  for (float& x : v) x = (float)r.uniform(lo, hi);
  return v;
}

// compare_vector checks the values of a plain array.
void compare_vector(const char* what, const std::vector<float>& got, double absolute, double relative, const std::function<double(int)>& want);

// ---- running -------------------------------------------------------------------------------------------------------------
CUfunction kernel(const std::string& name);
template <class P> void run(const std::string& name, Grid3 grid, const P& params, unsigned shared = 0) {
  const CUresult r = launch(kernel(name), grid, 256, params, shared);
  if (r) fail("%s: launch failed with %d", name.c_str(), r);
  CHECK(cuCtxSynchronize());
}

// columns_grid is a random grid for kernels whose threads keep their channels: enough blocks in y
// for all packs.
template <class T> Grid3 columns_grid(Random& r, int cols) {
  const unsigned n = 16 / sizeof(T), packs = ((unsigned)cols + n - 1) / n;
  return {(unsigned)r.range(1, 4), (packs + 255) / 256 + (unsigned)r.range(0, 1), 1};
}
// channels draws a number of channels, often a multiple of 8.
inline int channels(Random& r) { return r.coin() ? 8 * r.range(1, 12) : r.range(1, 70); }

// with_specials puts values into m at which a comparison can go wrong.
template <class T> void with_specials(Random& r, Matrix<T>& m) {
  for (int i = 0; i < m.rows * m.cols / 8 + 1; i++) m.set(r.range(0, m.rows - 1), r.range(0, m.cols - 1), r.coin() ? 0.0 : r.coin() ? NAN : -0.0);
}

// Reduction holds what a deterministic two-stage reduction needs.
struct Reduction {
  Grid3 grid;
  Device<double> partial;
  Device<uint32_t> counters;
  Device<RunState> run;
  bool accumulate_run, accumulate;
  Reduction(Random& r, Grid3 grid, int sums, int cols)
      : grid(grid), partial((size_t)grid.x * sums * cols), counters(grid.y), run(1), accumulate_run(r.coin()), accumulate(r.coin()) {
    counters.zero();
    RunState s{};
    s.accumulate = accumulate_run;
    run.put({s});
  }
  bool accumulates() const { return accumulate || accumulate_run; }
  ~Reduction() {
    for (uint32_t c : counters.get())
      if (c) fail("a counter is %u after the launch, not 0", c);
  }
};

// Test is a named test; TEST registers one that runs for both element types, with different random
// numbers each time.
struct Test {
  const char* name;
  void (*f)(Random&);
  int rounds;
};
std::vector<Test>& tests();
struct Registration {
  Registration(Test t) { tests().push_back(t); }
};
#define TEST(name, rounds)                                                             \
  template <class T> static void name(test::Random& r);                                \
  static test::Registration register_##name##_f32{{#name "_f32", name<float>, rounds}}; \
  static test::Registration register_##name##_bf16{{#name "_bf16", name<test::Bf16>, rounds}}; \
  template <class T> static void name(test::Random& r)
#define TEST_FLOAT(name, rounds)                                             \
  static void name(test::Random& r);                                         \
  static test::Registration register_##name{{#name, name, rounds}};          \
  static void name(test::Random& r)

}  // namespace test
