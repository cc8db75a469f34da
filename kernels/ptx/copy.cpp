// copy.cpp: cp.async. A copy lands when its thread waits for it: until then its destination cannot
// be read, and must not be written.
#include <algorithm>

#include "forms.h"

namespace ptx {
namespace {

const uint8_t ON_ITS_WAY = 0xff;

void copy(Warp& w, const Op& o) {  // [to], [from], size {, bytes of the source}
  w.copies.emplace_back();
  Copy& c = w.copies.back();
  c.mask = w.m;
  c.size = o.size;
  c.op = o.index;
  each(w.m, [&](int i) {
    const uint32_t take = o.c == NOTHING ? o.size : reg<uint32_t>(w, o.c)[i];
    if (take > o.size) fault(w, o, i, "a copy of %u bytes takes %u", o.size, take);
    const uint32_t to = address32(w, o, i);
    uint8_t* p = shared(w, o, i, to, o.size, o.size);
    note_copy(w, o, i, to, o.size);
    const uint64_t from = reg<uint64_t>(w, o.b)[i] + (uint64_t)o.offset2;
    if (from % o.size) fault(w, o, i, "misaligned: a copy of %u bytes from global address %#llx", o.size, (unsigned long long)from);
    memset(c.data[i], 0, sizeof c.data[i]);  // the rest of the destination becomes 0
    if (take) read_global(w, o, i, from, c.data[i], take, 1);
    c.to[i] = to;
    c.group[i] = w.committed[i];
    memset(p, ON_ITS_WAY, o.size);
  });
}
void commit(Warp& w, const Op&) {
  each(w.m, [&](int i) { w.committed[i]++; });
}
void wait(Warp& w, const Op& o) {  // for all groups but the youngest o.target
  Block& b = *w.block;
  for (Copy& c : w.copies)
    each(c.mask & w.m, [&](int i) {
      if (c.group[i] + o.target >= w.committed[i]) return;
      uint8_t* p = b.shared.data() + (c.to[i] - b.base);
      for (int k = 0; k < c.size; k++)
        if (p[k] != ON_ITS_WAY) fault(w, w.code->ops[c.op], i, "race in shared memory: %#x was written while a copy to it was on its way", c.to[i]);
      memcpy(p, c.data[i], (size_t)c.size);
      // Its bytes are there from now on: as if the thread had written them here.
      note_write(w, w.code->ops[c.op], i, c.to[i], (uint32_t)c.size);
      c.mask &= ~(1u << i);
    });
  w.copies.erase(std::remove_if(w.copies.begin(), w.copies.end(), [](const Copy& c) { return !c.mask; }), w.copies.end());
}

void decode_copy(Decoder& d, const Form& f) {
  if (d.in->operands.size() != 4) d.want(3);
  Op& o = *d.op;
  o.size = (uint8_t)d.immediate(d.operand(2), 16);
  if (o.size != 16 && (f.mode || (o.size != 4 && o.size != 8))) d.fail("copies have 4, 8 or 16 bytes, past the L1 cache 16");
  const Decoder::Address from = d.address(d.operand(1), false);
  o.b = from.offset;
  o.offset2 = from.add;
  d.base(d.operand(0), true);
  o.c = d.in->operands.size() == 4 ? d.source(d.operand(3), Type::u32) : NOTHING;
}
void decode_wait(Decoder& d, const Form&) {
  d.want(1);
  d.op->target = d.immediate(d.operand(0), 64);
}

}  // namespace

// What is in flight when its thread ends may write shared memory that another block has by then.
void end_lanes(Warp& w, const Op& o, uint32_t lanes) {
  if (!w.multiplies.empty()) fault(w, o, __builtin_ctz(lanes), "the thread ends while a wgmma is in flight");
  for (const Copy& c : w.copies)
    if (const uint32_t m = c.mask & lanes) fault(w, o, __builtin_ctz(m), "the thread ends while a cp.async is on its way");
}

void add_copy_forms(Forms& f) {
  f.special("cp.async.ca.shared.global", decode_copy, copy);
  f.special("cp.async.cg.shared.global", decode_copy, copy, PLAIN, false, 1);
  f.special("cp.async.commit_group", [](Decoder& d, const Form&) { d.want(0); }, commit);
  f.special("cp.async.wait_group", decode_wait, wait);
}

}  // namespace ptx
