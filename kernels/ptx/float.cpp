// float.cpp: arithmetic of floats. The host rounds to nearest even, as .rn does, which is the
// default; nothing flushes subnormal numbers but what has .ftz.
#include <math.h>

#include <limits>

#include "lanewise.h"

namespace ptx {
namespace {

struct Add { template <class T> static T f(T a, T b) { return a + b; } };
struct Sub { template <class T> static T f(T a, T b) { return a - b; } };
struct Mul { template <class T> static T f(T a, T b) { return a * b; } };
struct Div { template <class T> static T f(T a, T b) { return a / b; } };
struct Neg { template <class T> static T f(T a) { return -a; } };
struct Abs { template <class T> static T f(T a) { return std::fabs(a); } };
struct Sqrt { template <class T> static T f(T a) { return std::sqrt(a); } };
struct Fma { template <class T> static T f(T a, T b, T c) { return std::fma(a, b, c); } };
// If one operand is NaN, the result is the other; -0 is below +0.
struct Min {
  template <class T> static T f(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    return a == b ? (std::signbit(a) ? a : b) : a < b ? a : b;
  }
};
struct Max {
  template <class T> static T f(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    return a == b ? (std::signbit(a) ? b : a) : a > b ? a : b;
  }
};

float flush(float x) { return fabsf(x) < std::numeric_limits<float>::min() ? copysignf(0, x) : x; }
// The error of an approximation is a function of its operand, as on a GPU: here it is as large as
// it may be, up or down.
double error(float x) { return (bits<uint32_t>(x) * 0x9E3779B1u >> 17 & 1 ? 1 : -1) * 0x1p-22; }

// ex2.approx.ftz.f32: a relative error of at most 2^-22.
struct Exp2 {
  static float f(float a) {
    a = flush(a);
    double r = exp2((double)a);
    if (settings().approximate) r *= 1 + error(a);
    return flush((float)r);
  }
};
// lg2.approx.ftz.f32: an absolute error of at most 2^-22 in (0.5, 2), elsewhere a relative one.
struct Log2 {
  static float f(float a) {
    a = flush(a);
    double r = log2((double)a);
    if (settings().approximate && std::isfinite(r)) r = a > 0.5f && a < 2 ? r + error(a) : r * (1 + error(a));
    return flush((float)r);
  }
};

template <class T> void both(Forms& f, const std::string& type) {
  for (const char* rn : {"", ".rn"}) {
    form2<T, Add>(f, ("add" + (rn + type)).c_str());
    form2<T, Sub>(f, ("sub" + (rn + type)).c_str());
    form2<T, Mul>(f, ("mul" + (rn + type)).c_str());
  }
  form2<T, Div>(f, ("div.rn" + type).c_str());
  form3<T, Fma>(f, ("fma.rn" + type).c_str());
  form1<T, Sqrt>(f, ("sqrt.rn" + type).c_str());
  form1<T, Neg>(f, ("neg" + type).c_str());
  form1<T, Abs>(f, ("abs" + type).c_str());
  form2<T, Min>(f, ("min" + type).c_str());
  form2<T, Max>(f, ("max" + type).c_str());
}

}  // namespace

void add_float_forms(Forms& f) {
  both<float>(f, ".f32");
  both<double>(f, ".f64");
  form1<float, Exp2>(f, "ex2.approx.ftz.f32");
  form1<float, Log2>(f, "lg2.approx.ftz.f32");
}

}  // namespace ptx
