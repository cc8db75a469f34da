// settings.cpp: what the environment says about how to run.
//
//   EMULATOR_SEED=n         threads, blocks and streams take turns at random; 0, the default: in order
//   EMULATOR_WORKERS=n      OS threads that run blocks (default 1)
//   EMULATOR_CPASYNC=t      what runs by itself, copies, boxes of TMA and products of warpgroups, happens at `issue` (the default in
//                           order), at the `wait` that covers it, or at `random` at one of both (the default with a seed)
//   EMULATOR_TRUNCATE=1     tensor cores cut sums off, as GPUs do, instead of rounding them (gpu/host.h)
//   EMULATOR_PREEMPT=n      the preempt build with a seed: a thread loses the processor at 1 in n memory accesses
//   EMULATOR_TRACE=file     the trace build appends a line for each launch, which says what its accesses cost (trace.cpp)
//   EMULATOR_MEMORY=n       the device has n MiB of memory (default 81920; driver/device.cpp)
//   EMULATOR_LAZY=1         the driver defers work on streams until something waits for it (driver/stream.cpp)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

namespace emu {

static void refuse(const char* why) {
  fprintf(stderr, "emulator: %s\n", why);
  abort();
}

static uint64_t number(const char* name, uint64_t otherwise) {
  const char* v = getenv(name);
  if (!v || !*v) return otherwise;
  char* end;
  const uint64_t n = strtoull(v, &end, 10);
  if (*end) {
    fprintf(stderr, "emulator: %s=%s is not a number\n", name, v);
    abort();
  }
  return n;
}

static Settings read() {
  Settings s{};
  s.seed = number("EMULATOR_SEED", 0);
  s.workers = (int)number("EMULATOR_WORKERS", 1);
  if (s.workers < 1) s.workers = 1;
  s.preempt = (unsigned)number("EMULATOR_PREEMPT", 0);
  s.truncate = number("EMULATOR_TRUNCATE", 0) != 0;
  s.trace = getenv("EMULATOR_TRACE");
  if (s.trace && !*s.trace) s.trace = nullptr;
#if !defined(EMULATOR_TRACED)
  if (s.trace) refuse("EMULATOR_TRACE: this build of the emulator records no accesses; make VARIANT=trace builds one that does");
#endif
  if (s.trace && s.workers != 1) refuse("EMULATOR_TRACE: only one OS thread can be traced; leave EMULATOR_WORKERS out");
  s.copies = s.seed ? Settings::at_random : Settings::at_issue;
  if (const char* t = getenv("EMULATOR_CPASYNC")) {
    if (!strcmp(t, "issue")) s.copies = Settings::at_issue;
    else if (!strcmp(t, "wait")) s.copies = Settings::at_wait;
    else if (!strcmp(t, "random")) s.copies = Settings::at_random;
    else {
      fprintf(stderr, "emulator: EMULATOR_CPASYNC=%s: issue, wait or random\n", t);
      abort();
    }
  }
  return s;
}

const Settings& settings() {
  static const Settings s = read();
  return s;
}

uint64_t seed() { return settings().seed; }
bool truncates() { return settings().truncate; }

}  // namespace emu
