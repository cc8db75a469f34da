// warp.cpp: what the lanes of a warp do together.
#include "forms.h"

namespace ptx {
namespace {

enum Mode { BFLY, IDX };

// shfl.sync d|p, a, b, c, mask: c has the highest lane of a segment and, from bit 8 on, the bits of
// a lane that choose the segment.
template <Mode MODE> void shuffle(Warp& w, const Op& o) {
  uint32_t a[32], p = 0;
  memcpy(a, reg<uint32_t>(w, o.a), sizeof a);
  auto* d = reg<uint32_t>(w, o.d);
  const auto *b = reg<uint32_t>(w, o.b), *c = reg<uint32_t>(w, o.c);
  each(w.m, [&](int i) {
    const int by = (int)(b[i] & 31), clamp = (int)(c[i] & 31), segment = (int)(c[i] >> 8 & 31);
    const int most = (i & segment) | (clamp & ~segment), least = i & segment;
    int j = MODE == BFLY ? i ^ by : least | (by & ~segment);
    const bool in = j <= most;
    if (!in) j = i;
    if (!(w.m >> j & 1)) fault(w, o, i, "shfl.sync from lane %d, which takes no part", j);
    d[i] = a[j];
    p |= (uint32_t)in << i;
  });
  if (o.d2 != NOTHING) {
    uint32_t& q = predicate(w, o.d2);
    q = (q & ~w.m) | p;
  }
  w.synced++;
}
void barrier(Warp& w, const Op&) { w.synced++; }

void decode_shuffle(Decoder& d, const Form&) {
  d.want(5);
  Op& o = *d.op;
  o.d = d.destination(d.operand(0), Type::b32);
  if (const int p = d.operand(0).second; p >= 0) {
    o.d2 = d.offsets[(size_t)p];
    d.writes.push_back((uint32_t)p);
  }
  o.a = d.source(d.operand(1), Type::b32);
  o.b = d.source(d.operand(2), Type::b32);
  o.c = d.source(d.operand(3), Type::b32);
  o.e = d.source(d.operand(4), Type::b32);
}

}  // namespace

void add_warp_forms(Forms& f) {
  f.special("shfl.sync.bfly.b32", decode_shuffle, shuffle<BFLY>, SYNC);
  f.special("shfl.sync.idx.b32", decode_shuffle, shuffle<IDX>, SYNC);
  f.special("bar.warp.sync", [](Decoder& d, const Form&) {
    d.want(1);
    d.op->e = d.source(d.operand(0), Type::b32);
  }, barrier, SYNC);
}

}  // namespace ptx
