// copy.cpp: when asynchronous copies happen. A copy that is done at once hides a forgotten wait,
// one that is done at the wait hides a buffer that is overwritten too early: tests run both, or
// random.
#include "runtime.h"

namespace emu {

bool defer_copy(const Copy& c) {
  Lane* me = self();
  switch (settings().copies) {
    case Settings::at_issue: return false;
    case Settings::at_wait: break;
    case Settings::at_random:
      if (random_number(me->block) >> 40 & 1) return false;
  }
  me->copies.push_back(c);
  me->copies.back().group = me->group;
  return true;
}

void commit_copies() { self()->group++; }

bool next_copy(unsigned keep, Copy* c) {
  Lane* me = self();
  if (me->copied < me->copies.size() && me->copies[me->copied].group + keep < me->group) {
    *c = me->copies[me->copied++];
    return true;
  }
  if (me->copied == me->copies.size()) me->copies.clear(), me->copied = 0;
  me->copies_seen = false;
  return false;
}

void check_copies_done(Lane* l) {
  if (l->copied < l->copies.size())
    fatal_at(l->copies[l->copied].site, "cp.async: the thread returns, and no cp_async_wait has covered this copy");
  l->copies.clear();
  l->copied = 0;
}

}  // namespace emu
