// wgmma.cpp: products of warpgroups.
//
// wgmma.mma_async takes its operands from shared memory some time between its issue and the wait
// for it. So they are read at both and must be the same. Its accumulators hold NaNs meanwhile,
// which must be there at the wait. A row or column of an operand that nothing has written spoils
// that row or column of the product and no other.
#include <algorithm>
#include <set>

#include "forms.h"
#include "matrix.h"

namespace ptx {
namespace {

const uint32_t IN_FLIGHT = 0x7fdeadbe;  // a NaN

uint16_t read_element(Warp& w, const Op& o, uint32_t a, bool* known) {
  const uint8_t* p = shared(w, o, 0, a, 2, 2);
  if (known) {
    const Word& k = w.block->words[(a - w.block->base) / 4];
    const uint8_t m = (uint8_t)(3 << a % 4);
    *known &= (k.written & m) == m;
    if (k.arriving & m) fault(w, o, 0, "race in shared memory: wgmma reads %#x, where a copy that was not waited for arrives", a);
    check_proxy(w, o, 0, k, a, "wgmma reads");
  }
  uint16_t v;
  memcpy(&v, p, 2);
  return v;
}

// gather reads the operands of a warp: 16 of the 64 rows, and all columns. At the issue it also
// says which have values throughout.
struct Known {
  bool rows[16], columns[256];
};
void gather(Warp& w, const Op& o, const Multiply& g, std::vector<uint16_t>& rows, std::vector<uint16_t>& columns, Known* known) {
  rows.resize(16 * 16);
  columns.resize((size_t)g.n * 16);
  for (int r = 0; r < 16; r++)
    for (int k = 0; k < 16; k++)
      rows[(size_t)(r * 16 + k)] = read_element(w, o, element(g.a, g.transposed_a, 16 * (w.index % 4) + r, k), known ? &known->rows[r] : nullptr);
  for (int k = 0; k < 16; k++)
    for (int n = 0; n < g.n; n++) columns[(size_t)(k * g.n + n)] = read_element(w, o, element(g.b, g.transposed_b, n, k), known ? &known->columns[n] : nullptr);
}

void check_descriptor(Warp& w, const Op& o, uint64_t d, char which) {
  const int mode = (int)(d >> 62), width = mode ? 4 - mode : 0;
  const uint32_t start = (uint32_t)(d & 0x3fff) << 4;
  if (d & 0x3ff1c000c000c000ull) fault(w, o, 0, "descriptor %c has bits that are not defined: %#llx", which, (unsigned long long)d);
  if (d >> 49 & 7) fault(w, o, 0, "descriptor %c has a base offset, which the machine does not know", which);
  // Without a base offset the pattern begins at a multiple of its size; the start may lie in its
  // first line, one step of k further.
  if (start >> 7 & ((1u << width) - 1)) fault(w, o, 0, "descriptor %c begins at %#x, not in the first line of a swizzle's pattern", which, start);
}

void issue(Warp& w, const Op& o) {
  Multiply g;
  const auto *a = reg<uint64_t>(w, o.a), *b = reg<uint64_t>(w, o.b);
  for (int i = 1; i < 32; i++)
    if (a[i] != a[0] || b[i] != b[0]) fault(w, o, i, "the descriptors differ between lanes");
  g.a = a[0];
  g.b = b[0];
  g.list = o.list;
  g.n = o.count;
  g.accumulate = o.mode & 1;
  g.transposed_a = o.mode & 2;
  g.transposed_b = o.mode & 4;
  g.committed = false;
  g.group = 0;
  g.op = o.index;
  check_descriptor(w, o, g.a, 'a');
  check_descriptor(w, o, g.b, 'b');
  if (w.block->threads() % 128) fault(w, o, 0, "lanes missing: the block has a warpgroup of less than four warps");
  auto& agreed = w.block->descriptors[w.index / 4];
  if (agreed.size() <= w.multiplied) agreed.push_back({g.a, g.b});
  else if (agreed[w.multiplied] != std::make_pair(g.a, g.b)) fault(w, o, 0, "the descriptors differ between warps of the warpgroup");
  w.multiplied++;
  Known known;
  std::fill(std::begin(known.rows), std::end(known.rows), true);
  std::fill(std::begin(known.columns), std::end(known.columns), true);
  gather(w, o, g, g.rows, g.columns, &known);
  const uint32_t *l = &w.code->lists[o.list], *names = &w.code->lists[o.names];
  const size_t n = (size_t)g.n / 2;
  const auto [f, fresh] = w.accumulators.insert({l[0], {}});
  Warp::Accumulators& acc = f->second;
  if (fresh) {
    acc.values.resize(n * 32);
    for (size_t r = 0; r < n; r++) {
      memcpy(&acc.values[r * 32], reg<uint32_t>(w, l[r]), 128);
      acc.known.push_back(w.known[names[r]]);
      for (int t = 0; t < 32; t++) reg<uint32_t>(w, l[r])[t] = IN_FLIGHT;
      w.known[names[r]] = 0;
    }
  } else {
    if (acc.known.size() != n) fault(w, o, 0, "the accumulators are in flight in another shape");
    for (size_t r = 0; r < n; r++)
      for (int t = 0; t < 32; t++)
        if (reg<uint32_t>(w, l[r])[t] != IN_FLIGHT) fault(w, o, t, "accumulator %zu was written while a wgmma was in flight", r);
  }
  for (size_t r = 0; r < n; r++)
    for (int t = 0; t < 32; t++) {
      const Place p = place_accumulator(t, (int)r);
      if (!g.accumulate) acc.known[r] |= 1u << t;
      if (!known.rows[p.row] || !known.columns[p.column]) acc.known[r] &= ~(1u << t);
    }
  w.multiplies.push_back(std::move(g));
}

void commit(Warp& w, const Op&) {
  for (Multiply& g : w.multiplies)
    if (!g.committed) g.committed = true, g.group = w.multiply_groups;
  w.multiply_groups++;
}

float of_bf16(uint16_t v) { return bits<float>((uint32_t)v << 16); }

void finish(Warp& w, const Multiply& g) {
  const Op& o = w.code->ops[g.op];
  std::vector<uint16_t> rows, columns;
  gather(w, o, g, rows, columns, nullptr);
  if (rows != g.rows || columns != g.columns) fault(w, o, 0, "race in shared memory: an operand of wgmma was written while it was in flight");
  std::vector<float> a, b, c((size_t)16 * g.n);
  for (const uint16_t v : rows) a.push_back(of_bf16(v));
  for (const uint16_t v : columns) b.push_back(of_bf16(v));
  std::vector<uint32_t>& values = w.accumulators[w.code->lists[g.list]].values;
  const auto each_c = [&](const auto& f) {
    for (int r = 0; r < g.n / 2; r++)
      for (int t = 0; t < 32; t++) f(values[(size_t)(r * 32 + t)], c[(size_t)(place_accumulator(t, r).row * g.n + place_accumulator(t, r).column)]);
  };
  if (g.accumulate) each_c([](uint32_t v, float& x) { x = bits<float>(v); });
  product(16, g.n, 16, 16, a.data(), b.data(), c.data());
  each_c([](uint32_t& v, float x) { v = bits<uint32_t>(x); });
}

void wait(Warp& w, const Op& o) {  // for all groups but the youngest o.target
  size_t n = 0;
  while (n < w.multiplies.size() && w.multiplies[n].committed && w.multiplies[n].group + o.target < w.multiply_groups) finish(w, w.multiplies[n++]);
  std::set<uint32_t> open;
  for (size_t i = n; i < w.multiplies.size(); i++) open.insert(w.code->lists[w.multiplies[i].list]);
  for (size_t i = 0; i < n; i++) {
    const uint32_t* l = &w.code->lists[w.multiplies[i].list];
    const auto f = w.accumulators.find(l[0]);
    if (open.count(l[0]) || f == w.accumulators.end()) continue;
    const uint32_t* names = &w.code->lists[w.code->ops[w.multiplies[i].op].names];
    for (size_t r = 0; r < f->second.known.size(); r++) {
      for (int t = 0; t < 32; t++)
        if (reg<uint32_t>(w, l[r])[t] != IN_FLIGHT) fault(w, o, t, "accumulator %zu was written while a wgmma was in flight", r);
      memcpy(reg<uint32_t>(w, l[r]), &f->second.values[r * 32], 128);
      w.known[names[r]] = f->second.known[r];
    }
    w.accumulators.erase(f);
  }
  w.multiplies.erase(w.multiplies.begin(), w.multiplies.begin() + (long)n);
}
void fence(Warp& w, const Op&) { w.synced++; }

// wgmma.mma_async d, a, b, scale-d, imm-scale-a, imm-scale-b, imm-trans-a, imm-trans-b
void decode_multiply(Decoder& d, const Form& f) {
  d.want(8);
  Op& o = *d.op;
  o.count = (uint8_t)f.count;
  o.mode = (uint8_t)(d.immediate(d.operand(3), 1) | d.immediate(d.operand(6), 1) << 1 | d.immediate(d.operand(7), 1) << 2);
  if (d.immediate(d.operand(4), 1) != 1 || d.immediate(d.operand(5), 1) != 1) d.fail("the machine does not know operands with a sign");
  o.list = d.list(d.operand(0), Type::f32, true, (size_t)f.count / 2);
  o.names = d.names(d.operand(0));
  o.unwritten = OWN_RESULT;
  o.a = d.source(d.operand(1), Type::b64);
  o.b = d.source(d.operand(2), Type::b64);
}
void decode_nothing(Decoder& d, const Form&) { d.want(0); }

}  // namespace

void add_wgmma_forms(Forms& f) {
  f.special("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16", decode_multiply, issue, SYNC, true, 0, 64);
  f.special("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16", decode_multiply, issue, SYNC, true, 0, 128);
  f.special("wgmma.fence.sync.aligned", decode_nothing, fence, SYNC, true);
  f.special("wgmma.commit_group.sync.aligned", decode_nothing, commit, SYNC, true);
  f.special("wgmma.wait_group.sync.aligned", [](Decoder& d, const Form&) {
    d.want(1);
    d.op->target = d.immediate(d.operand(0), 7);
  }, wait, SYNC, true);
}

}  // namespace ptx
