// access.cpp: the preempt and the trace build compile kernels with clang's
//     -fsanitize-coverage=trace-pc-guard,trace-loads,trace-stores
// which calls these before every memory access.
//
// In the preempt build a thread may then lose the processor between the read and the write of one
// statement: only so a forgotten atomic shows, because every other order of threads switches at
// waits alone. In the trace build the access is recorded: see trace.cpp.
#include "runtime.h"

namespace emu {
static void access(Access what, const void* p, unsigned bytes, const void* site) {
  if (!current) return;
  Block* b = self()->block;
  if (b->in_collective) return;
  note(what, p, bytes, site);
  const Settings& s = settings();
  if (s.preempt && s.seed && random_number(b) % s.preempt == 0) maybe_preempt();
}
}  // namespace emu

extern "C" {
void __sanitizer_cov_trace_pc_guard_init(uint32_t*, uint32_t*) {}
void __sanitizer_cov_trace_pc_guard(uint32_t*) {}
#define ACCESS(bytes)                                                                                                   \
  void __sanitizer_cov_load##bytes(void* p) { emu::access(emu::READ, p, bytes, __builtin_return_address(0)); }   \
  void __sanitizer_cov_store##bytes(void* p) { emu::access(emu::WRITE, p, bytes, __builtin_return_address(0)); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
}
