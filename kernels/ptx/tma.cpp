// tma.cpp: cp.async.bulk.tensor, a copy of a box of a tensor into shared memory, which an mbarrier
// counts. It arrives when somebody asks the mbarrier; until then what lies in its place is gone,
// and must not be written.
#include "tma.h"

#include "forms.h"
#include "matrix.h"

namespace ptx {

const uint8_t ON_ITS_WAY = 0xff;

uint64_t sum_of(const TensorMap& m) {
  uint64_t s = 1, v;
  for (size_t i = 0; i + 8 < sizeof m; i += 8) {
    memcpy(&v, (const char*)&m + i, 8);
    s = (s ^ v) * 0x100000001b3ull;
  }
  return s;
}
int element_size(uint32_t type) {
  static const int sizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  return sizes[type];
}

static void arrive(Block& b, size_t i) {
  const Transfer t = std::move(b.transfers[i]);
  b.transfers.erase(b.transfers.begin() + (long)i);
  for (const auto& [to, bytes] : t.pieces) {
    uint8_t* p = b.shared.data() + (to - b.base);
    for (size_t k = 0; k < bytes.size(); k++)
      if (p[k] != ON_ITS_WAY)
        fault(b.warps[0], b.code->ops[t.op], 0, "race in shared memory: %#x was written while a copy of TMA to it was on its way", to);
    memcpy(p, bytes.data(), bytes.size());
    note_arrival(b, to, (uint32_t)bytes.size());
  }
  Mbarrier& m = b.mbarriers[t.barrier];
  m.bytes -= t.bytes;
  advance(b, m);
  b.progress = true;
}
void arrive_transfers(Block& b, uint32_t mbarrier) {
  for (size_t i = 0; i < b.transfers.size();)
    if (b.transfers[i].barrier != mbarrier || b.transfers[i].delay-- > 0) i++;
    else arrive(b, i);
}
void arrive_all(Block& b) {
  while (!b.transfers.empty()) arrive(b, 0);
}

namespace {

// PTX_STALE: what an SM remembers of tensor maps in global memory, by address.
std::map<uint64_t, TensorMap>& remembered() {
  static auto* m = new std::map<uint64_t, TensorMap>;
  return *m;
}

// A map may be among the parameters, which nothing changes while a kernel runs; one in global
// memory needs a fence.
TensorMap map_at(Warp& w, const Op& o, int lane, uint64_t at) {
  TensorMap m;
  if (at % 64) fault(w, o, lane, "misaligned: a tensor map at %#llx is not at a multiple of 64", (unsigned long long)at);
  if (in_window(at, param_window)) {
    memcpy(&m, param(w, o, lane, at - param_window, sizeof m, 64), sizeof m);
  } else {
    read_global(w, o, lane, at, (uint8_t*)&m, sizeof m, 64);
    if (settings().stale) m = remembered().insert({at, m}).first->second;
    if (!w.block->map_fences.count(at)) fault(w, o, lane, "missing fence: a tensor map in global memory is used without fence.proxy.tensormap in this block");
  }
  if (m.magic != MAP_MAGIC || m.sum != sum_of(m)) fault(w, o, lane, "there is no tensor map at %#llx", (unsigned long long)at);
  if (m.rank != 2) fault(w, o, lane, "a tensor map of rank %u for a copy of two dimensions", m.rank);
  return m;
}

void copy(Warp& w, const Op& o) {  // [to], [map, {x, y}], [mbarrier]
  Block& b = *w.block;
  each(w.m, [&](int i) {
    const uint32_t to = reg<uint32_t>(w, o.a)[i], bar = reg<uint32_t>(w, o.c)[i];
    const TensorMap m = map_at(w, o, i, reg<uint64_t>(w, o.b)[i]);
    const uint32_t size = (uint32_t)element_size(m.type), line = m.box[0] * size;
    if (to % 128) fault(w, o, i, "misaligned: a copy of TMA to %#x, no multiple of 128", to);
    if (m.swizzle && to % (128u << m.swizzle)) fault(w, o, i, "misaligned: a copy of TMA to %#x, not to the beginning of a swizzle's pattern", to);
    shared(w, o, i, to, m.box[1] * line, 128);
    const Mbarrier& k = mbarrier_at(w, o, i, bar);
    if (!fenced(b, k.thread, k.fences, w.index)) fault(w, o, i, "missing fence: the async proxy uses the mbarrier at %#x, which was not fenced after its init", bar);
    const uint32_t* l = &w.code->lists[o.list];
    const int64_t x = (int32_t)reg<uint32_t>(w, l[0])[i], y = (int32_t)reg<uint32_t>(w, l[1])[i];
    Transfer t{bar, o.index, m.box[1] * line, settings().late, {}};  // what lies outside the tensor counts as well
    if (settings().seed) t.delay += random_below(4);
    for (uint32_t row = 0; row < m.box[1]; row++)
      for (uint32_t piece = 0; piece < line / 16; piece++) {
        std::vector<uint8_t> bytes(16);
        for (uint32_t e = 0; e < 16 / size; e++) {
          const int64_t column = x + piece * (16 / size) + e, at = y + row;
          if (column < 0 || at < 0 || (uint64_t)column >= m.size[0] || (uint64_t)at >= m.size[1]) continue;  // 0
          read_global(w, o, i, m.address + (uint64_t)at * m.stride[0] + (uint64_t)column * size, &bytes[e * size], size, size);
        }
        const uint32_t a = swizzled(to + row * line + piece * 16, (int)m.swizzle);
        for (uint32_t q = 0; q < 4; q++) {
          Word& word = b.words[(a - b.base) / 4 + q];
          check_proxy(w, o, i, word, a, "TMA writes");
          word = Word();
          word.arriving = 15;
        }
        memset(b.shared.data() + (a - b.base), ON_ITS_WAY, 16);
        t.pieces.push_back({a, std::move(bytes)});
      }
    b.transfers.push_back(std::move(t));
  });
}

void fence_map(Warp& w, const Op& o) {
  each(w.m, [&](int i) {
    const uint64_t a = address64(w, o, i);
    global(w, o, i, a, sizeof(TensorMap), 64);
    w.block->map_fences[a] = true;
    remembered().erase(a);
  });
}

void decode_copy(Decoder& d, const Form&) {
  d.want(3);
  Op& o = *d.op;
  const Operand& tensor = d.operand(1);
  const Decoder::Address to = d.address(d.operand(0), true), map = d.address(tensor, false), bar = d.address(d.operand(2), true);
  if (to.wide || bar.wide || to.add || bar.add || map.add) d.fail("the machine knows addresses in registers here, of 32 bits in shared memory");
  Operand coordinates;
  coordinates.kind = Operand::vector;
  coordinates.list = tensor.list;
  o.list = d.list(coordinates, Type::s32, false, 2);
  o.a = to.offset;
  o.b = map.offset;
  o.c = bar.offset;
}
void decode_fence(Decoder& d, const Form&) {
  d.want(2);
  if (d.immediate(d.operand(1), 128) != 128) d.fail("the size is 128");
  d.base(d.operand(0), false);
}

}  // namespace

void add_tma_forms(Forms& f) {
  f.special("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes", decode_copy, copy);
  for (const char* scope : {"cta", "gpu", "sys"}) f.special(std::string("fence.proxy.tensormap::generic.acquire.") + scope, decode_fence, fence_map);
}

}  // namespace ptx
