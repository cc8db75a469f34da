// preempt.cpp: the preempt build compiles kernels with clang's
//     -fsanitize-coverage=trace-pc-guard,trace-loads,trace-stores
// which calls these before every memory access. A thread may then lose the processor between the read and the write of one
// statement: only so a forgotten atomic shows, because every other order of threads switches at waits alone.
#include "runtime.h"

namespace emu {
static void access() {
  const Settings& s = settings();
  if (!s.preempt || !s.seed || !current) return;
  Block* b = self()->block;
  if (!b->in_collective && random_number(b) % s.preempt == 0) maybe_preempt();
}
}  // namespace emu

extern "C" {
void __sanitizer_cov_trace_pc_guard_init(uint32_t*, uint32_t*) {}
void __sanitizer_cov_trace_pc_guard(uint32_t*) {}
#define ACCESS(bytes)                                                  \
  void __sanitizer_cov_load##bytes(void*) { emu::access(); }           \
  void __sanitizer_cov_store##bytes(void*) { emu::access(); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
}
