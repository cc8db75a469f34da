// runtime.h: the parts of the emulator among themselves.
//
// The runtime plays the hardware. Under ThreadSanitizer it is compiled without instrumentation and
// tells TSan by hand what orders memory on a GPU: launches, barriers and syncwarp, and nothing
// else.
#pragma once
#include <vector>

#include "emulator.h"
#include "sanitizers.h"

namespace emu {

// Fiber is a stack that a GPU thread runs on.
struct Fiber {
  char* stack;
  size_t size;
  void* saved;  // stack pointer while it does not run
  Fiber* next;  // in the worker's list of free fibers
};

struct Block;

// Lane is one GPU thread.
struct Lane : Thread {
  Block* block;
  unsigned index, warp;  // within the block
  Fiber* fiber;          // null before its first and after its last instruction
  Fiber* own;            // TSan only: a stack belongs to one lane, else its reuse would look like a race
  void* tsan;            // TSan's idea of the thread

  Site site;         // where it waits
  void* slot;        // of the collective that it waits in
  Collective waits;  // which one

  unsigned group;            // the cp.async group that is open
  std::vector<Copy> copies;  // deferred ones, oldest first
  size_t copied;             // how many of them are done
  bool copies_seen;          // by wgmma: fence_async came after the last wait for copies

  std::vector<Multiply> multiplies;  // deferred ones, oldest first
  size_t multiplied;                 // how many of them are done
  unsigned products;                 // that were ever started
  bool fenced, committed;            // wgmma_fence has come, nothing is behind the last commit
};

// Warp: one bit for each lane.
struct Warp {
  uint32_t ready, alive, at_barrier, in_collective;
  unsigned generation;           // counts syncwarps
  unsigned meetings;             // counts barriers and collectives: all lanes are at the same place
  char order[2][8];              // what TSan orders syncwarps by
};

struct SharedObject {
  const void* tag;
  void* memory;
  size_t size;
};

// Mbarrier is an mbarrier of one arrival.
struct Mbarrier {
  const void* address;
  unsigned maker;               // the thread that has initialised it
  unsigned block_generation;    // of the block's barriers when it did
  unsigned warp_generation;     // of the syncwarps of the maker's warp
  bool fenced;                  // the maker has called fence_async since: TMA sees the mbarrier
  unsigned phases;     // that are over
  bool expects;        // the phase's arrival has come
  int bytes;           // that are still to come
  unsigned under_way;  // loads that a thread is about
};

// Block is the block that a worker is running.
struct Block {
  static const unsigned max_warps = 32, max_shared = 32, max_mbarriers = 16, max_loads = 256;
  const Kernel* kernel;
  const void* params;
  unsigned threads, warps, alive, arrived, generation;
  uint64_t random;            // state of the generator
  uint64_t ready_warps;       // one bit for each warp with a ready lane
  unsigned running_warp;      // in order: a warp runs as far as it can before the next one
  Warp warp[max_warps];
  Lane* lanes;
  SharedObject shared[max_shared];
  unsigned shared_count;
  size_t shared_bytes;        // of the static objects
  size_t dynamic_bytes;
  unsigned char* dynamic;
  Mbarrier mbarriers[max_mbarriers];
  unsigned mbarrier_count;
  Load loads[max_loads];      // deferred ones
  unsigned load_count;
  bool in_collective;         // a collective's function is running: no preemption
  char order[2][8];           // what TSan orders barriers by
};

// Worker is one OS thread that runs blocks.
struct Worker {
  Block block;
  std::vector<Lane> lanes;
  Fiber main;  // the OS thread's own stack
  Fiber* free;
  unsigned made;
  void* tsan;
};
extern __thread Worker* worker __attribute__((tls_model("initial-exec")));

inline Lane* self() { return static_cast<Lane*>(current); }

// Settings come from the environment, once: see settings.cpp.
struct Settings {
  uint64_t seed;
  int workers;
  enum CopyTime { at_issue, at_wait, at_random } copies;
  unsigned preempt;   // 1 in this many memory accesses
  bool truncate;      // sums of tensor cores
  const char* trace;  // the file, or null
};
const Settings& settings();

uint64_t random_number(Block* b);

// fiber.cpp
Fiber* take_fiber(Lane* l, void (*entry)());
void give_fiber(Fiber* f);
void jump(Fiber* from, Fiber* to);
void adopt_os_stack(Fiber* f);

// schedule.cpp
void make_ready(Block* b, unsigned warp, uint32_t lanes);
void make_unready(Block* b, unsigned warp, uint32_t lanes);
Lane* pick(Block* b);
void suspend();                // the running lane waits: another one runs
void run_all(Block* b);        // from the worker's own stack

// barrier.cpp, collective.cpp, shared.cpp, copy.cpp, multiply.cpp, tma.cpp: what happens when a
// thread or a block is over
void barrier_without(Block* b);
void collective_without(Block* b, unsigned warp);
void check_copies_done(Lane* l);
void check_multiplies_done(Lane* l);
void check_loads_done(Block* b);
void begin_shared(Block* b, size_t dynamic);
void end_shared(Block* b);

// trace.cpp: a launch is traced between these, and a block's accesses are folded when it is over
void begin_trace(const Kernel& k, dim3 size, dim3 block_size, const void* params);
void fold_trace(const Block* b);
void end_trace();

// errors.cpp
void print_location();
[[noreturn]] void deadlock(Block* b);

}  // namespace emu
