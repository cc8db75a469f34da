// memory.cpp: ld, st and atom. An access is aligned to its size, which is that of the whole vector.
#include "forms.h"

namespace ptx {
namespace {

enum Space { GENERIC, GLOBAL, SHARED, PARAM };

// fetch_shared reads a vector and says which of its elements have values: a bit for each.
uint32_t fetch_shared(Warp& w, const Op& o, int i, uint32_t a, uint8_t* to) {
  const uint32_t bytes = o.size * o.count;
  memcpy(to, shared(w, o, i, a, bytes, bytes), bytes);
  if (note_read(w, o, i, a, bytes)) return ~0u;
  uint32_t known = 0;
  for (uint32_t n = 0; n < o.count; n++) known |= (uint32_t)note_read(w, o, i, a + n * o.size, o.size) << n;
  return known;
}

template <Space SPACE> uint32_t fetch(Warp& w, const Op& o, int i, uint8_t* to) {
  if (SPACE == SHARED) return fetch_shared(w, o, i, address32(w, o, i), to);
  const uint64_t a = address64(w, o, i);
  const uint32_t bytes = o.size * o.count;
  if (SPACE == PARAM) {
    memcpy(to, param(w, o, i, a, bytes, bytes), bytes);
  } else if (SPACE == GENERIC && in_window(a, shared_window)) {
    return fetch_shared(w, o, i, (uint32_t)(a - shared_window), to);
  } else if (SPACE == GENERIC && in_window(a, param_window)) {
    memcpy(to, param(w, o, i, a - param_window, bytes, bytes), bytes);
  } else {
    read_global(w, o, i, a, to, bytes, bytes);
  }
  return ~0u;
}

template <Space SPACE> void load(Warp& w, const Op& o) {
  const uint32_t *l = &w.code->lists[o.list], *names = &w.code->lists[o.names];
  each(w.m, [&](int i) {
    uint8_t from[16];
    const uint32_t known = fetch<SPACE>(w, o, i, from);
    for (int n = 0; n < o.count; n++) {
      if (l[n] == NOTHING) continue;
      uint32_t& k = w.known[names[n]];
      k = (k & ~(1u << i)) | (known >> n & 1) << i;
      uint64_t v = 0;
      memcpy(&v, from + n * o.size, o.size);
      const int unused = 64 - 8 * o.size;
      if (o.sign) v = (uint64_t)((int64_t)(v << unused) >> unused);
      if (o.register_size == 8) reg<uint64_t>(w, l[n])[i] = v;
      else reg<uint32_t>(w, l[n])[i] = o.register_size == 2 ? (uint32_t)v & 0xffff : (uint32_t)v;
    }
  });
}

template <Space SPACE> void store(Warp& w, const Op& o) {
  const uint32_t *l = &w.code->lists[o.list], *names = &w.code->lists[o.names];
  const uint32_t bytes = o.size * o.count;
  each(w.m, [&](int i) {
    uint8_t from[16];
    bool known[4];
    for (int n = 0; n < o.count; n++) {
      known[n] = names[n] == NOTHING || (w.known[names[n]] >> i & 1);
      const uint64_t v = o.register_size == 8 ? reg<uint64_t>(w, l[n])[i] : reg<uint32_t>(w, l[n])[i];
      memcpy(from + n * o.size, &v, o.size);
    }
    const uint64_t a = SPACE == SHARED ? address32(w, o, i) : address64(w, o, i);
    if (SPACE == SHARED || (SPACE == GENERIC && in_window(a, shared_window))) {
      const uint32_t x = (uint32_t)(SPACE == SHARED ? a : a - shared_window);
      uint8_t* p = shared(w, o, i, x, bytes, bytes);
      for (int n = 0; n < o.count; n++) note_write(w, o, i, x + (uint32_t)n * o.size, o.size, known[n]);
      memcpy(p, from, bytes);
    } else {
      for (int n = 0; n < o.count; n++)
        if (!known[n]) fault(w, o, i, "uninitialised: a value that nothing has written goes to global memory");
      write_global(w, o, i, a, from, bytes);
    }
  });
}

// A register may be wider than the type in memory.
template <bool LOAD> void decode_access(Decoder& d, const Form& f) {
  d.want(2);
  const Operand &value = d.operand(LOAD ? 0 : 1), &address = d.operand(LOAD ? 1 : 0);
  const Type t = type_named(d.in->parts.back());
  Op& o = *d.op;
  o.size = (uint8_t)size_of(t);
  o.count = (uint8_t)f.count;
  o.sign = t == Type::s8 || t == Type::s16 || t == Type::s32;
  const Operand& first = value.kind == Operand::vector ? value.list.at(0) : value;
  Type in_register = o.size == 1 ? Type::b16 : t;
  if (first.kind == Operand::reg) {
    in_register = d.entry.registers[(size_t)first.reg_index];
    if (in_register == Type::pred || size_of(in_register) < o.size) d.fail("a register is too narrow");
  }
  o.register_size = (uint8_t)size_of(in_register);
  o.list = d.list(value, in_register, LOAD, (size_t)f.count);
  o.names = d.names(value);
  o.unwritten = OWN_RESULT;
  d.reads.clear();  // values that are stored: a store looks at them itself
  d.base(address, f.mode == SHARED);
}

// atom.inc: old >= b ? 0 : old + 1. What the block wrote there before is seen first.
void increment(Warp& w, const Op& o) {
  each(w.m, [&](int i) {
    const uint64_t a = address64(w, o, i);
    uint32_t old;
    read_global(w, o, i, a, (uint8_t*)&old, 4, 4);
    const uint32_t v = old >= reg<uint32_t>(w, o.b)[i] ? 0 : old + 1;
    for (uint64_t k = a; k < a + 4; k++) w.block->pending.erase(k);
    memcpy((void*)a, &v, 4);
    emu::touch(emu::WRITE, (const void*)a, 4);
    if (o.d != NOTHING) reg<uint32_t>(w, o.d)[i] = old;
  });
}
void decode_atom(Decoder& d, const Form&) {
  d.want(3);
  d.op->d = d.optional(d.operand(0), Type::u32);
  d.base(d.operand(1), false);
  d.op->b = d.source(d.operand(2), Type::u32);
}

template <Space SPACE> void accesses(Forms& f, const std::string& space) {
  for (const char* t : {"b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"})
    for (const int n : {1, 2, 4}) {
      if (n * size_of(type_named(t)) > 16) continue;
      const std::string rest = space + (n == 1 ? "." : n == 2 ? ".v2." : ".v4.") + t;
      f.special("ld" + rest, decode_access<true>, load<SPACE>, PLAIN, false, SPACE, n);
      if (SPACE != PARAM) f.special("st" + rest, decode_access<false>, store<SPACE>, PLAIN, false, SPACE, n);
    }
}

}  // namespace

void add_memory_forms(Forms& f) {
  accesses<GENERIC>(f, "");
  accesses<GLOBAL>(f, ".global");
  accesses<SHARED>(f, ".shared");
  accesses<PARAM>(f, ".param");
  f.special("atom.global.inc.u32", decode_atom, increment);
}

}  // namespace ptx
