// tensor_map.cpp: cuTensorMapEncodeTiled, with the conditions that the driver's manual lists.
#include "../emulator/driver/driver.h"
#include "tma.h"

using namespace driver;

API cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address, const uint64_t* size, const uint64_t* stride, const unsigned* box,
                           const unsigned* element_stride, int interleave, int swizzle, int promotion, int fill) {
  ENTER_CONTEXT;
  const auto refuse = [](const char* what) { return say(INVALID_VALUE, "cuTensorMapEncodeTiled: %s", what); };
  if (emu::device().major < 9) return say(NOT_SUPPORTED, "cuTensorMapEncodeTiled: the device has no TMA");
  if ((uintptr_t)map % 64) return refuse("the map's address is not a multiple of 64");
  if (type < 0 || type > 12) return refuse("there is no such type");
  if (rank < 1 || rank > 5) return refuse("a rank is from 1 to 5");
  if ((uintptr_t)address % 16) return refuse("the tensor's address is not a multiple of 16");
  if (swizzle < 0 || swizzle > 3 || promotion < 0 || promotion > 3) return refuse("there is no such swizzle or promotion");
  if (interleave || fill || rank > 4) return say(NOT_SUPPORTED, "cuTensorMapEncodeTiled: the machine knows no interleaving, no NaNs outside, and no rank 5");
  ptx::TensorMap m{};
  m.magic = ptx::MAP_MAGIC;
  m.address = (uint64_t)address;
  m.type = (uint32_t)type;
  m.rank = rank;
  m.swizzle = (uint32_t)swizzle;
  const uint64_t bytes = (uint64_t)ptx::element_size(m.type);
  for (unsigned i = 0; i < rank; i++) {
    if (size[i] < 1 || size[i] > 1ull << 32) return refuse("a dimension is 0 or above 2^32");
    if (box[i] < 1 || box[i] > 256) return refuse("a side of the box is 0 or above 256");
    if (element_stride[i] != 1) return say(NOT_SUPPORTED, "cuTensorMapEncodeTiled: the machine knows element strides of 1");
    m.size[i] = size[i];
    m.box[i] = (uint16_t)box[i];
    if (i + 1 == rank) break;
    if (stride[i] % 16 || stride[i] >= 1ull << 40) return refuse("a stride is not a multiple of 16 below 2^40");
    if (stride[i] < size[i] * (i ? stride[i - 1] : bytes)) return refuse("a stride is smaller than what it steps over");
    m.stride[i] = stride[i];
  }
  if (box[0] * bytes % 16) return refuse("a line of the box is not a multiple of 16 bytes");
  if (swizzle && box[0] * bytes > 16u << swizzle) return refuse("a line of the box is longer than the swizzle");
  m.sum = ptx::sum_of(m);
  memcpy(map, &m, sizeof m);
  return OK;
}
