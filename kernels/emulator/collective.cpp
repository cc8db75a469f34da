// collective.cpp: what the lanes of a warp do together.
#include "runtime.h"

namespace emu {

// complete runs the collective that all living lanes of a warp wait in, and makes them ready.
static void complete(Block* b, unsigned warp) {
  Warp& w = b->warp[warp];
  Lane* lanes = &b->lanes[warp * 32];
  const uint32_t mask = w.in_collective;
  w.in_collective = 0;
  w.meetings++;
  void* slots[32] = {};
  for (uint32_t m = mask; m; m &= m - 1) slots[__builtin_ctz(m)] = lanes[__builtin_ctz(m)].slot;
  b->in_collective = true;
  lanes[__builtin_ctz(mask)].waits(slots, mask);
  b->in_collective = false;
  make_ready(b, warp, mask);
}

void collective(void* slot, Collective f, Site site) {
  Lane* me = self();
  Block* b = me->block;
  Warp& w = b->warp[me->warp];
  if (w.in_collective) {
    const Lane* other = &b->lanes[me->warp * 32 + __builtin_ctz(w.in_collective)];
    if (other->waits != f || other->site.line != site.line)
      fatal_at(site, "warp divergence: lane %u of warp %u waits at %s:%d, lane %u at %s:%d", other->lane, me->warp,
               other->site.file, other->site.line, me->lane, site.file, site.line);
  }
  me->slot = slot;
  me->waits = f;
  me->site = site;
  w.in_collective |= 1u << me->lane;
  if (w.in_collective != w.alive) {
    suspend();
    return;
  }
  complete(b, me->warp);
  if (settings().seed)
    suspend();
  else
    make_unready(b, me->warp, 1u << me->lane);
}

void full_warp(void* slot, Collective f, Site site) {
  const Lane* me = self();
  if (me->block->warp[me->warp].alive != ~0u)
    fatal_at(site, "this instruction needs all 32 lanes of warp %u; only %08x have not returned", me->warp, me->block->warp[me->warp].alive);
  collective(slot, f, site);
}

// A lane has returned: the others may be all that the collective waits for.
void collective_without(Block* b, unsigned warp) {
  const Warp& w = b->warp[warp];
  if (w.in_collective && w.in_collective == w.alive) complete(b, warp);
}

static void count_generation(void** slots, uint32_t mask) {
  Lane* l = *(Lane**)slots[__builtin_ctz(mask)];
  l->block->warp[l->warp].generation++;
}

void sync_warp(Site site) {
  Lane* me = self();
  Warp& w = me->block->warp[me->warp];
  const unsigned g = w.generation & 1;
  tsan_release(w.order[g]);
  full_warp(&me, count_generation, site);
  tsan_acquire(w.order[g]);
}

}  // namespace emu
