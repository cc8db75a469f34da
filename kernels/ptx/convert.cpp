// convert.cpp: cvt.
#include <math.h>

#include <limits>

#include "lanewise.h"

namespace ptx {
namespace {

template <class D> struct To { template <class T> static D f(T a) { return (D)a; } };
// .rzi to an integer: NaN becomes 0, and what does not fit the nearest that does.
template <class D> struct Truncate {
  template <class T> static D f(T a) {
    if (a != a) return 0;
    const T t = std::trunc(a), over = std::ldexp((T)1, std::numeric_limits<D>::digits);
    if (t >= over) return std::numeric_limits<D>::max();
    if (t < (std::is_signed_v<D> ? -over : 0)) return std::numeric_limits<D>::min();
    return (D)t;
  }
};
bool is_nan(uint32_t u) { return (u & 0x7fffffff) > 0x7f800000; }
// .rna: the nearest of 10 bits of mantissa, and of two that are equally near the one away from
// zero.
struct ToTf32 {
  static uint32_t f(float a) {
    const uint32_t u = bits<uint32_t>(a);
    if (is_nan(u)) return 0x7fffffff;
    return (u & 0x7f800000) == 0x7f800000 ? u : (u + 0x1000) & 0xffffe000;
  }
};
struct ToBf16 {
  static uint16_t f(float a) {
    const uint32_t u = bits<uint32_t>(a);
    return is_nan(u) ? 0x7fff : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
};

}  // namespace

void add_conversion_forms(Forms& f) {
  convert<int64_t, int32_t, To<int64_t>>(f, "cvt.s64.s32"), convert<uint64_t, uint32_t, To<uint64_t>>(f, "cvt.u64.u32");
  convert<uint32_t, uint64_t, To<uint32_t>>(f, "cvt.u32.u64"), convert<uint16_t, uint32_t, To<uint16_t>>(f, "cvt.u16.u32");
  convert<uint32_t, uint16_t, To<uint32_t>>(f, "cvt.u32.u16"), convert<uint64_t, uint16_t, To<uint64_t>>(f, "cvt.u64.u16");
  convert<int32_t, int16_t, To<int32_t>>(f, "cvt.s32.s16");
  convert<float, int32_t, To<float>>(f, "cvt.rn.f32.s32"), convert<float, uint32_t, To<float>>(f, "cvt.rn.f32.u32");
  convert<float, uint16_t, To<float>>(f, "cvt.rn.f32.u16"), convert<double, int32_t, To<double>>(f, "cvt.rn.f64.s32");
  convert<double, uint32_t, To<double>>(f, "cvt.rn.f64.u32"), convert<double, int64_t, To<double>>(f, "cvt.rn.f64.s64");
  convert<double, float, To<double>>(f, "cvt.f64.f32"), convert<float, double, To<float>>(f, "cvt.rn.f32.f64");
  convert<int32_t, float, Truncate<int32_t>>(f, "cvt.rzi.s32.f32"), convert<uint32_t, float, Truncate<uint32_t>>(f, "cvt.rzi.u32.f32");
  convert<int32_t, double, Truncate<int32_t>>(f, "cvt.rzi.s32.f64");
  convert<uint32_t, float, ToTf32>(f, "cvt.rna.tf32.f32"), convert<uint16_t, float, ToBf16>(f, "cvt.rn.bf16.f32");
}

}  // namespace ptx
