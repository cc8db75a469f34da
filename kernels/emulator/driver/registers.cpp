// registers.cpp: what a kernel's machine code takes in registers, and what that allows.
#include <string.h>

#include "driver.h"

namespace driver {

int registers(const emu::Kernel& k) {
  static const struct { const char* kernel; int registers; } known[] = {
#include "registers.inc"  // the Makefile writes it from kernels/cubins/resources.txt
  };
  if (k.registers) return (int)k.registers;
  for (const auto& row : known)
    if (!strcmp(row.kernel, k.name)) return row.registers;
  return 0;
}

// A quarter of a multiprocessor has a quarter of the registers and of the warps; a warp gets
// registers in units of 256.
int warps_by_registers(const emu::Kernel& k) {
  const int r = registers(k), of_warp = (32 * (r ? r : 1) + 255) / 256 * 256;
  return 4 * (limits().registers_per_sm / 4 / of_warp);
}

}  // namespace driver
