// tensor_map.cpp: descriptions of matrices for TMA. Of all that cuTensorMapEncodeTiled can
// describe, the kernels' own: two dimensions of bfloat16, in boxes of lines of 128 bytes.
#include <string.h>

#include "driver/driver.h"
#include "emulator.h"

using namespace driver;

API cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address, const uint64_t* size, const uint64_t* stride, const unsigned* box,
                           const unsigned* element_stride, int interleave, int swizzle, int, int fill) {
  ENTER_CONTEXT;
  const int bfloat16 = 9, swizzle_128 = 3;
  const auto refuse = [](const char* what) { return say(INVALID_VALUE, "cuTensorMapEncodeTiled: %s", what); };
  if ((uintptr_t)map % 64) return refuse("the map's address is not a multiple of 64");
  if (type != bfloat16 || rank != 2 || interleave || swizzle != swizzle_128 || fill || element_stride[0] != 1 || element_stride[1] != 1)
    return say(NOT_SUPPORTED, "cuTensorMapEncodeTiled: the emulator has matrices of bfloat16 with a swizzle of 128 bytes and zeros outside, nothing else");
  if ((uintptr_t)address % 16) return refuse("the matrix's address is not a multiple of 16");
  if (!size[0] || !size[1] || size[0] > 1ull << 32 || size[1] > 1ull << 32) return refuse("a dimension is 0 or above 2^32");
  if (stride[0] % 16 || stride[0] >= 1ull << 40 || stride[0] < 2 * size[0]) return refuse("the stride is not a multiple of 16 or smaller than a row");
  if (!box[0] || !box[1] || box[0] > 256 || box[1] > 256) return refuse("a side of the box is 0 or above 256");
  if (box[0] * 2 != 128) return refuse("the box's lines are not the swizzle's 128 bytes");
  memset(map, 0, 128);
  *(emu::TensorMap*)map = {emu::TensorMap::right, (const unsigned char*)address, size[0], size[1], stride[0], box[1]};
  return OK;
}
