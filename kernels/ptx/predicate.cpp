// predicate.cpp: comparisons, choices, and logic on predicates. A predicate is a mask of lanes.
#include "lanewise.h"

namespace ptx {
namespace {

void set(Warp& w, uint32_t offset, uint32_t value) {
  uint32_t& p = predicate(w, offset);
  p = (p & ~w.m) | (value & w.m);
}

template <class T, class F> void compare(Warp& w, const Op& o) {
  const auto *a = reg<T>(w, o.a), *b = reg<T>(w, o.b);
  uint32_t r = 0;
  for (int i = 0; i < 32; i++) r |= (uint32_t)F::f(get<T>(a[i]), get<T>(b[i])) << i;
  set(w, o.d, r);
}
template <class T> void choose(Warp& w, const Op& o) {
  auto* d = reg<T>(w, o.d);
  const auto *a = reg<T>(w, o.a), *b = reg<T>(w, o.b);
  const uint32_t p = predicate(w, o.c);
  lanes(w.m, [=](int i) { d[i] = p >> i & 1 ? a[i] : b[i]; });
}

#define COMPARE(name, expression) \
  struct name { template <class T> static bool f(T a, T b) { return expression; } }
COMPARE(Lt, a < b);
COMPARE(Le, a <= b);
COMPARE(Gt, a > b);
COMPARE(Ge, a >= b);
COMPARE(Eq, a == b);
COMPARE(Ne, a < b || a > b);  // of floats: not equal, and neither is NaN
// With u a comparison of floats holds where one of them is NaN.
COMPARE(Ltu, !(a >= b));
COMPARE(Leu, !(a > b));
COMPARE(Gtu, !(a <= b));
COMPARE(Geu, !(a < b));
COMPARE(Equ, !(a < b || a > b));
COMPARE(Neu, !(a == b));
COMPARE(Num, a == a && b == b);
COMPARE(Nan, a != a || b != b);
#undef COMPARE

enum Logic { AND, OR, XOR, NOT, MOVE };
template <Logic L> void logic(Warp& w, const Op& o) {
  const uint32_t a = predicate(w, o.a), b = L == NOT || L == MOVE ? 0 : predicate(w, o.b);
  set(w, o.d, L == AND ? a & b : L == OR ? a | b : L == XOR ? a ^ b : L == NOT ? ~a : a);
}

template <class T, class F> void one(Forms& f, const char* comparison, const char* type) {
  f.plain(std::string("setp.") + comparison + type, compare<T, F>, Type::pred, {of<T>::type, of<T>::type});
}
template <class T> void equality(Forms& f, const char* type) {
  one<T, Eq>(f, "eq", type);
  one<T, Ne>(f, "ne", type);
}
template <class T> void ordered(Forms& f, const char* type) {
  equality<T>(f, type);
  one<T, Lt>(f, "lt", type);
  one<T, Le>(f, "le", type);
  one<T, Gt>(f, "gt", type);
  one<T, Ge>(f, "ge", type);
}
template <class T> void unordered(Forms& f, const char* type) {
  ordered<T>(f, type);
  one<T, Ltu>(f, "ltu", type);
  one<T, Leu>(f, "leu", type);
  one<T, Gtu>(f, "gtu", type);
  one<T, Geu>(f, "geu", type);
  one<T, Equ>(f, "equ", type);
  one<T, Neu>(f, "neu", type);
  one<T, Num>(f, "num", type);
  one<T, Nan>(f, "nan", type);
}

}  // namespace

void add_predicate_forms(Forms& f) {
  ordered<int16_t>(f, ".s16"), ordered<uint16_t>(f, ".u16"), equality<uint16_t>(f, ".b16");
  ordered<int32_t>(f, ".s32"), ordered<uint32_t>(f, ".u32"), equality<uint32_t>(f, ".b32");
  ordered<int64_t>(f, ".s64"), ordered<uint64_t>(f, ".u64"), equality<uint64_t>(f, ".b64");
  unordered<float>(f, ".f32"), unordered<double>(f, ".f64");
  for (const char* t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"}) {
    const Type type = type_named(t);
    const Handler h = size_of(type) == 2 ? choose<uint16_t> : size_of(type) == 4 ? choose<uint32_t> : choose<uint64_t>;
    f.plain(std::string("selp.") + t, h, type, {type, type, Type::pred}, PASS_ON_CHOSEN);
  }
  f.plain("and.pred", logic<AND>, Type::pred, {Type::pred, Type::pred});
  f.plain("or.pred", logic<OR>, Type::pred, {Type::pred, Type::pred});
  f.plain("xor.pred", logic<XOR>, Type::pred, {Type::pred, Type::pred});
  f.plain("not.pred", logic<NOT>, Type::pred, {Type::pred});
  f.plain("mov.pred", logic<MOVE>, Type::pred, {Type::pred});
}

}  // namespace ptx
