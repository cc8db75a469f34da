// schedule.cpp: who runs when.
//
// Blocks run one after another, or some side by side. A block gives each of its warps that can run
// a turn. In a warp, the lanes at the lowest pc go first, and lanes that meet go on together, so
// that branches come together again where they do on a GPU at the latest. With a seed all of this
// is random: the order of blocks and warps, how long a turn is, and, now and then, which lanes go
// first.
#include <stdlib.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "machine.h"
#include "tma.h"

namespace ptx {
namespace {

struct Turn {
  Warp& w;
  const Op* ops;
  int64_t budget;
  uint32_t group = 0, pc = 0, limit = 0;  // these lanes run at pc; the next lane that they could meet is at limit

  void put_down() {
    each(group, [&](int i) { w.pc[i] = pc; });
  }

  // choose takes the lanes that run. It returns false where none can.
  bool choose() {
    const uint32_t can = w.exists & ~w.exited & ~w.blocked;
    if (!can) return false;
    pc = ~0u;
    if (settings().seed && random_below(4) == 0) {
      uint32_t m = can;
      for (uint32_t n = random_below((uint32_t)__builtin_popcount(can)); n; n--) m &= m - 1;
      pc = w.pc[__builtin_ctz(m)];
    } else {
      each(can, [&](int i) { pc = std::min(pc, w.pc[i]); });
    }
    group = 0;
    limit = ~0u;
    each(can, [&](int i) {
      if (w.pc[i] == pc) group |= 1u << i;
      else if (w.pc[i] > pc) limit = std::min(limit, w.pc[i]);
    });
    return true;
  }

  // wait_for_lanes returns the lanes that execute an instruction which waits for lanes, or 0 while
  // some are not there.
  uint32_t wait_for_lanes(const Op& o, uint32_t m) {
    const int first = __builtin_ctz(m);
    const uint32_t live = w.exists & ~w.exited;
    uint32_t need = live;
    if (o.aligned) {
      if (live != w.exists) fault(w, o, first, "lanes missing: %#x have ended", w.exited);
      if (o.kind == SYNC && w.exists != ~0u) fault(w, o, first, "lanes missing: the warp has %#x", w.exists);
    } else {
      const uint32_t* mask = reg<uint32_t>(w, o.e);
      need = mask[first];
      each(m, [&](int i) {
        if (mask[i] != need) fault(w, o, i, "the lanes give different masks");
        if (!(need >> i & 1)) fault(w, o, i, "the lane is not in its own mask %#x", need);
      });
      if (need & ~live) fault(w, o, first, "lanes missing: of the mask %#x, lanes %#x have ended", need, need & ~live);
    }
    uint32_t here = m;
    each(w.blocked & live, [&](int i) {
      if (w.pc[i] == pc) here |= 1u << i;
    });
    if (need & ~here) {
      each(m, [&](int i) { w.pc[i] = pc; });
      w.blocked |= m;
      return 0;
    }
    w.blocked &= ~need;
    return need;
  }

  // known_result returns the lanes in which what an instruction makes of its operands has a value.
  uint32_t known_result(const Op& o) {
    const uint32_t* l = &w.code->lists[o.unwritten == PASS_ON ? o.reads : o.names];
    if (o.unwritten == PASS_ON) {
      uint32_t known = ~0u;
      for (uint32_t n = *l++; n; n--, l++) known &= w.known[*l];
      return known;
    }
    const auto known = [&](uint32_t r) { return r == NOTHING ? ~0u : w.known[r]; };
    const uint32_t p = predicate(w, o.c);
    return known(l[2]) & ((p & known(l[0])) | (~p & known(l[1])));
  }

  void execute(const Op& o, uint32_t m) {
    uint32_t known = ~0u;
    if (o.unwritten == PASS_ON || o.unwritten == PASS_ON_CHOSEN) {
      known = known_result(o);
    } else {
      const uint32_t* reads = &w.code->lists[o.reads];
      for (uint32_t n = *reads++; n; n--, reads++)
        if (m & ~w.known[*reads])
          fault(w, o, __builtin_ctz(m & ~w.known[*reads]), "uninitialised: register %s, which nothing has written", w.code->entry->register_names[*reads].c_str());
    }
    w.m = m;
    o.execute(w, o);
    if (o.unwritten == OWN_RESULT) return;
    const uint32_t* writes = &w.code->lists[o.writes];
    for (uint32_t n = *writes++; n; n--, writes++) w.known[*writes] = (w.known[*writes] & ~m) | (m & known);
  }

  // branch returns false where the lanes part.
  bool branch(const Op& o, uint32_t m) {
    if (m == group) {
      pc = o.target;
    } else if (!m) {
      pc++;
    } else {
      if (o.uniform) fault(w, o, __builtin_ctz(m), "lanes part at bra.uni");
      each(group, [&](int i) { w.pc[i] = m >> i & 1 ? o.target : pc + 1; });
      group = 0;
      return false;
    }
    return true;
  }

  // together executes what waits for lanes. It returns false where others must be chosen.
  bool together(const Op& o, uint32_t m) {
    each(group & ~m, [&](int i) { w.pc[i] = pc + 1; });  // their guard says no
    if (!m) {
      pc++;
      return true;
    }
    const uint32_t need = wait_for_lanes(o, m);
    if (!need) {
      group = 0;
      return false;
    }
    each(need, [&](int i) { w.pc[i] = pc + 1; });
    if (o.kind == BARRIER) {
      w.at_barrier = true;
      w.barrier = o.target;
      w.blocked |= need;
      group = 0;
      return false;
    }
    execute(o, need);
    if (group == need && limit == ~0u) {
      pc++;
      return true;
    }
    group = 0;
    return false;
  }

  void run() {
    while (choose()) {
      for (;;) {
        if (budget-- <= 0) return put_down();
        const Op& o = ops[pc];
        uint32_t m = group;
        if (o.guard != NOTHING) {
          if (m & ~w.known[o.guard_register]) fault(w, o, __builtin_ctz(m & ~w.known[o.guard_register]), "uninitialised: the guard, which nothing has written");
          const uint32_t p = predicate(w, o.guard);
          m &= o.guard_negated ? ~p : p;
        }
        w.code->counts[pc]++;
        bool on = true;
        switch (o.kind) {
          case PLAIN:
            if (m) execute(o, m);
            pc++;
            break;
          case WAIT:
            if (m) execute(o, m);
            pc++;
            if (w.waiting) return put_down();
            break;
          case BRANCH: on = branch(o, m); break;
          case EXIT:
            if (m) end_lanes(w, o, m);
            w.exited |= m;
            group &= ~m;
            pc++;
            on = group;
            break;
          case TRAP:
            if (m) fault(w, o, __builtin_ctz(m), "trap");
            pc++;
            break;
          case SYNC:
          case BARRIER: on = together(o, m); break;
        }
        if (on && pc < limit && !(settings().seed && limit != ~0u && random_below(64) == 0)) continue;
        put_down();
        break;
      }
    }
    if (w.done() || w.at_barrier) return;
    const uint32_t stuck = w.exists & ~w.exited;
    const int i = __builtin_ctz(stuck);
    fault(w, ops[w.pc[i]], i, "lanes missing: %#x wait for others that do not come; %#x have ended", w.blocked, w.exited);
  }
};

uint32_t special(const Block& b, const Warp& w, const std::string& name, uint32_t lane) {
  const uint32_t t = (uint32_t)w.index * 32 + lane;
  const auto of = [&](const dim3& d) { return name.back() == 'x' ? d.x : name.back() == 'y' ? d.y : d.z; };
  if (name == "%laneid") return lane;
  if (name.compare(0, 5, "%tid.") == 0) return of({t % b.size.x, t / b.size.x % b.size.y, t / b.size.x / b.size.y});
  if (name.compare(0, 6, "%ntid.") == 0) return of(b.size);
  if (name.compare(0, 7, "%ctaid.") == 0) return of(b.id);
  return of(b.grid);
}

void begin_warp(Block& b, Warp& w) {
  w.exists = w.exited = w.blocked = 0;
  w.at_barrier = false;
  w.copies.clear();
  w.multiplies.clear();
  w.accumulators.clear();
  w.multiply_groups = 0;
  w.multiplied = 0;
  w.synced = 1;
  w.arrived = 0;
  std::fill(w.known.begin(), w.known.end(), 0);
  for (int i = 0; i < 32; i++) {
    if ((unsigned)(w.index * 32 + i) < b.threads()) w.exists |= 1u << i;
    w.pc[i] = 0;
    w.committed[i] = 0;
    w.fences[i].clear();
  }
  for (const auto& [name, offset] : b.code->specials)
    for (uint32_t i = 0; i < 32; i++) reg<uint32_t>(w, offset)[i] = special(b, w, name, i);
}

void begin_block(Block& b, dim3 id) {
  b.id = id;
  std::fill(b.shared.begin(), b.shared.end(), 0xff);
  std::fill(b.words.begin(), b.words.end(), Word());
  b.mbarriers.clear();
  b.transfers.clear();
  b.map_fences.clear();
  for (auto& d : b.descriptors) d.clear();
  b.epoch = 1;
  b.arrivals = false;
  b.idle = 0;
  for (Warp& w : b.warps) begin_warp(b, w);
}

void end_block(Block& b) {
  for (const auto& [a, v] : b.pending) b.late.push_back({a, v.value});
  b.pending.clear();
  if (!b.transfers.empty()) fault(b, "the block ends while a copy of TMA is on its way");
}

// pass_barrier lets all warps go on that wait. A thread that has ended comes to no barrier any
// more.
void pass_barrier(Block& b) {
  const Warp& first = *std::find_if(b.warps.begin(), b.warps.end(), [](const Warp& w) { return !w.done(); });
  for (Warp& w : b.warps) {
    if (w.done() || w.exited) fault(b, "lanes missing: warp %d waits at a barrier to which threads of warp %d do not come, because they have ended", first.index, w.index);
    if (w.barrier != first.barrier) fault(b, "warps %d and %d wait at barriers %u and %u", first.index, w.index, first.barrier, w.barrier);
    w.at_barrier = false;
    w.blocked = 0;
    w.arrived = 0;
    w.synced++;
  }
  b.arrivals = false;
  b.epoch++;
}

// round gives each warp that can run a turn. It says whether the block has ended.
bool round(Block& b) {
  std::vector<Warp*> ready;
  for (Warp& w : b.warps)
    if (!w.done() && !w.at_barrier) ready.push_back(&w);
  if (ready.empty()) {
    if (std::all_of(b.warps.begin(), b.warps.end(), [](const Warp& w) { return w.done(); })) {
      end_block(b);
      return true;
    }
    pass_barrier(b);
    return false;
  }
  const bool random = settings().seed != 0;
  if (random)
    for (size_t i = ready.size(); i > 1; i--) std::swap(ready[i - 1], ready[random_below((uint32_t)i)]);
  b.progress = false;
  bool waits = true;
  for (Warp* w : ready) {
    w->waiting = false;
    Turn{*w, b.code->ops.data(), random ? 1 + random_below(1u << random_below(12)) : 1 << 30}.run();
    waits &= w->waiting;
  }
  if (!waits || b.progress) {
    b.idle = 0;
  } else if (!b.transfers.empty()) {  // nobody asks for them, but they arrive all the same
    arrive_all(b);
  } else if (++b.idle > 1000) {
    fault(b, "all warps wait for mbarriers, and nothing is on its way");
  }
  return false;
}

// Grid is a launch.
struct Grid {
  Code* code;
  dim3 size;
  std::vector<std::unique_ptr<uint8_t, void (*)(void*)>> registers;
  std::vector<std::unique_ptr<Block>> blocks;  // that run side by side
  std::vector<uint64_t> order;
  size_t next = 0;

  void make_registers(Warp& w) {
    const size_t bytes = (code->register_bytes + 63) / 64 * 64 + 64;
    registers.emplace_back((uint8_t*)aligned_alloc(64, bytes), free);
    w.registers = registers.back().get();
    memset(w.registers, 0xff, bytes);
    if (settings().seed)
      for (size_t i = 0; i < bytes / 4; i++) ((uint32_t*)w.registers)[i] = random_number();
    for (const Constant& k : code->constants) {
      if (!k.bytes) predicate(w, k.offset) = (uint32_t)k.value;
      for (int i = 0; i < 32; i++)
        if (k.bytes == 8) reg<uint64_t>(w, k.offset)[i] = k.value;
        else if (k.bytes) reg<uint32_t>(w, k.offset)[i] = (uint32_t)k.value;
    }
  }

  void make_block(dim3 threads, uint32_t dynamic_shared, const uint8_t* params) {
    blocks.push_back(std::make_unique<Block>());
    Block& b = *blocks.back();
    b.code = code;
    b.grid = size;
    b.size = threads;
    b.params = params;
    b.base = settings().shared_base;
    b.bytes = code->dynamic_shared - b.base + dynamic_shared;
    b.shared.resize(b.bytes + 4);
    b.words.resize(b.bytes / 4 + 2);
    b.last_allocation.resize(code->ops.size());
    b.warps.resize((b.threads() + 31) / 32);
    for (size_t i = 0; i < b.warps.size(); i++) {
      Warp& w = b.warps[i];
      w.block = &b;
      w.code = code;
      w.index = (int)i;
      w.known.resize(code->entry->registers.size());
      make_registers(w);
    }
  }

  void begin(Block& b) {
    const uint64_t j = order[next++];
    begin_block(b, {(unsigned)(j % size.x), (unsigned)(j / size.x % size.y), (unsigned)(j / size.x / size.y)});
  }

  void run() {
    std::vector<Block*> active;
    for (auto& b : blocks) {
      begin(*b);
      active.push_back(b.get());
    }
    while (!active.empty()) {
      const size_t k = active.size() > 1 ? random_below((uint32_t)active.size()) : 0;
      if (!round(*active[k])) continue;
      if (next < order.size()) begin(*active[k]);
      else active.erase(active.begin() + (long)k);
    }
    for (auto& b : blocks)
      for (const auto& [a, v] : b->late) {
        *(uint8_t*)a = v;
        emu::touch(emu::WRITE, (const void*)a, 1);
      }
  }
};

}  // namespace
}  // namespace ptx

void emu::launch(const Kernel& k, dim3 size, dim3 block, size_t dynamic_shared, const void* params) {
  using namespace ptx;
  static std::mutex one;
  std::lock_guard<std::mutex> lock(one);
  seed_launch();
  Grid g;
  g.code = (Code*)&k;
  g.size = size;
  const uint64_t blocks = (uint64_t)size.x * size.y * size.z;
  const uint64_t resident = settings().resident ? settings().resident : settings().seed ? 1 + random_below(3) : 1;
  for (uint64_t i = 0; i < std::min(blocks, resident); i++) g.make_block(block, (uint32_t)dynamic_shared, (const uint8_t*)params);
  for (uint64_t i = 0; i < blocks; i++) g.order.push_back(i);
  if (settings().seed)
    for (uint64_t i = blocks; i > 1; i--) std::swap(g.order[i - 1], g.order[random_number() % i]);
  g.run();
}
