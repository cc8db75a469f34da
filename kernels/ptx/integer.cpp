// integer.cpp: integer arithmetic, logic and shifts. Sums and products wrap.
#include "lanewise.h"

namespace ptx {
namespace {

template <class T> using U = std::make_unsigned_t<T>;

struct Add { template <class T> static T f(T a, T b) { return T(U<T>(a) + U<T>(b)); } };
struct Sub { template <class T> static T f(T a, T b) { return T(U<T>(a) - U<T>(b)); } };
struct Mul { template <class T> static T f(T a, T b) { return T((uint64_t)a * (uint64_t)b); } };
struct Mad { template <class T> static T f(T a, T b, T c) { return T((uint64_t)a * (uint64_t)b + (uint64_t)c); } };
template <class W> struct MulWide { template <class T> static W f(T a, T b) { return (W)a * (W)b; } };
struct Min { template <class T> static T f(T a, T b) { return a < b ? a : b; } };
struct Max { template <class T> static T f(T a, T b) { return a > b ? a : b; } };
struct And { template <class T> static T f(T a, T b) { return T(a & b); } };
struct Or { template <class T> static T f(T a, T b) { return T(a | b); } };
struct Xor { template <class T> static T f(T a, T b) { return T(a ^ b); } };
struct Not { template <class T> static T f(T a) { return T(~a); } };
struct Neg { template <class T> static T f(T a) { return T(-U<T>(a)); } };
// Shifts by more than the width are shifts by the width.
struct Shl { template <class T> static T f(T a, uint32_t n) { return n >= 8 * sizeof(T) ? T(0) : T(a << n); } };
struct Shr {
  template <class T> static T f(T a, uint32_t n) { return n >= 8 * sizeof(T) ? (std::is_signed_v<T> && a < 0 ? T(-1) : T(0)) : T(a >> n); }
};

// The result of a division by zero is unspecified: no kernel may use it.
template <class T, bool REMAINDER> void divide(Warp& w, const Op& o) {
  auto* d = reg<T>(w, o.d);
  const auto *a = reg<T>(w, o.a), *b = reg<T>(w, o.b);
  each(w.m, [&](int i) {
    const T x = get<T>(a[i]), y = get<T>(b[i]);
    if (y == 0) fault(w, o, i, "an integer is divided by zero");
    if (std::is_signed_v<T> && y == T(-1)) d[i] = put<T>(REMAINDER ? T(0) : Neg::f(x));
    else d[i] = put<T>(REMAINDER ? T(x % y) : T(x / y));
  });
}

// bfi d, a, b, pos, len: the low bits of a go into b.
template <class T> void insert_bits(Warp& w, const Op& o) {
  auto* d = reg<T>(w, o.d);
  const auto *a = reg<T>(w, o.a), *b = reg<T>(w, o.b);
  const auto *c = reg<uint32_t>(w, o.c), *e = reg<uint32_t>(w, o.e);
  lanes(w.m, [=](int i) {
    const uint32_t at = c[i] & 0xff, n = e[i] & 0xff, width = 8 * sizeof(T);
    const T ones = n >= width ? ~T(0) : (T(1) << n) - 1, m = at >= width ? 0 : T(ones << at);
    d[i] = (b[i] & ~m) | (at >= width ? 0 : T(a[i] << at) & m);
  });
}

// prmt: each nibble of c chooses one of the 8 bytes of {b, a}; its highest bit repeats that byte's
// sign.
void permute(Warp& w, const Op& o) {
  auto* d = reg<uint32_t>(w, o.d);
  const auto *a = reg<uint32_t>(w, o.a), *b = reg<uint32_t>(w, o.b), *c = reg<uint32_t>(w, o.c);
  lanes(w.m, [=](int i) {
    const uint64_t all = (uint64_t)b[i] << 32 | a[i];
    uint32_t r = 0;
    for (int k = 0; k < 4; k++) {
      const uint32_t s = c[i] >> 4 * k & 15;
      uint8_t v = (uint8_t)(all >> 8 * (s & 7));
      if (s & 8) v = v & 0x80 ? 0xff : 0;
      r |= (uint32_t)v << 8 * k;
    }
    d[i] = r;
  });
}

// dp2a.lo: the halves of a times the two low bytes of b, plus c.
void dot_low(Warp& w, const Op& o) {
  auto* d = reg<uint32_t>(w, o.d);
  const auto *a = reg<uint32_t>(w, o.a), *b = reg<uint32_t>(w, o.b), *c = reg<uint32_t>(w, o.c);
  lanes(w.m, [=](int i) { d[i] = c[i] + (a[i] & 0xffff) * (b[i] & 0xff) + (a[i] >> 16) * (b[i] >> 8 & 0xff); });
}

template <class T> void shift(Forms& f, const char* name, Handler h) { f.plain(name, h, of<T>::type, {of<T>::type, Type::u32}); }
template <class T> void division(Forms& f, const char* div, const char* rem) {
  f.plain(div, divide<T, false>, of<T>::type, {of<T>::type, of<T>::type});
  f.plain(rem, divide<T, true>, of<T>::type, {of<T>::type, of<T>::type});
}

}  // namespace

void add_integer_forms(Forms& f) {
  form2<int16_t, Add>(f, "add.s16"), form2<int32_t, Add>(f, "add.s32"), form2<int64_t, Add>(f, "add.s64");
  form2<int16_t, Sub>(f, "sub.s16"), form2<int32_t, Sub>(f, "sub.s32"), form2<int64_t, Sub>(f, "sub.s64");
  form2<int16_t, Mul>(f, "mul.lo.s16"), form2<int32_t, Mul>(f, "mul.lo.s32"), form2<int64_t, Mul>(f, "mul.lo.s64");
  form3<int32_t, Mad>(f, "mad.lo.s32"), form3<int64_t, Mad>(f, "mad.lo.s64");
  f.plain("mul.wide.s32", binary<int64_t, int32_t, int32_t, MulWide<int64_t>>, Type::s64, {Type::s32, Type::s32});
  f.plain("mul.wide.u32", binary<uint64_t, uint32_t, uint32_t, MulWide<uint64_t>>, Type::u64, {Type::u32, Type::u32});
  f.plain("mul.wide.u16", binary<uint32_t, uint16_t, uint16_t, MulWide<uint32_t>>, Type::u32, {Type::u16, Type::u16});
  form2<int32_t, Min>(f, "min.s32"), form2<uint32_t, Min>(f, "min.u32"), form2<int64_t, Min>(f, "min.s64"), form2<uint64_t, Min>(f, "min.u64");
  form2<int32_t, Max>(f, "max.s32"), form2<uint32_t, Max>(f, "max.u32"), form2<int64_t, Max>(f, "max.s64"), form2<uint64_t, Max>(f, "max.u64");
  form2<uint16_t, And>(f, "and.b16"), form2<uint32_t, And>(f, "and.b32"), form2<uint64_t, And>(f, "and.b64");
  form2<uint16_t, Or>(f, "or.b16"), form2<uint32_t, Or>(f, "or.b32"), form2<uint64_t, Or>(f, "or.b64");
  form2<uint16_t, Xor>(f, "xor.b16"), form2<uint32_t, Xor>(f, "xor.b32"), form2<uint64_t, Xor>(f, "xor.b64");
  form1<uint16_t, Not>(f, "not.b16"), form1<uint32_t, Not>(f, "not.b32"), form1<uint64_t, Not>(f, "not.b64");
  form1<int32_t, Neg>(f, "neg.s32"), form1<int64_t, Neg>(f, "neg.s64");
  shift<uint16_t>(f, "shl.b16", binary<uint16_t, uint16_t, uint32_t, Shl>), shift<uint32_t>(f, "shl.b32", binary<uint32_t, uint32_t, uint32_t, Shl>);
  shift<uint64_t>(f, "shl.b64", binary<uint64_t, uint64_t, uint32_t, Shl>);
  shift<uint16_t>(f, "shr.u16", binary<uint16_t, uint16_t, uint32_t, Shr>), shift<uint32_t>(f, "shr.u32", binary<uint32_t, uint32_t, uint32_t, Shr>);
  shift<uint64_t>(f, "shr.u64", binary<uint64_t, uint64_t, uint32_t, Shr>);
  shift<int16_t>(f, "shr.s16", binary<int16_t, int16_t, uint32_t, Shr>), shift<int32_t>(f, "shr.s32", binary<int32_t, int32_t, uint32_t, Shr>);
  shift<int64_t>(f, "shr.s64", binary<int64_t, int64_t, uint32_t, Shr>);
  division<uint16_t>(f, "div.u16", "rem.u16"), division<int32_t>(f, "div.s32", "rem.s32"), division<uint32_t>(f, "div.u32", "rem.u32");
  division<int64_t>(f, "div.s64", "rem.s64"), division<uint64_t>(f, "div.u64", "rem.u64");
  f.plain("bfi.b32", insert_bits<uint32_t>, Type::b32, {Type::b32, Type::b32, Type::u32, Type::u32});
  f.plain("bfi.b64", insert_bits<uint64_t>, Type::b64, {Type::b64, Type::b64, Type::u32, Type::u32});
  f.plain("prmt.b32", permute, Type::b32, {Type::b32, Type::b32, Type::b32});
  f.plain("dp2a.lo.u32.u32", dot_low, Type::u32, {Type::u32, Type::u32, Type::u32});
}

}  // namespace ptx
