// philox.h: the Philox-4x32-10 counter-based generator (Salmon et al., "Parallel Random Numbers: As
// Easy as 1, 2, 3", SC 2011). It returns four uniform 32-bit words that depend only on counter and
// key: the same numbers as graph.Philox4x32.
#pragma once
#include "gpu.h"

namespace gpu {

struct PhiloxWords {
  uint32_t w[4];
};

GPU_FN PhiloxWords philox4x32(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  UNROLL for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace gpu
