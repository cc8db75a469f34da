// emulator.h: what compiled kernels (through gpu/host.h) and the stand-in driver see of the
// emulator.
//
// A kernel launch runs block after block (or several at once, on several OS threads); within a
// block every GPU thread is a fiber with a stack of its own, and a fiber runs until its thread
// waits for others: at a barrier or in a warp collective. Threads run in order by default, in
// random order with EMULATOR_SEED, and can lose the processor at any memory access in the preempt
// build. Nothing here is fast on purpose, but nothing is slow by neglect: a barrier costs about 10
// ns a thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "driver/executor.h"

struct uint3 { unsigned x, y, z; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };

namespace emu {

// Site is a place in a kernel's source. A barrier is known by it: compilers duplicate calls, so
// addresses would not do.
struct Site {
  const char* file;
  int line;
};
// As a default argument, here() is the place of the call.
constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }

// Thread is what a GPU thread knows about itself.
struct Thread {
  uint3 thread;   // threadIdx
  unsigned lane;  // within its warp
};

// Grid is what all threads of a block know.
struct Grid {
  uint3 block;  // blockIdx
  dim3 block_size, size;
};

// The thread and the block that this OS thread is running. A fiber never changes its OS thread.
extern __thread Thread* current __attribute__((tls_model("initial-exec")));
extern __thread Grid grid __attribute__((tls_model("initial-exec")));

// ---- waiting ---------------------------------------------------------------------------------------------------------

// barrier is __syncthreads(): it waits for all threads of the block that have not returned.
void barrier(Site site);

// A Collective computes what a warp computes together. The last lane to arrive runs it for all:
// slots[i] is what lane i passed, null where lane i takes no part.
typedef void (*Collective)(void** slots, uint32_t mask);

// collective waits for all lanes of the warp that have not returned.
void collective(void* slot, Collective f, Site site);

// full_warp is collective for instructions that need all 32 lanes.
void full_warp(void* slot, Collective f, Site site);

// sync_warp is __syncwarp(): a collective that also orders memory.
void sync_warp(Site site);

// maybe_preempt lets another thread run, in random order only.
void maybe_preempt();

// ---- shared memory ---------------------------------------------------------------------------------------------------

// static_shared is the block's object that tag stands for: one heap allocation each, so that
// sanitizers see its ends. Fresh shared memory holds NaNs.
void* static_shared(const void* tag, size_t size);
unsigned char* dynamic_shared();

// wrote notes that this thread has written to p by a plain store: wgmma sees it only behind a
// fence_async.
void wrote(const void* p);

// ---- cp.async --------------------------------------------------------------------------------------------------------

struct Copy {
  void* dst;
  const void* src;
  unsigned bytes;
  bool on;
  unsigned group;
  Site site;
};

// defer_copy decides when a copy happens: false means at once, by the caller. EMULATOR_CPASYNC is
// issue, wait or random.
bool defer_copy(const Copy& c);
void commit_copies();
// next_copy takes out the next deferred copy of this thread that a wait for all but the `keep`
// youngest groups covers.
bool next_copy(unsigned keep, Copy* c);

// ---- wgmma -----------------------------------------------------------------------------------------------------------

struct Multiply {
  void (*perform)(const Multiply&);
  uint64_t a, b;  // descriptors
  float* d;
  Site site;
};

// defer_multiply decides when a product happens, for all lanes of a warp alike: false means at
// once, by the caller. It is an error without the fences before it. EMULATOR_CPASYNC rules it as it
// does copies.
bool defer_multiply(const Multiply& m);
void fence_async();
void fence_multiplies();
void commit_multiplies();
// next_multiply takes out the next deferred product of this thread, for a wait at site.
bool next_multiply(Multiply* m, Site site);

// ---- TMA -------------------------------------------------------------------------------------------------------------

// TensorMap is what the stand-in driver makes of a CUtensorMap: a matrix of 2-byte elements in
// boxes of 64 columns.
struct TensorMap {
  uint64_t magic;
  const unsigned char* address;
  uint64_t columns, rows, pitch;  // pitch in bytes
  uint32_t box_rows;
  static const uint64_t right = 0x70616d726f736e74;
};

struct Load {
  void* dst;
  const TensorMap* map;
  int x, y;
  void* bar;
  Site site;
};

void check_load(const Load& l);
// defer_load decides when a load happens, as defer_copy does; next_load takes out the next deferred
// one that arrives at bar.
bool defer_load(const Load& l);
bool next_load(void* bar, Load* l);
void mbarrier_init(void* bar, Site site);
void mbarrier_expect(void* bar, unsigned bytes, Site site);
void arrived(void* bar, unsigned bytes, Site site);
void mbarrier_wait(void* bar, unsigned parity, Site site);

// ---- what the trace build records ------------------------------------------------------------------------------------

// record takes down one access of the running thread. site is an address in the kernel's code,
// which tells its accesses apart.
void record(Access what, const void* p, unsigned bytes, const void* site);

// note is for an access that is one instruction on a GPU and something else on the host: only the
// trace build records it.
inline void note(Access what, const void* p, unsigned bytes, const void* site) {
#if defined(EMULATOR_TRACED)
  record(what, p, bytes, site);
#else
  (void)what, (void)p, (void)bytes, (void)site;
#endif
}

// ---- errors ----------------------------------------------------------------------------------------------------------

// fatal prints the message with kernel, block and thread, and aborts. fatal_at adds the line.
[[noreturn]] void fatal(const char* format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void fatal_at(Site site, const char* format, ...) __attribute__((format(printf, 2, 3)));

// ---- kernels ---------------------------------------------------------------------------------------------------------

// The KERNEL macro makes a compiled kernel and puts it in the list.
extern const Kernel* kernels;
const Kernel* find_kernel(const char* name);

struct Registration {
  Kernel kernel;
  Registration(Kernel k) : kernel(k) {
    kernel.next = kernels;
    kernels = &kernel;
  }
};

// truncates is EMULATOR_TRUNCATE.
bool truncates();

}  // namespace emu
