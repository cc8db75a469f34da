// errors.cpp: an error in a kernel names the kernel, the block, the thread and the line, and ends
// the process.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <utility>

#include "runtime.h"

namespace emu {

void print_location() {
  if (!current) return;
  fprintf(stderr, "emulator:   in kernel %s, block (%u,%u,%u), thread (%u,%u,%u)\n", self()->block->kernel->name, grid.block.x,
          grid.block.y, grid.block.z, current->thread.x, current->thread.y, current->thread.z);
}

static void print(const char* format, va_list args) {
  fprintf(stderr, "\nemulator: error: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
}

void fatal(const char* format, ...) {
  va_list args;
  va_start(args, format);
  print(format, args);
  print_location();
  abort();
}

void fatal_at(Site site, const char* format, ...) {
  va_list args;
  va_start(args, format);
  print(format, args);
  print_location();
  fprintf(stderr, "emulator:   at %s:%d\n", site.file, site.line);
  abort();
}

void deadlock(Block* b) {
  fprintf(stderr, "\nemulator: error: deadlock: no thread can go on; %u of %u have not returned, %u wait at a barrier\n", b->alive,
          b->threads, b->arrived);
  print_location();
  for (unsigned w = 0; w < b->warps; w++) {
    const Warp& x = b->warp[w];
    for (const auto& [lanes, what] : {std::pair<uint32_t, const char*>{x.at_barrier, "at the barrier"},
                                      std::pair<uint32_t, const char*>{x.in_collective, "for lanes of their warp"}}) {
      if (!lanes) continue;
      const Lane& l = b->lanes[w * 32 + __builtin_ctz(lanes)];
      fprintf(stderr, "emulator:   warp %u: lanes %08x of %08x wait %s at %s:%d\n", w, lanes, x.alive, what, l.site.file, l.site.line);
    }
  }
  abort();
}

}  // namespace emu
