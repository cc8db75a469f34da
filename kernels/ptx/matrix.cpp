// matrix.cpp: ldmatrix and mma.sync.
#include "matrix.h"

#include <math.h>

#include <algorithm>

#include "forms.h"

namespace ptx {

// A tensor core cuts all addends off at a place that the largest of them gives, one bit below a
// float's, adds what is left, and cuts the sum off as well ("Numerical behavior of NVIDIA tensor
// cores", Fasi and others, 2021).
static float truncating(const float* p, int n, float c) {
  int largest = -1000;
  bool finite = std::isfinite(c);
  if (c != 0 && finite) largest = ilogbf(c);
  for (int i = 0; i < n; i++) {
    finite &= std::isfinite(p[i]);
    if (p[i] != 0 && finite) largest = std::max(largest, ilogbf(p[i]));
  }
  if (!finite) {
    double s = c;
    for (int i = 0; i < n; i++) s += p[i];
    return (float)s;
  }
  if (largest == -1000) return 0;
  const int shift = 24 - largest;
  int64_t s = (int64_t)std::trunc(std::ldexp((double)c, shift));
  for (int i = 0; i < n; i++) s += (int64_t)std::trunc(std::ldexp((double)p[i], shift));
  const double sum = std::ldexp((double)s, -shift);
  const float f = (float)sum;
  return std::fabs((double)f) > std::fabs(sum) ? std::nextafterf(f, 0) : f;
}

// Without truncation a sum is rounded once: nothing is lost between a float's product, which is
// exact in double, and c.
void product(int rows, int columns, int k, int step, const float* a, const float* b, float* c) {
  for (int r = 0; r < rows; r++, a += k, c += columns) {
    if (!settings().truncate) {
      double sum[256] = {};
      for (int i = 0; i < k; i++)
        for (int j = 0; j < columns; j++) sum[j] += (double)a[i] * b[i * columns + j];
      for (int j = 0; j < columns; j++) c[j] = (float)(sum[j] + c[j]);
      continue;
    }
    for (int j = 0; j < columns; j++)
      for (int i = 0; i < k; i += step) {
        float p[16];
        for (int x = 0; x < step; x++) p[x] = a[i + x] * b[(i + x) * columns + j];
        c[j] = truncating(p, step, c[j]);
      }
  }
}

namespace {

// Lanes 8j to 8j+7 give the rows of matrix j. Lane t gets of row t/4 the two elements from 2(t%4)
// on; with .trans of column t/4.
void load_matrix(Warp& w, const Op& o) {
  const uint32_t* l = &w.code->lists[o.list];
  uint8_t rows[32][16];
  for (int i = 0; i < 8 * o.count; i++) {
    const uint32_t a = address32(w, o, i);
    const uint8_t* p = shared(w, o, i, a, 16, 16);
    if (!note_read(w, o, i, a, 16)) fault(w, o, i, "uninitialised: 16 bytes at shared address %#x, which nothing has written", a);
    memcpy(rows[i], p, 16);
  }
  for (int j = 0; j < o.count; j++)
    for (int t = 0; t < 32; t++) {
      uint16_t x[2];
      for (int h = 0; h < 2; h++) {
        const int row = o.mode ? 2 * (t % 4) + h : t / 4, column = o.mode ? t / 4 : 2 * (t % 4) + h;
        memcpy(&x[h], rows[8 * j + row] + 2 * column, 2);
      }
      reg<uint32_t>(w, l[j])[t] = x[0] | (uint32_t)x[1] << 16;
    }
  w.synced++;
}

float high(uint32_t v) { return bits<float>(v & 0xffff0000); }
float low(uint32_t v) { return bits<float>(v << 16); }

// of_tf32 checks that an operand has been rounded: what a GPU makes of the low bits is not defined.
float of_tf32(Warp& w, const Op& o, int lane, uint32_t v) {
  if (v & 0x1fff && (v & 0x7fffffff) <= 0x7f800000) fault(w, o, lane, "an operand of tf32 has low bits: %#x", v);
  return bits<float>(v);
}

template <bool TF32> void multiply(Warp& w, const Op& o) {
  constexpr int K = TF32 ? 8 : 16;
  float a[16][K], b[K][8], c[16][8];
  const uint32_t *in_a = &w.code->lists[o.list2], *in_b = &w.code->lists[o.list3], *in_c = &w.code->lists[o.list4], *out = &w.code->lists[o.list];
  const auto take = [&](auto& to, Place (*place)(int, int), const uint32_t* list, int registers) {
    for (int t = 0; t < 32; t++)
      for (int r = 0; r < registers; r++) {
        const uint32_t v = reg<uint32_t>(w, list[r])[t];
        for (int h = 0; h < (TF32 ? 1 : 2); h++) {
          const Place p = place(t, TF32 ? r : 2 * r + h);
          to[p.row][p.column] = TF32 ? of_tf32(w, o, t, v) : h ? high(v) : low(v);
        }
      }
  };
  take(a, TF32 ? place_a_tf32 : place_a_bf16, in_a, 4);
  take(b, TF32 ? place_b_tf32 : place_b_bf16, in_b, 2);
  const auto each_c = [&](const auto& f) {
    for (int t = 0; t < 32; t++)
      for (int i = 0; i < 4; i++) f(t, i, c[place_c(t, i).row][place_c(t, i).column]);
  };
  each_c([&](int t, int i, float& x) { x = bits<float>(reg<uint32_t>(w, in_c[i])[t]); });
  product(16, 8, K, TF32 ? 4 : 8, a[0], b[0], c[0]);
  each_c([&](int t, int i, float& x) { reg<uint32_t>(w, out[i])[t] = bits<uint32_t>(x); });
  w.synced++;
}

void decode_load(Decoder& d, const Form& f) {
  d.want(2);
  d.op->count = (uint8_t)f.count;
  d.op->list = d.list(d.operand(0), Type::b32, true, (size_t)f.count);
  d.base(d.operand(1), true);
}
void decode_multiply(Decoder& d, const Form&) {
  d.want(4);
  d.op->list = d.list(d.operand(0), Type::f32, true, 4);
  d.op->list2 = d.list(d.operand(1), Type::b32, false, 4);
  d.op->list3 = d.list(d.operand(2), Type::b32, false, 2);
  d.op->list4 = d.list(d.operand(3), Type::f32, false, 4);
}

}  // namespace

void add_matrix_forms(Forms& f) {
  f.special("ldmatrix.sync.aligned.m8n8.x4.shared.b16", decode_load, load_matrix, SYNC, true, 0, 4);
  f.special("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", decode_load, load_matrix, SYNC, true, 1, 4);
  f.special("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", decode_multiply, multiply<true>, SYNC, true);
  f.special("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", decode_multiply, multiply<false>, SYNC, true);
}

}  // namespace ptx
