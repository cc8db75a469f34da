// barrier.cpp: __syncthreads().
#include "runtime.h"

namespace emu {

static void release(Block* b) {
  b->arrived = 0;
  b->generation++;
  for (unsigned w = 0; w < b->warps; w++) {
    const uint32_t lanes = b->warp[w].at_barrier;
    b->warp[w].at_barrier = 0;
    b->warp[w].meetings++;
    make_ready(b, w, lanes);
  }
}

static const Lane* some_waiting(const Block* b) {
  for (unsigned w = 0; w < b->warps; w++)
    if (const uint32_t m = b->warp[w].at_barrier) return &b->lanes[w * 32 + __builtin_ctz(m)];
  return nullptr;
}

void barrier(Site site) {
  Lane* me = self();
  Block* b = me->block;
  me->site = site;
  if (const Lane* other = some_waiting(b))
    if (other->site.line != site.line)
      fatal_at(site, "barrier divergence: thread %u waits at %s:%d, thread %u at %s:%d", other->index, other->site.file,
               other->site.line, me->index, site.file, site.line);
  const unsigned g = b->generation & 1;
  tsan_release(b->order[g]);
  b->warp[me->warp].at_barrier |= 1u << me->lane;
  if (++b->arrived == b->alive) {
    release(b);
    if (settings().seed)
      suspend();
    else
      make_unready(b, me->warp, 1u << me->lane);  // the last one goes on without a switch
  } else {
    suspend();
  }
  tsan_acquire(b->order[g]);
}

// A thread has returned: the others may be all that the barrier waits for.
void barrier_without(Block* b) {
  if (b->arrived && b->arrived == b->alive) release(b);
}

}  // namespace emu
