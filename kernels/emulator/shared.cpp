// shared.cpp: a block's shared memory.
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

namespace emu {

// What nvcc and an H100 allow.
static const size_t max_static = 48 << 10, max_block = 227 << 10;

// Each object is a heap allocation of its own: AddressSanitizer then guards both its ends. It
// starts as NaNs, because a GPU does not clear it either.
static void* fresh(size_t size, size_t alignment) {
  TsanQuiet quiet;
  void* p = nullptr;
  if (posix_memalign(&p, alignment, size ? size : 1)) fatal("no memory for %zu bytes of shared memory", size);
  memset(p, 0xff, size);
  return p;
}

void* static_shared(const void* tag, size_t size) {
  Block* b = self()->block;
  for (unsigned i = 0; i < b->shared_count; i++)
    if (b->shared[i].tag == tag) return b->shared[i].memory;
  if (b->shared_count == Block::max_shared) fatal("more than %u __shared__ objects", Block::max_shared);
  b->shared_bytes += (size + 15) / 16 * 16;
  if (b->shared_bytes > max_static) fatal("%zu bytes of static shared memory: a kernel has at most %zu", b->shared_bytes, max_static);
  // Dynamic shared memory lies behind the static one, at a multiple of 1024 as DYN_SHARED asks for.
  const size_t begin = b->dynamic_bytes ? (b->shared_bytes + 1023) / 1024 * 1024 : b->shared_bytes;
  if (begin + b->dynamic_bytes > max_block)
    fatal("%zu bytes of static and %zu of dynamic shared memory: a block has at most %zu", b->shared_bytes, b->dynamic_bytes, max_block);
  void* p = fresh(size, 128);
  b->shared[b->shared_count++] = {tag, p, size};
  return p;
}

void wrote(const void* p) {
  Lane* me = self();
  const Block* b = me->block;
  if ((uintptr_t)p - (uintptr_t)b->dynamic < b->dynamic_bytes) me->copies_seen = false;
}

unsigned char* dynamic_shared() { return self()->block->dynamic; }

void begin_shared(Block* b, size_t dynamic) {
  b->shared_count = 0;
  b->shared_bytes = 0;
  b->mbarrier_count = b->load_count = 0;
  b->dynamic_bytes = dynamic;
  b->dynamic = dynamic ? (unsigned char*)fresh(dynamic, 1024) : nullptr;
}

void end_shared(Block* b) {
  TsanQuiet quiet;
  for (unsigned i = 0; i < b->shared_count; i++) free(b->shared[i].memory);
  free(b->dynamic);
}

}  // namespace emu
