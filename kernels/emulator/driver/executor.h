// executor.h: what the stand-in driver asks of the part that executes kernels. There are two of
// them: the emulator (..), which has the kernels' sources compiled for the host, and the PTX
// machine (../../ptx), which executes what the compiler made of them.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <unordered_map>

struct dim3 { unsigned x, y, z; };

namespace emu {

// Device is what the executor says of the GPU that it plays.
struct Device {
  const char* name;
  int major, minor;  // compute capability
  int multiprocessors;
};
const Device& device();

// Kernel is a kernel that can be launched.
struct Kernel {
  const char* name;
  size_t param_size, param_align;
  unsigned max_threads;
  void (*call)(const void* params);
  const Kernel* next;
  unsigned registers = 0;  // of a thread; 0: what kernels/cubins/resources.txt says of sm_90a, or nothing known
};

// launch runs a grid to its end. Launches of several OS threads run one after another.
void launch(const Kernel& k, dim3 size, dim3 block_size, size_t dynamic_shared, const void* params);

// seed is EMULATOR_SEED: 0 means that everything runs in order.
uint64_t seed();

// allocate returns device memory, full of NaNs, or null. release gives it back.
void* allocate(size_t n);
void release(void* p);

// ---- what a piece of work uses ---------------------------------------------------------------------------------------

enum Access { READ, WRITE };

// Footprint is the device memory that a piece of work uses: a bit for each byte that is read, and
// for each that is written.
struct Page {
  uint64_t bits[2][64] = {};
};
struct Footprint {
  std::unordered_map<uintptr_t, Page> pages;
  uintptr_t at = 0;  // the page that was used last
  Page* page = nullptr;
};

// watching says that begin_footprint works in this build.
#if defined(EMULATOR_TRACED)
constexpr bool watching = true;
#else
constexpr bool watching = false;
#endif
// Between begin_footprint and end_footprint all accesses to device memory go to f.
void begin_footprint(Footprint* f);
void end_footprint();
// touch says that something else than a kernel, a copy or a fill, uses memory.
void touch(Access what, const void* p, size_t n);
// meet returns a byte that both use and one of them writes, or null.
const void* meet(const Footprint& a, const Footprint& b);

// each_memory calls f for every allocation of device memory: the driver knows them.
void each_memory(void (*f)(const void* p, size_t n));

}  // namespace emu
