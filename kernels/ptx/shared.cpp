// shared.cpp: shared memory of a block, and who used it last.
//
// Two accesses race when different threads make them, one of them is a write, and neither a barrier
// of the block, nor, between lanes of one warp, an instruction that all of them wait for lies
// between. A thread that arrives at an mbarrier orders its accesses too, and no account is kept of
// who waits: what it did before is not compared with other warps' accesses. A word is what is
// compared; writers of less than a word are not, because two threads may share it.
//
// The generic proxy (ld, st, cp.async, ldmatrix) and the async proxy (wgmma, TMA) do not see each
// other: what a thread wrote, it must fence with fence.proxy.async, and then comes the barrier
// after which others use it.
#include "machine.h"

namespace ptx {

uint8_t* shared(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes, uint32_t align) {
  Block& b = *w.block;
  if (a & (align - 1)) fault(w, o, lane, "misaligned: shared address %#x is not a multiple of %u", a, align);
  const uint32_t x = a - b.base;
  if (x >= b.bytes || bytes > b.bytes - x) fault(w, o, lane, "out of bounds: %u bytes at shared address %#x; the block has %u from %#x", bytes, a, b.bytes, b.base);
  return b.shared.data() + x;
}

static uint8_t bytes_of(uint32_t word, uint32_t first, uint32_t bytes) {
  uint8_t m = 0;
  for (uint32_t k = 0; k < 4; k++)
    if (word * 4 + k - first < bytes) m |= (uint8_t)(1 << k);
  return m;
}

// arrived says that a thread of another warp may have ordered what it did by an mbarrier.
static bool arrived(const Block& b, int thread) { return thread == SEVERAL ? b.arrivals : b.warps[(size_t)thread / 32].arrived >> thread % 32 & 1; }

static bool written_just_now(const Word& k, const Warp& w, int me) {
  if (k.writer == NO_THREAD || k.writer == me || k.writer_epoch != w.block->epoch) return false;
  return k.writer / 32 == w.index ? k.writer_synced == w.synced : !arrived(*w.block, k.writer);
}

bool note_read(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes) {
  Block& b = *w.block;
  const int me = w.index * 32 + lane;
  const uint32_t first = a - b.base;
  bool known = true;
  for (uint32_t x = first / 4; x <= (first + bytes - 1) / 4; x++) {
    Word& k = b.words[x];
    const uint8_t m = bytes >= 4 ? 15 : bytes_of(x, first, bytes);
    known &= (k.written & m) == m;
    if (k.arriving & m) fault(w, o, lane, "race in shared memory: thread %d reads %#x, where a copy that was not waited for arrives", me, a);
    if (written_just_now(k, w, me)) fault(w, o, lane, "race in shared memory: thread %d reads what thread %d writes", me, k.writer);
    if (k.reader_epoch != b.epoch || k.reader == NO_THREAD || k.reader == me) k.reader = (uint16_t)me;
    else if (k.reader == SEVERAL || k.reader / 32 != w.index) k.reader = SEVERAL;
    else if (k.reader_synced != w.synced) k.reader = (uint16_t)me;
    // else two lanes of a warp read it: the first stands for both
    k.reader_epoch = b.epoch;
    k.reader_synced = w.synced;
  }
  return known;
}

static void note(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes, bool known, bool arriving) {
  Block& b = *w.block;
  const int me = w.index * 32 + lane;
  const uint32_t first = a - b.base;
  for (uint32_t x = first / 4; x <= (first + bytes - 1) / 4; x++) {
    Word& k = b.words[x];
    if (bytes >= 4) {
      if (written_just_now(k, w, me)) fault(w, o, lane, "race in shared memory: thread %d writes what thread %d writes", me, k.writer);
      if (k.reader != NO_THREAD && k.reader != me && k.reader_epoch == b.epoch) {
        const bool here = k.reader != SEVERAL && k.reader / 32 == w.index;
        if (here ? k.reader_synced == w.synced : !arrived(b, k.reader))
          fault(w, o, lane, "race in shared memory: thread %d writes what thread %d reads", me, k.reader == SEVERAL ? -1 : k.reader);
      }
      k.writer = (uint16_t)me;
    } else {
      k.writer = NO_THREAD;
    }
    k.writer_epoch = b.epoch;
    k.writer_synced = w.synced;
    k.proxy_writer = (uint16_t)me;
    k.proxy_fences = (uint32_t)w.fences[lane].size();
    const uint8_t m = bytes >= 4 ? 15 : bytes_of(x, first, bytes);
    k.written = (uint8_t)(known ? k.written | m : k.written & ~m);
    k.arriving = (uint8_t)(arriving ? k.arriving | m : k.arriving & ~m);
  }
}
void note_write(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes, bool known) { note(w, o, lane, a, bytes, known, false); }
void note_copy(Warp& w, const Op& o, int lane, uint32_t a, uint32_t bytes) { note(w, o, lane, a, bytes, false, true); }
void note_arrival(Block& b, uint32_t a, uint32_t bytes) {
  for (uint32_t x = (a - b.base) / 4; x <= (a - b.base + bytes - 1) / 4; x++) b.words[x].written = 15, b.words[x].arriving = 0;
}

// fenced says that a thread has passed a fence of the async proxy since it had passed so many, and,
// for another warp, that a barrier of the block came after that fence.
bool fenced(Block& b, int thread, uint32_t fences, int reader_warp) {
  const std::vector<uint32_t>& f = b.warps[(size_t)thread / 32].fences[thread % 32];
  if (f.size() <= fences) return false;
  return thread / 32 == reader_warp || arrived(b, thread) || f[fences] < b.epoch;
}

void check_proxy(Warp& w, const Op& o, int lane, const Word& k, uint32_t a, const char* what) {
  Block& b = *w.block;
  if (k.proxy_writer == NO_THREAD) return;
  if (!fenced(b, k.proxy_writer, k.proxy_fences, w.index))
    fault(w, o, lane, "missing fence: %s shared address %#x, which thread %d wrote without fence.proxy.async and a barrier since", what, a, k.proxy_writer);
}

}  // namespace ptx
