// settings.cpp: what the environment says about how to run. The driver's settings, EMULATOR_LAZY,
// EMULATOR_MEMORY and EMULATOR_FAULT, are those of the emulator (../emulator/settings.cpp).
//
//   EMULATOR_SEED=n       warps, lanes, blocks and nodes of graphs take turns at random, one to three
//                         blocks run side by side, and registers begin with random bits; 0, the
//                         default: in order, block after block
//   EMULATOR_TRUNCATE=1   tensor cores cut sums off, as GPUs do, instead of rounding them
//   PTX_DEVICE=c          compute capability of the device: 9.0, the default, takes sm_90a's cubins;
//                         another, such as 10.0, takes the PTX that ships
//   PTX_CUBINS=folder     where sm_90a's cubins lie with their PTX (default build/cubins/sm_90a, where
//                         make cubins leaves them)
//   PTX_APPROXIMATE=1     ex2.approx and lg2.approx are as wrong as the ISA allows
//   PTX_WEAK=1            other blocks see what a block writes to global memory after a fence only
//   PTX_STALE=1           a tensor map in global memory is read once, and again after its fence
//   PTX_LATE=n            a copy of TMA arrives when its mbarrier has been asked n times (default 0),
//                         with a seed up to three times later
//   PTX_RESIDENT=n        blocks that run side by side (default 1, with a seed 1 to 3)
//   PTX_SHARED_BASE=n     address of the first variable in shared memory (default 1024)
//   PTX_COVERAGE=file     at the end, how often each instruction was executed is appended there
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

namespace ptx {

static uint64_t number(const char* name, uint64_t otherwise) {
  const char* v = getenv(name);
  if (!v || !*v) return otherwise;
  char* end;
  const uint64_t n = strtoull(v, &end, 10);
  if (*end) {
    fprintf(stderr, "ptx: %s=%s is not a number\n", name, v);
    abort();
  }
  return n;
}

static Settings read() {
  Settings s{};
  s.seed = number("EMULATOR_SEED", 0);
  s.truncate = number("EMULATOR_TRUNCATE", 0) != 0;
  s.approximate = number("PTX_APPROXIMATE", 0) != 0;
  s.weak = number("PTX_WEAK", 0) != 0;
  s.stale = number("PTX_STALE", 0) != 0;
  s.late = (unsigned)number("PTX_LATE", 0);
  s.resident = (unsigned)number("PTX_RESIDENT", 0);
  s.shared_base = (uint32_t)number("PTX_SHARED_BASE", 1024);
  const char* device = getenv("PTX_DEVICE");
  if (!device || !*device) device = "9.0";
  char rest;
  if (sscanf(device, "%d.%d%c", &s.major, &s.minor, &rest) != 2) {
    fprintf(stderr, "ptx: PTX_DEVICE=%s is no compute capability, such as 9.0\n", device);
    abort();
  }
  s.multiprocessors = 4;  // few, so that grids that fill the device are small
  const char* folder = getenv("PTX_CUBINS");
  s.cubins = folder && *folder ? folder : PTX_DEFAULT_CUBINS;
  s.coverage = getenv("PTX_COVERAGE");
  if (s.coverage && !*s.coverage) s.coverage = nullptr;
  return s;
}

const Settings& settings() {
  static const Settings& s = *new Settings(read());
  return s;
}

static uint64_t state;
void seed_launch() {
  static uint64_t launches;
  state = ((settings().seed + 1) * 0x9E3779B97F4A7C15ull ^ ++launches * 0xD1B54A32D192ED03ull) | 1;
  for (int i = 0; i < 8; i++) random_number();
}
uint32_t random_number() {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

}  // namespace ptx

namespace emu {

uint64_t seed() { return ptx::settings().seed; }

// The name does not begin as the emulator's does: programs load what ships.
const Device& device() {
  static const ptx::Settings& s = ptx::settings();
  static const Device d = {"PTX machine", s.major, s.minor, s.multiprocessors};
  return d;
}

}  // namespace emu
