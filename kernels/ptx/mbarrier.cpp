// mbarrier.cpp: mbarriers in shared memory, and the fences of the async proxy.
#include <set>

#include "forms.h"
#include "tma.h"

namespace ptx {

Mbarrier& mbarrier_at(Warp& w, const Op& o, int lane, uint32_t a) {
  shared(w, o, lane, a, 8, 8);
  const auto f = w.block->mbarriers.find(a);
  if (f == w.block->mbarriers.end()) fault(w, o, lane, "there is no mbarrier at shared address %#x", a);
  Mbarrier& m = f->second;
  if (m.thread / 32 != w.index && m.epoch == w.block->epoch) fault(w, o, lane, "race: thread %d initialises the mbarrier, and no barrier came since", m.thread);
  return m;
}

void advance(Block& b, Mbarrier& m) {
  if (m.pending || m.bytes) return;
  m.phase ^= 1;
  m.pending = m.expected;
  b.progress = true;
}

namespace {

void init(Warp& w, const Op& o) {
  each(w.m, [&](int i) {
    const uint32_t a = address32(w, o, i), n = reg<uint32_t>(w, o.b)[i];
    shared(w, o, i, a, 8, 8);
    if (n < 1 || n >= 1 << 20) fault(w, o, i, "an mbarrier for %u arrivals", n);
    note_write(w, o, i, a, 8);
    Mbarrier m;
    m.expected = m.pending = n;
    m.thread = (uint16_t)(w.index * 32 + i);
    m.fences = (uint32_t)w.fences[i].size();
    m.epoch = w.block->epoch;
    w.block->mbarriers[a] = m;
  });
}

// mbarrier.arrive.expect_tx: more bytes are expected, and then the thread arrives.
void arrive_expect(Warp& w, const Op& o) {
  each(w.m, [&](int i) {
    Mbarrier& m = mbarrier_at(w, o, i, address32(w, o, i));
    m.bytes += reg<uint32_t>(w, o.b)[i];
    if (m.bytes >= 1 << 20) fault(w, o, i, "an mbarrier that expects %lld bytes", (long long)m.bytes);
    if (!m.pending) fault(w, o, i, "more arrivals than the mbarrier expects");
    m.pending--;
    w.arrived |= 1u << i;
    w.block->arrivals = true;
    advance(*w.block, m);
  });
}

// mbarrier.try_wait.parity says whether the phase of that parity is over: the phase under way has
// the other parity.
void try_wait(Warp& w, const Op& o) {
  std::set<uint32_t> asked;
  each(w.m, [&](int i) { asked.insert(address32(w, o, i)); });
  for (const uint32_t a : asked) arrive_transfers(*w.block, a);
  uint32_t over = 0;
  each(w.m, [&](int i) {
    const uint32_t parity = reg<uint32_t>(w, o.b)[i];
    if (parity > 1) fault(w, o, i, "parity %u", parity);
    if (mbarrier_at(w, o, i, address32(w, o, i)).phase != parity) over |= 1u << i;
  });
  uint32_t& p = predicate(w, o.d);
  p = (p & ~w.m) | over;
  w.waiting = over != w.m;
}

void fence_async(Warp& w, const Op&) {
  each(w.m, [&](int i) { w.fences[i].push_back(w.block->epoch); });
}

}  // namespace

void add_mbarrier_forms(Forms& f) {
  f.special("mbarrier.init.shared::cta.b64", [](Decoder& d, const Form&) {
    d.want(2);
    d.base(d.operand(0), true);
    d.op->b = d.source(d.operand(1), Type::u32);
  }, init);
  f.special("mbarrier.arrive.expect_tx.shared::cta.b64", [](Decoder& d, const Form&) {
    d.want(3);
    if (d.operand(0).kind != Operand::sink) d.fail("the machine does not know the state of an mbarrier");
    d.base(d.operand(1), true);
    d.op->b = d.source(d.operand(2), Type::u32);
  }, arrive_expect);
  f.special("mbarrier.try_wait.parity.shared::cta.b64", [](Decoder& d, const Form&) {
    d.want(3);
    d.op->d = d.destination(d.operand(0), Type::pred);
    d.base(d.operand(1), true);
    d.op->b = d.source(d.operand(2), Type::u32);
  }, try_wait, WAIT);
  f.special("fence.proxy.async.shared::cta", [](Decoder& d, const Form&) { d.want(0); }, fence_async);
}

}  // namespace ptx
