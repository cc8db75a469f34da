// global.cpp: device memory. Every allocation is known, with a bit for each byte that was written,
// so that a read of what nothing has written is an error. It begins at a multiple of 256 bytes and
// of no more.
#include <stdlib.h>

#include <algorithm>

#include "machine.h"

namespace ptx {

static std::map<uint64_t, Allocation>& allocations() {
  static auto* m = new std::map<uint64_t, Allocation>;
  return *m;
}

bool find_allocation(uint64_t address, Allocation* a) {
  auto f = allocations().upper_bound(address);
  if (f == allocations().begin()) return false;
  --f;
  if (address >= f->second.end) return false;
  *a = f->second;
  return true;
}

static void mark(const Allocation& a, uint64_t at, size_t n) {
  for (uint64_t i = at - a.begin, end = i + n; i < end;) {
    const uint64_t some = std::min<uint64_t>(64 - i % 64, end - i);
    a.written[i / 64] |= (some == 64 ? ~0ull : (1ull << some) - 1) << i % 64;
    i += some;
  }
}
static bool marked(const Allocation& a, uint64_t at, size_t n) {
  for (uint64_t i = at - a.begin, end = i + n; i < end;) {
    const uint64_t some = std::min<uint64_t>(64 - i % 64, end - i), m = (some == 64 ? ~0ull : (1ull << some) - 1) << i % 64;
    if ((a.written[i / 64] & m) != m) return false;
    i += some;
  }
  return true;
}

uint8_t* global(Warp& w, const Op& o, int lane, uint64_t a, uint32_t bytes, uint32_t align, Allocation** allocation) {
  typedef unsigned long long Long;
  if (a & (align - 1)) fault(w, o, lane, "misaligned: global address %#llx is not a multiple of %u", (Long)a, align);
  Allocation& last = w.block->last_allocation[o.index];
  if (a < last.begin || a + bytes > last.end) {
    Allocation found;
    if (!find_allocation(a, &found)) fault(w, o, lane, "out of bounds: global address %#llx, %u bytes, is in no allocation", (Long)a, bytes);
    if (a + bytes > found.end)
      fault(w, o, lane, "out of bounds: %u bytes at offset %llu of an allocation of %llu bytes", bytes, (Long)(a - found.begin), (Long)(found.end - found.begin));
    last = found;
  }
  if (allocation) *allocation = &last;
  return (uint8_t*)a;
}

void read_global(Warp& w, const Op& o, int lane, uint64_t a, uint8_t* to, uint32_t bytes, uint32_t align) {
  Allocation* in;
  memcpy(to, global(w, o, lane, a, bytes, align, &in), bytes);
  const auto& pending = w.block->pending;
  bool own = false;
  if (!pending.empty())
    for (uint32_t k = 0; k < bytes; k++) {
      const auto f = pending.find(a + k);
      if (f != pending.end()) to[k] = f->second.value, own = true;
    }
  if (!own && !marked(*in, a, bytes))
    fault(w, o, lane, "uninitialised: %u bytes at offset %llu of an allocation of %llu bytes, which nothing has written", bytes, (unsigned long long)(a - in->begin),
          (unsigned long long)(in->end - in->begin));
}

void write_global(Warp& w, const Op& o, int lane, uint64_t a, const uint8_t* from, uint32_t bytes) {
  Allocation* in;
  uint8_t* p = global(w, o, lane, a, bytes, bytes, &in);
  if (settings().weak) {
    for (uint32_t k = 0; k < bytes; k++) w.block->pending[a + k] = {from[k], (uint32_t)(w.index * 32 + lane), w.block->epoch};
    return;
  }
  memcpy(p, from, bytes);
  mark(*in, a, bytes);
}

void publish(Warp& w, uint32_t lanes) {
  Block& b = *w.block;
  for (auto f = b.pending.begin(); f != b.pending.end();) {
    const bool mine = (int)f->second.thread / 32 == w.index && (lanes >> f->second.thread % 32 & 1);
    if (!mine && f->second.epoch >= b.epoch) {
      ++f;
      continue;
    }
    *(uint8_t*)f->first = f->second.value;
    emu::touch(emu::WRITE, (const void*)f->first, 1);
    f = b.pending.erase(f);
  }
}

const uint8_t* param(Warp& w, const Op& o, int lane, uint64_t offset, uint32_t bytes, uint32_t align) {
  if (offset & (align - 1)) fault(w, o, lane, "misaligned: offset %llu of the parameters is not a multiple of %u", (unsigned long long)offset, align);
  if (offset + bytes > w.code->param_size)
    fault(w, o, lane, "out of bounds: %u bytes at offset %llu of %zu bytes of parameters", bytes, (unsigned long long)offset, w.code->param_size);
  return w.block->params + offset;
}

}  // namespace ptx

namespace emu {

void* allocate(size_t n) {
  char* p;
  if (posix_memalign((void**)&p, 512, n + 512)) return nullptr;
  p += 256;
  memset(p, 0xff, n);
  const uint64_t a = (uint64_t)p;
  ptx::allocations()[a] = {a, a + n, (uint64_t*)calloc(n / 64 + 1, 8)};
  return p;
}
void release(void* p) {
  const auto f = ptx::allocations().find((uint64_t)p);
  free(f->second.written);
  ptx::allocations().erase(f);
  free((char*)p - 256);
}

void touch(Access what, const void* p, size_t n) {
  ptx::Allocation a;
  if (what == WRITE && ptx::find_allocation((uint64_t)p, &a)) ptx::mark(a, (uint64_t)p, n);
}

}  // namespace emu
