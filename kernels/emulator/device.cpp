// device.cpp: the GPU that the emulator plays, and its memory.
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

namespace emu {

const Device& device() {
  static const Device h100 = {"Emulated NVIDIA H100 80GB HBM3", 9, 0, 132};
  return h100;
}

// Every allocation is a heap allocation of its own, so that an access beyond its end is
// AddressSanitizer's.
void* allocate(size_t n) {
  void* p;
  if (posix_memalign(&p, 256, n)) return nullptr;
  memset(p, 0xff, n);
  return p;
}
void release(void* p) { free(p); }

}  // namespace emu
