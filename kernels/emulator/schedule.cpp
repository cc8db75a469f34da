// schedule.cpp: which thread of a block runs next.
#include "runtime.h"

namespace emu {

__thread Thread* current;
__thread Grid grid;
__thread Worker* worker;

uint64_t random_number(Block* b) {
  uint64_t x = b->random;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return b->random = x;
}

void make_ready(Block* b, unsigned warp, uint32_t lanes) {
  b->warp[warp].ready |= lanes;
  if (b->warp[warp].ready) b->ready_warps |= 1ull << warp;
}

void make_unready(Block* b, unsigned warp, uint32_t lanes) {
  b->warp[warp].ready &= ~lanes;
  if (!b->warp[warp].ready) b->ready_warps &= ~(1ull << warp);
}

// nth is the index of the n-th set bit.
static unsigned nth(uint64_t bits, unsigned n) {
  while (n--) bits &= bits - 1;
  return (unsigned)__builtin_ctzll(bits);
}

// pick takes the next lane to run out of those that are ready: null if none is.
Lane* pick(Block* b) {
  if (!b->ready_warps) return nullptr;
  unsigned w, l;
  if (settings().seed) {
    w = nth(b->ready_warps, random_number(b) % __builtin_popcountll(b->ready_warps));
    l = nth(b->warp[w].ready, random_number(b) % __builtin_popcount(b->warp[w].ready));
  } else {
    w = b->running_warp;
    if (!b->warp[w].ready) {
      const uint64_t later = b->ready_warps & (~0ull << w);
      w = b->running_warp = (unsigned)__builtin_ctzll(later ? later : b->ready_warps);
    }
    l = (unsigned)__builtin_ctz(b->warp[w].ready);
  }
  make_unready(b, w, 1u << l);
  return &b->lanes[w * 32 + l];
}

static void thread_loop();

static void run_lane(Fiber* from, Lane* to) {
  if (!to->fiber) to->fiber = take_fiber(to, thread_loop);
  current = to;
  tsan_switch(to->tsan);
  jump(from, to->fiber);
}

void suspend() {
  Lane* me = self();
  Lane* next = pick(me->block);
  if (!next) deadlock(me->block);
  if (next != me) run_lane(me->fiber, next);
}

void maybe_preempt() {
  if (!settings().seed || !current || self()->block->in_collective) return;
  Lane* me = self();
  make_ready(me->block, me->warp, 1u << me->lane);
  suspend();
}

static char launch_order, done_order;  // what TSan orders launches by
void tsan_begin_launch() { tsan_release(&launch_order); }
void tsan_end_launch() { tsan_acquire(&done_order); }

// thread_loop is the life of a fiber: it runs a thread from beginning to end, then takes the next
// thread that has not begun. So a kernel without barriers is a plain loop over its threads, without
// any switch.
static void thread_loop() {
#if defined(EMULATOR_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  for (;;) {
    Lane* me = self();
    Block* b = me->block;
    Fiber* mine = me->fiber;
    tsan_acquire(&launch_order);
    b->kernel->call(b->params);
    check_copies_done(me);
    check_multiplies_done(me);
    tsan_release(&done_order);
    b->warp[me->warp].alive &= ~(1u << me->lane);
    b->alive--;
    barrier_without(b);
    collective_without(b, me->warp);
    Lane* next = b->alive ? pick(b) : nullptr;
    if (!next && b->alive) deadlock(b);
    if (next && !next->fiber && !tsan) {
      me->fiber = nullptr;
      next->fiber = mine;
      current = next;
      continue;
    }
    me->fiber = nullptr;
    if (next) {
      if (!next->fiber) next->fiber = take_fiber(next, thread_loop);  // before ours is free
      give_fiber(mine);
      run_lane(mine, next);
    } else {
      give_fiber(mine);
      current = nullptr;
      tsan_switch(worker->tsan);
      jump(mine, &worker->main);
    }
  }
}

void run_all(Block* b) {
  worker->tsan = tsan_this_fiber();
  run_lane(&worker->main, pick(b));
}

}  // namespace emu
