// multiply.cpp: when warpgroups' products happen. A product that happens at once hides a forgotten
// wait, one that happens at the wait hides operands that are overwritten too early: tests run both,
// or random.
#include "runtime.h"

namespace emu {

bool defer_multiply(const Multiply& m) {
  Lane* me = self();
  if (me->warp % 4 == 0 && me->block->warps < me->warp + 4) fatal_at(m.site, "wgmma: warp %u begins a warpgroup that is not whole", me->warp);
  if (!me->copies_seen) fatal_at(m.site, "wgmma: no fence_async has come since this thread last wrote to shared memory, or waited for copies to it");
  if (!me->fenced) fatal_at(m.site, "wgmma: no wgmma_fence has come since the last wgmma_wait");
  me->committed = false;
  me->products++;
  switch (settings().copies) {
    case Settings::at_issue: return false;
    case Settings::at_wait: break;
    case Settings::at_random:  // all lanes of a warp come to the same
      if ((settings().seed + me->warp + me->products) * 0x9e3779b97f4a7c15ull >> 63) return false;
  }
  me->multiplies.push_back(m);
  return true;
}

void fence_async() {
  Lane* me = self();
  me->copies_seen = true;
  for (unsigned i = 0; i < me->block->mbarrier_count; i++)
    if (me->block->mbarriers[i].maker == me->index) me->block->mbarriers[i].fenced = true;
}
void fence_multiplies() { self()->fenced = true; }
void commit_multiplies() { self()->committed = true; }

bool next_multiply(Multiply* m, Site site) {
  Lane* me = self();
  if (me->products && !me->committed) fatal_at(site, "wgmma_wait: no wgmma_commit has come since the last wgmma: it would not wait for it");
  if (me->multiplied < me->multiplies.size()) {
    *m = me->multiplies[me->multiplied++];
    return true;
  }
  me->multiplies.clear();
  me->multiplied = 0;
  me->fenced = false;
  return false;
}

void check_multiplies_done(Lane* l) {
  if (l->multiplied < l->multiplies.size()) fatal_at(l->multiplies[l->multiplied].site, "wgmma: the thread returns, and no wgmma_wait has covered this product");
}

}  // namespace emu
