// tma.cpp: boxes that are copied by themselves, and the mbarriers that say when they are there. A
// load happens when it is issued, or when somebody waits for it.
#include "runtime.h"

namespace emu {

static Mbarrier* find(const void* bar) {
  Block* b = self()->block;
  for (unsigned i = 0; i < b->mbarrier_count; i++)
    if (b->mbarriers[i].address == bar) return &b->mbarriers[i];
  return nullptr;
}
// Another thread than its maker sees an mbarrier once the two have met: at a barrier of the block,
// or within a warp at a syncwarp.
static Mbarrier& find(const void* bar, Site site) {
  Mbarrier* m = find(bar);
  if (!m) fatal_at(site, "mbarrier %p: no mbarrier_init has made it", bar);
  const Lane* me = self();
  const bool met = me->index == m->maker || me->block->generation != m->block_generation ||
                   (me->warp == m->maker / 32 && me->block->warp[me->warp].generation != m->warp_generation);
  if (!met) fatal_at(site, "mbarrier %p: thread %u has not met thread %u at a barrier since its mbarrier_init", bar, me->index, m->maker);
  return *m;
}

void mbarrier_init(void* bar, Site site) {
  Block* b = self()->block;
  if ((uintptr_t)bar % 8) fatal_at(site, "mbarrier %p: its address is not a multiple of 8", bar);
  if (!find(bar) && b->mbarrier_count == Block::max_mbarriers) fatal_at(site, "more than %u mbarriers", Block::max_mbarriers);
  Mbarrier* m = find(bar) ? find(bar) : &b->mbarriers[b->mbarrier_count++];
  const Lane* me = self();
  *m = {bar, me->index, b->generation, b->warp[me->warp].generation, false, 0, false, 0, 0};
}

static void end_phase(Mbarrier& m) {
  if (m.expects && m.bytes == 0) m.phases++, m.expects = false;
}

void mbarrier_expect(void* bar, unsigned bytes, Site site) {
  Mbarrier& m = find(bar, site);
  if (m.expects) fatal_at(site, "mbarrier_expect: the phase has had its arrival, and %d bytes are still to come", m.bytes);
  m.expects = true;
  m.bytes += (int)bytes;
  end_phase(m);
}

void arrived(void* bar, unsigned bytes, Site site) {
  Mbarrier& m = find(bar, site);
  m.bytes -= (int)bytes;
  m.under_way--;
  tsan_release(bar);
  end_phase(m);
}

// A multiprocessor keeps the tensor maps that it has read, by address: one in global memory may be
// the old one, where no fence of the tensor map proxy comes first. Those in a launch's parameters
// are new with every launch.
static bool in_parameters(const TensorMap* m) {
  const Block* b = self()->block;
  const uintptr_t at = (uintptr_t)m - (uintptr_t)b->params;
  return at % 64 == 0 && at + 128 <= b->kernel->param_size;
}

void check_load(const Load& l) {
  const size_t at = (size_t)((const unsigned char*)l.dst - dynamic_shared());
  if (!in_parameters(l.map)) fatal_at(l.site, "tma_load: the tensor map %p is not in the kernel's parameters, at a multiple of 64, and there is no fence for others", (const void*)l.map);
  if (l.map->magic != TensorMap::right) fatal_at(l.site, "tma_load: %p is no tensor map", (const void*)l.map);
  if (at % 1024) fatal_at(l.site, "tma_load: the box goes to byte %zu of dynamic shared memory, not a multiple of 1024", at);
  if (!find(l.bar, l.site).fenced) fatal_at(l.site, "tma_load: no fence_async of thread %u has come since its mbarrier_init", find(l.bar, l.site).maker);
}

bool defer_load(const Load& l) {
  Block* b = self()->block;
  switch (settings().copies) {
    case Settings::at_issue: break;
    case Settings::at_random:
      if (random_number(b) >> 40 & 1) break;
      [[fallthrough]];
    case Settings::at_wait:
      if (b->load_count == Block::max_loads) fatal_at(l.site, "more than %u loads are under way", Block::max_loads);
      b->loads[b->load_count++] = l;
      return true;
  }
  find(l.bar, l.site).under_way++;
  return false;
}

bool next_load(void* bar, Load* l) {
  Block* b = self()->block;
  for (unsigned i = 0; i < b->load_count; i++)
    if (b->loads[i].bar == bar) {
      *l = b->loads[i];
      b->loads[i] = b->loads[--b->load_count];
      find(bar, l->site).under_way++;
      return true;
    }
  return false;
}

// A phase is over when the barrier is in the next one.
void mbarrier_wait(void* bar, unsigned parity, Site site) {
  const Mbarrier& m = find(bar, site);
  while (m.phases % 2 == (parity & 1)) {
    if (!m.under_way) fatal_at(site, "mbarrier_wait: %s, %d bytes are still to come, and nothing is under way", m.expects ? "expected" : "no mbarrier_expect", m.bytes);
    maybe_preempt();  // another thread is about it
  }
  tsan_acquire(bar);
}

void check_loads_done(Block* b) {
  if (b->load_count) fatal_at(b->loads[0].site, "tma_load: the block is over, and no mbarrier_wait has covered this load");
}

}  // namespace emu
