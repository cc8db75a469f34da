// footprint.cpp: which device memory a piece of work uses.
//
// The trace build records every access of a kernel (access.cpp), and copies and fills say what they
// touch. The driver takes the footprint of every node of a graph and compares those that no
// dependency keeps apart (driver/graph.cpp): where two of them meet, there is a race on a GPU,
// although here one of them ran after the other.
#include <string.h>

#include <algorithm>

#include "runtime.h"

namespace emu {

Footprint* footprint;

namespace {

typedef std::pair<uintptr_t, uintptr_t> Range;
std::vector<Range> memory;  // allocations, by address
Range last;
const uintptr_t page_size = 4096;

bool on_device(uintptr_t p) {
  if (p >= last.first && p < last.second) return true;
  auto i = std::upper_bound(memory.begin(), memory.end(), p, [](uintptr_t a, const Range& r) { return a < r.first; });
  if (i == memory.begin() || p >= (--i)->second) return false;
  last = *i;
  return true;
}

}  // namespace

void begin_footprint(Footprint* f) {
  if (settings().workers != 1) fatal("graphs in the trace build: only one OS thread can be watched; leave EMULATOR_WORKERS out");
  memory.clear();
  each_memory([](const void* p, size_t n) { memory.emplace_back((uintptr_t)p, (uintptr_t)p + n); });
  last = {};
  footprint = f;
}
void end_footprint() { footprint = nullptr; }

void touch(Access what, const void* p, size_t n) {
  if (!footprint) return;
  uintptr_t a = (uintptr_t)p;
  if (!n || !on_device(a)) return;
  for (const uintptr_t end = a + n; a < end;) {
    const uintptr_t page = a / page_size;
    if (footprint->at != page) footprint->at = page, footprint->page = &footprint->pages[page];
    uint64_t* bits = footprint->page->bits[what];
    for (const uintptr_t stop = std::min(end, (page + 1) * page_size); a < stop;) {
      const uintptr_t i = a % page_size, some = std::min<uintptr_t>(64 - i % 64, stop - a);
      bits[i / 64] |= (some == 64 ? ~0ull : (1ull << some) - 1) << i % 64;
      a += some;
    }
  }
}

const void* meet(const Footprint& a, const Footprint& b) {
  if (a.pages.size() > b.pages.size()) return meet(b, a);
  for (const auto& [page, p] : a.pages) {
    const auto i = b.pages.find(page);
    if (i == b.pages.end()) continue;
    const Page& q = i->second;
    for (unsigned w = 0; w < page_size / 64; w++)
      if (const uint64_t both = (p.bits[WRITE][w] & (q.bits[READ][w] | q.bits[WRITE][w])) | (p.bits[READ][w] & q.bits[WRITE][w]))
        return (const void*)(page * page_size + w * 64 + (unsigned)__builtin_ctzll(both));
  }
  return nullptr;
}

}  // namespace emu
