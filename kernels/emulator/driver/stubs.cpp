// stubs.cpp: every other entry point that a program may have linked against. It says its name and
// returns CUDA_ERROR_NOT_SUPPORTED: an unresolved symbol would be a jump to address 0. The
// definitions are weak, so that an implementation elsewhere wins, and the list need not be kept
// apart from what is implemented.
#include <stdio.h>

static int unsupported(const char* name) {
  fprintf(stderr, "emulated driver: %s is not implemented\n", name);
  return 801;
}

#define STUB(name) \
  extern "C" __attribute__((weak, visibility("default"))) int name() { return unsupported(#name); }
#include "entry_points.inc"
