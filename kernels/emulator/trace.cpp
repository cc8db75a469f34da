// trace.cpp: what the memory of a GPU would see of a launch.
//
// The trace build records every access of every thread to shared and to device memory. The rest of
// a kernel's accesses, to locals, to its parameters (constant memory on a GPU) and to the
// emulator's own variables, is told from these by its address.
//
// A GPU issues an access for the lanes of a warp together, as one request. Here each lane runs by
// itself, so requests are put together afterwards: what a lane does at its n-th visit to a site (an
// address in the kernel's code) since the last barrier or collective belongs to the n-th visit of
// the other lanes of its warp. That is what a GPU does where the lanes of a warp go the same way.
// Where some lanes skip a site or leave a loop early, visits up to the next barrier or collective
// may be put together differently: the bytes stay right, the number of requests may not.
//
//   shared memory   has 32 banks of 4 bytes. A request of up to 4 bytes a lane is served for all lanes at once, of 8 bytes for
//                   16 lanes at a time, of 16 bytes (and ldmatrix) for 8. Such a group takes one wavefront if it needs no two
//                   different words of one bank, else as many as the most words of a bank.
//   device memory   moves in sectors of 32 bytes: a request costs the sectors that it touches, and at least as many as hold
//                   its bytes. A byte that several lanes of a request want counts once.
//
// A whole training run is traced like a test, with LD_PRELOAD=build/emulated/trace/libcuda.so.1
// before build/emulated/tributary. EMULATOR_TRACE names a file, to which every launch appends a
// line of JSON:
//
//   kernel, grid, block
//   module     the file that the kernel's code is in
//   sites      one for each place in the code that touched memory:
//     pc             where in the module the instruction behind the access is: addr2line -i -f -C -e MODULE PC-1 names its line
//     access, space  "read" or "write", "shared" or "device"
//     width          bytes of one lane
//     lanes          accesses of all lanes
//     requests       of warps
//     cost, least    wavefronts or sectors of all requests, and the least that these requests could cost
//     worst          the most wavefronts of a group of lanes: 1 is no conflict. 0 for device memory
//     bytes          of device memory, of all requests
//     again          those of them that this launch had read (of a write: had written) before
//   buffers    one for each allocation of device memory that was touched:
//     param          the offset in the parameter struct of the first pointer into it; -1 if there is none
//     size
//     read, read_once, written, written_once    bytes of all requests, and how many different ones they are
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "runtime.h"

namespace emu {

namespace {

// Request is a warp's request that is being put together.
struct Request {
  uint32_t lanes = 0;
  uintptr_t address[32];
};

// Visits are one warp's visits to a site since its last meeting: see Warp.
struct Visits {
  std::vector<Request> open;  // requests in order; those of all lanes are folded already
  unsigned meetings = 0, complete = 0, count[32] = {};  // of open: how many are folded, and how many each lane has part in
};

// TracedSite is a site and what the launch does there.
struct TracedSite {
  const void* pc;
  Access access;
  bool shared;
  unsigned width;
  Visits warp[Block::max_warps];
  uint64_t lanes = 0, requests = 0, cost = 0, least = 0, worst = 0, bytes = 0, again = 0;
};

// Memory is an allocation of device memory. The bits say which bytes have been read and written.
struct Memory {
  uintptr_t begin;
  size_t size;
  long param = -1;
  std::vector<uint64_t> seen[2];
  uint64_t bytes[2] = {}, once[2] = {};
};

// Tracing is a launch that is traced. There is one at a time, on one OS thread.
struct Tracing {
  const Kernel* kernel;
  dim3 size, block_size;
  std::vector<Memory> memory;  // by address
  Memory* last;
  std::unordered_map<uint64_t, std::unique_ptr<TracedSite>> sites;
  std::vector<TracedSite*> order;  // of their first access
  std::vector<TracedSite*> cache;
};
Tracing* tracing;

Memory* memory_of(uintptr_t p) {
  if (tracing->last && p - tracing->last->begin < tracing->last->size) return tracing->last;
  auto& m = tracing->memory;
  auto i = std::upper_bound(m.begin(), m.end(), p, [](uintptr_t a, const Memory& b) { return a < b.begin; });
  if (i == m.begin()) return nullptr;
  --i;
  return p - i->begin < i->size ? tracing->last = &*i : nullptr;
}

bool is_shared(const Block* b, uintptr_t p) {
  if (b->dynamic && p - (uintptr_t)b->dynamic < b->dynamic_bytes) return true;
  for (unsigned i = 0; i < b->shared_count; i++)
    if (p - (uintptr_t)b->shared[i].memory < b->shared[i].size) return true;
  return false;
}

TracedSite& site_of(const void* pc, Access access, bool shared, unsigned width) {
  const uint64_t key = (uint64_t)pc << 2 | (uint64_t)access << 1 | shared;
  TracedSite*& cached = tracing->cache[key * 0x9E3779B97F4A7C15ull >> 52];
  if (cached && cached->pc == pc && cached->access == access && cached->shared == shared) return *cached;
  auto& p = tracing->sites[key];
  if (!p) {
    p.reset(new TracedSite{pc, access, shared, width, {}});
    tracing->order.push_back(p.get());
  }
  return *(cached = p.get());
}

// wavefronts is what a group of lanes that is served together costs: the most different words of
// one bank.
unsigned wavefronts(const Request& r, uint32_t group, unsigned width) {
  uintptr_t words[32][32];
  unsigned char count[32] = {};
  unsigned most = 0;
  for (uint32_t m = group; m; m &= m - 1) {
    const uintptr_t a = r.address[__builtin_ctz(m)];
    for (uintptr_t w = a / 4; w <= (a + width - 1) / 4; w++) {
      const unsigned bank = w % 32;
      unsigned i = 0;
      while (i < count[bank] && words[bank][i] != w) i++;
      if (i < count[bank]) continue;
      words[bank][count[bank]++] = w;
      most = std::max(most, i + 1);
    }
  }
  return most;
}

// take marks bytes as read or written and returns how many were not yet.
uint64_t take(Access access, uintptr_t p, size_t n) {
  Memory* m = memory_of(p);
  const size_t first = p - m->begin, end = std::min(first + n, m->size);
  auto& seen = m->seen[access];
  if (seen.empty()) seen.resize((m->size + 63) / 64);
  uint64_t fresh = 0;
  for (size_t i = first; i < end;) {
    const size_t bits = std::min<size_t>(64 - i % 64, end - i);
    const uint64_t mask = (bits == 64 ? ~0ull : (1ull << bits) - 1) << i % 64;
    fresh += (uint64_t)__builtin_popcountll(mask & ~seen[i / 64]);
    seen[i / 64] |= mask;
    i += bits;
  }
  m->bytes[access] += n;
  m->once[access] += fresh;
  return fresh;
}

void fold(TracedSite& p, const Request& r) {
  p.requests++;
  p.lanes += (unsigned)__builtin_popcount(r.lanes);
  if (p.shared) {
    const unsigned together = p.width == 16 ? 8 : p.width == 8 ? 16 : 32;
    for (unsigned first = 0; first < 32; first += together) {
      const uint32_t group = r.lanes & (uint32_t)(((1ull << together) - 1) << first);
      if (!group) continue;
      const uint64_t n = wavefronts(r, group, p.width);
      p.cost += n;
      p.least++;
      p.worst = std::max(p.worst, n);
    }
    return;
  }
  uintptr_t a[32];
  unsigned n = 0;
  for (uint32_t m = r.lanes; m; m &= m - 1) a[n++] = r.address[__builtin_ctz(m)];
  if (!std::is_sorted(a, a + n)) std::sort(a, a + n);
  uint64_t bytes = 0, fresh = 0;
  uintptr_t next_sector = 0;
  for (unsigned i = 0; i < n;) {
    const uintptr_t begin = a[i];
    uintptr_t end = begin;
    for (; i < n && a[i] <= end; i++) end = a[i] + p.width;  // what lies together
    bytes += end - begin;
    fresh += take(p.access, begin, end - begin);
    const uintptr_t first = std::max(begin / 32, next_sector);
    next_sector = (end + 31) / 32;
    p.cost += next_sector > first ? next_sector - first : 0;
  }
  p.least += (bytes + 31) / 32;
  p.bytes += bytes;
  p.again += bytes - fresh;
}

void forget(Visits& v) {
  v.open.clear();
  v.complete = 0;
  memset(v.count, 0, sizeof v.count);
}

// fold_open folds the requests in which not all lanes had part.
void fold_open(TracedSite& p, Visits& v, uint32_t all) {
  for (const Request& r : v.open)
    if (r.lanes != all) fold(p, r);
  forget(v);
}

// full is the mask of a warp's lanes.
uint32_t full(const Block* b, unsigned warp) { return warp * 32 + 32 <= b->threads ? ~0u : (1u << b->threads % 32) - 1; }

typedef unsigned long long Number;

}  // namespace

void record(Access access, const void* p, unsigned width, const void* pc) {
  touch(access, p, width);
  if (!tracing) return;
  const Lane* me = self();
  const Block* b = me->block;
  const uintptr_t a = (uintptr_t)p;
  if (a - (uintptr_t)me->fiber->stack < me->fiber->size) return;
  const bool shared = is_shared(b, a);
  if (!shared && !memory_of(a)) return;
  TracedSite& s = site_of(pc, access, shared, width);
  Visits& v = s.warp[me->warp];
  const uint32_t all = full(b, me->warp);
  if (v.meetings != b->warp[me->warp].meetings) {
    fold_open(s, v, all);
    v.meetings = b->warp[me->warp].meetings;
  }
  const unsigned i = v.count[me->lane]++;
  if (i >= v.open.size()) v.open.resize(i + 1);
  Request& r = v.open[i];
  r.lanes |= 1u << me->lane;
  r.address[me->lane] = a;
  if (r.lanes != all) return;
  fold(s, r);
  if (++v.complete == v.open.size()) forget(v);  // every lane has had part in all of them
}

void begin_trace(const Kernel& k, dim3 size, dim3 block_size, const void* params) {
  tracing = new Tracing{&k, size, block_size, {}, nullptr, {}, {}, std::vector<TracedSite*>(4096)};
  each_memory([](const void* p, size_t n) { tracing->memory.push_back({(uintptr_t)p, n, -1, {}, {}, {}}); });
  for (size_t at = 0; at + 8 <= k.param_size; at += 8) {
    uintptr_t p;
    memcpy(&p, (const char*)params + at, 8);
    if (Memory* m = memory_of(p))
      if (m->param < 0) m->param = (long)at;
  }
}

void fold_trace(const Block* b) {
  for (TracedSite* p : tracing->order)
    for (unsigned w = 0; w < b->warps; w++) {
      fold_open(*p, p->warp[w], full(b, w));
      p->warp[w].meetings = 0;
    }
}

void end_trace() {
  const Tracing& t = *tracing;
  FILE* f = fopen(settings().trace, "a");
  if (!f) fatal("EMULATOR_TRACE=%s: %s", settings().trace, strerror(errno));
  const char* module = "";
  const auto in_module = [&](const void* pc) {
    Dl_info info;
    struct link_map* map = nullptr;
    if (!dladdr1(pc, &info, (void**)&map, RTLD_DL_LINKMAP)) fatal("EMULATOR_TRACE: %p is in no module", pc);
    module = info.dli_fname;
    return (Number)((uintptr_t)pc - map->l_addr);
  };
  in_module((const void*)t.kernel->call);
  fprintf(f, "{\"kernel\":\"%s\",\"grid\":[%u,%u,%u],\"block\":[%u,%u,%u],\"module\":\"%s\",\"sites\":[", t.kernel->name,
          t.size.x, t.size.y, t.size.z, t.block_size.x, t.block_size.y, t.block_size.z, module);
  const char* separator = "";
  for (const TracedSite* p : t.order) {
    fprintf(f, "%s{\"pc\":%llu,\"access\":\"%s\",\"space\":\"%s\",\"width\":%u,\"lanes\":%llu,\"requests\":%llu,\"cost\":%llu,\"least\":%llu,",
            separator, in_module(p->pc), p->access == READ ? "read" : "write", p->shared ? "shared" : "device", p->width, (Number)p->lanes,
            (Number)p->requests, (Number)p->cost, (Number)p->least);
    fprintf(f, "\"worst\":%llu,\"bytes\":%llu,\"again\":%llu}", (Number)p->worst, (Number)p->bytes, (Number)p->again);
    separator = ",";
  }
  fprintf(f, "],\"buffers\":[");
  separator = "";
  std::sort(tracing->memory.begin(), tracing->memory.end(), [](const Memory& a, const Memory& b) { return a.param < b.param; });
  for (const Memory& m : t.memory) {
    if (!m.bytes[READ] && !m.bytes[WRITE]) continue;
    fprintf(f, "%s{\"param\":%ld,\"size\":%zu,\"read\":%llu,\"read_once\":%llu,\"written\":%llu,\"written_once\":%llu}", separator, m.param,
            m.size, (Number)m.bytes[READ], (Number)m.once[READ], (Number)m.bytes[WRITE], (Number)m.once[WRITE]);
    separator = ",";
  }
  fprintf(f, "]}\n");
  if (fclose(f)) fatal("EMULATOR_TRACE=%s: %s", settings().trace, strerror(errno));
  delete tracing;
  tracing = nullptr;
}

}  // namespace emu
