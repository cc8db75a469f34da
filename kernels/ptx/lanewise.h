// lanewise.h: instructions that do the same in every lane, from a function of values.
#pragma once
#include "forms.h"

namespace ptx {

template <class D, class A, class F> void unary(Warp& w, const Op& o) {
  auto* d = reg<D>(w, o.d);
  const auto* a = reg<A>(w, o.a);
  lanes(w.m, [=](int i) { d[i] = put<D>(F::f(get<A>(a[i]))); });
}
template <class D, class A, class B, class F> void binary(Warp& w, const Op& o) {
  auto* d = reg<D>(w, o.d);
  const auto* a = reg<A>(w, o.a);
  const auto* b = reg<B>(w, o.b);
  lanes(w.m, [=](int i) { d[i] = put<D>(F::f(get<A>(a[i]), get<B>(b[i]))); });
}
template <class D, class A, class C, class F> void ternary(Warp& w, const Op& o) {
  auto* d = reg<D>(w, o.d);
  const auto *a = reg<A>(w, o.a), *b = reg<A>(w, o.b);
  const auto* c = reg<C>(w, o.c);
  lanes(w.m, [=](int i) { d[i] = put<D>(F::f(get<A>(a[i]), get<A>(b[i]), get<C>(c[i]))); });
}

struct Same {
  template <class T> static T f(T a) { return a; }
};

// of<T>::type is the PTX type of a C++ type.
template <class T> struct of;
template <> struct of<int16_t> { static constexpr Type type = Type::s16; };
template <> struct of<uint16_t> { static constexpr Type type = Type::u16; };
template <> struct of<int32_t> { static constexpr Type type = Type::s32; };
template <> struct of<uint32_t> { static constexpr Type type = Type::u32; };
template <> struct of<int64_t> { static constexpr Type type = Type::s64; };
template <> struct of<uint64_t> { static constexpr Type type = Type::u64; };
template <> struct of<float> { static constexpr Type type = Type::f32; };
template <> struct of<double> { static constexpr Type type = Type::f64; };

// Forms of one type for all operands, and those that have several types.
template <class T, class F> void form1(Forms& f, const char* name) { f.plain(name, unary<T, T, F>, of<T>::type, {of<T>::type}); }
template <class T, class F> void form2(Forms& f, const char* name) { f.plain(name, binary<T, T, T, F>, of<T>::type, {of<T>::type, of<T>::type}); }
template <class T, class F> void form3(Forms& f, const char* name) { f.plain(name, ternary<T, T, T, F>, of<T>::type, {of<T>::type, of<T>::type, of<T>::type}); }
template <class D, class A, class F> void convert(Forms& f, const char* name) { f.plain(name, unary<D, A, F>, of<D>::type, {of<A>::type}); }

}  // namespace ptx
