// move.cpp: mov, which also packs and unpacks vectors and reads the clock, and cvta.
#include <chrono>

#include "lanewise.h"

namespace ptx {
namespace {

// WHOLE is a register of two PARTs, the first one in its low bits.
template <class WHOLE, class PART> void pack(Warp& w, const Op& o) {
  auto* d = reg<WHOLE>(w, o.d);
  const uint32_t* l = &w.code->lists[o.list];
  const auto *low = reg<PART>(w, l[0]), *high = reg<PART>(w, l[1]);
  lanes(w.m, [=](int i) { d[i] = (WHOLE)get<PART>(low[i]) | (WHOLE)get<PART>(high[i]) << 8 * sizeof(PART); });
}
template <class WHOLE, class PART> void unpack(Warp& w, const Op& o) {
  const uint32_t* l = &w.code->lists[o.list];
  auto *low = l[0] == NOTHING ? nullptr : reg<PART>(w, l[0]), *high = l[1] == NOTHING ? nullptr : reg<PART>(w, l[1]);
  const auto* a = reg<WHOLE>(w, o.a);
  each(w.m, [=](int i) {
    const WHOLE v = get<WHOLE>(a[i]);  // may be one of the destinations
    if (low) low[i] = (PART)v;
    if (high) high[i] = (PART)(v >> 8 * sizeof(PART));
  });
}
void read_clock(Warp& w, const Op& o) {
  auto* d = reg<uint64_t>(w, o.d);
  const uint64_t t = (uint64_t)std::chrono::steady_clock::now().time_since_epoch().count();
  lanes(w.m, [=](int i) { d[i] = t; });
}

void decode_move(Decoder& d, const Form& f) {
  d.want(2);
  d.op->unwritten = PASS_ON;
  const Type t = type_named(d.in->parts[1]);
  const Operand &to = d.operand(0), &from = d.operand(1);
  if (from.kind == Operand::vector || to.kind == Operand::vector) {
    if (f.mode == 0) d.fail("mov of vectors is of .b32 and .b64");
    const bool packs = from.kind == Operand::vector, wide = size_of(t) == 8;
    const Type part = wide ? Type::b32 : Type::b16;
    if (packs) {
      d.op->list = d.list(from, part, false, 2);
      d.op->d = d.destination(to, t);
      d.op->execute = wide ? pack<uint64_t, uint32_t> : pack<uint32_t, uint16_t>;
    } else {
      d.op->list = d.list(to, part, true, 2);
      d.op->a = d.source(from, t);
      d.op->execute = wide ? unpack<uint64_t, uint32_t> : unpack<uint32_t, uint16_t>;
    }
    return;
  }
  if (from.kind == Operand::symbol && from.name == "%clock64") {
    if (t != Type::u64) d.fail("the clock is read by mov.u64");
    d.op->execute = read_clock;
  } else {
    d.op->a = d.source(from, t);
  }
  d.op->d = d.destination(to, t);
}

// cvta makes generic addresses of addresses in a window, and back. An address may lie anywhere
// until it is used.
template <bool TO_GENERIC, int WINDOW> void window(Warp& w, const Op& o) {
  auto* d = reg<uint64_t>(w, o.d);
  const auto* a = reg<uint64_t>(w, o.a);
  const uint64_t base = WINDOW == 0 ? shared_window : param_window;
  lanes(w.m, [=](int i) { d[i] = TO_GENERIC ? a[i] + base : a[i] - base; });
}

}  // namespace

void add_move_forms(Forms& f) {
  for (const char* t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"}) {
    const int size = size_of(type_named(t));
    const Handler h = size == 2 ? unary<uint16_t, uint16_t, Same> : size == 4 ? unary<uint32_t, uint32_t, Same> : unary<uint64_t, uint64_t, Same>;
    f.special(std::string("mov.") + t, decode_move, h, PLAIN, false, t[0] == 'b' && size > 2);
  }
  f.plain("cvta.to.global.u64", unary<uint64_t, uint64_t, Same>, Type::u64, {Type::u64});
  f.plain("cvta.shared.u64", window<true, 0>, Type::u64, {Type::u64});
  f.plain("cvta.to.shared.u64", window<false, 0>, Type::u64, {Type::u64});
  f.plain("cvta.param.u64", window<true, 1>, Type::u64, {Type::u64});
}

}  // namespace ptx
