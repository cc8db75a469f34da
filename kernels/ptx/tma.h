// tma.h: tensor maps and copies of TMA.
#pragma once
#include "machine.h"

namespace ptx {

// TensorMap is what this driver makes of a CUtensorMap.
struct TensorMap {
  uint64_t magic, address;
  uint32_t type, rank, swizzle, pad[3];
  uint64_t size[5];    // elements
  uint64_t stride[4];  // bytes from one line, plane ... to the next
  uint16_t box[4];
  uint64_t sum;  // of all before
};
static_assert(sizeof(TensorMap) == 128, "a CUtensorMap has 128 bytes");
const uint64_t MAP_MAGIC = 0x70616d2d78747001;
uint64_t sum_of(const TensorMap& m);
int element_size(uint32_t type);  // of CUtensorMapDataType

// mbarrier.cpp
Mbarrier& mbarrier_at(Warp& w, const Op& o, int lane, uint32_t a);
void advance(Block& b, Mbarrier& m);

// arrive_transfers lets copies arrive for which an mbarrier is asked.
void arrive_transfers(Block& b, uint32_t mbarrier);
void arrive_all(Block& b);  // for whatever mbarrier, now

}  // namespace ptx
