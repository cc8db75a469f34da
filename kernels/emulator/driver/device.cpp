// device.cpp: the one device there is, an H100 SXM as its data sheet and the CUDA manual describe
// it, but for what the executor says of it. EMULATOR_MEMORY gives it less memory (settings.cpp).
#include "driver.h"

using namespace driver;

namespace driver {

const Limits& limits() {
  static const char* const mebibytes = getenv("EMULATOR_MEMORY");
  static const Limits h100 = {mebibytes && *mebibytes ? strtoull(mebibytes, nullptr, 10) << 20 : 80ull << 30, 1024, 48 << 10, 227 << 10, 228 << 10, 2048, 32, 65536, emu::device().multiprocessors};
  return h100;
}

}  // namespace driver

// CUdevice_attribute: what an attribute that is not in the table reads is 0.
static int attribute(int a) {
  static const std::map<int, int> table = {
      {1, 1024},         // max threads per block
      {2, 1024},         // max block dim x
      {3, 1024},         // max block dim y
      {4, 64},           // max block dim z
      {5, 2147483647},   // max grid dim x
      {6, 65535},        // max grid dim y
      {7, 65535},        // max grid dim z
      {8, 48 << 10},     // max shared memory per block
      {9, 64 << 10},     // total constant memory
      {10, 32},          // warp size
      {11, 2147483647},  // max pitch
      {12, 65536},       // max registers per block
      {13, 1980000},     // clock rate, kHz
      {14, 512},         // texture alignment
      {15, 1},           // gpu overlap
      {16, emu::device().multiprocessors},
      {19, 1},           // can map host memory
      {31, 1},           // concurrent kernels
      {36, 2619000},     // memory clock rate, kHz
      {37, 5120},        // memory bus width, bits
      {38, 50 << 20},    // L2 cache size
      {39, 2048},        // max threads per multiprocessor
      {40, 3},           // async engines
      {41, 1},           // unified addressing
      {75, emu::device().major},
      {76, emu::device().minor},
      {78, 1},           // stream priorities
      {81, 228 << 10},   // max shared memory per multiprocessor
      {82, 65536},       // max registers per multiprocessor
      {83, 1},           // managed memory
      {97, 227 << 10},   // max shared memory per block, opt-in
      {106, 32},         // max blocks per multiprocessor
      {111, 1 << 10},    // reserved shared memory per block
      {115, 1},          // memory pools
  };
  const auto i = table.find(a);
  return i == table.end() ? 0 : i->second;
}

#define DEVICE(d) \
  if (d != 0) return say(INVALID_DEVICE, "%s: there is one device, number 0, not %d", __func__, d)

API cuDriverGetVersion(int* version) {
  *version = 13000;
  return OK;
}
API cuDeviceGetCount(int* count) {
  ENTER;
  *count = 1;
  return OK;
}
API cuDeviceGet(int* device, int ordinal) {
  ENTER;
  DEVICE(ordinal);
  *device = 0;
  return OK;
}
API cuDeviceGetName(char* name, int size, int device) {
  ENTER;
  DEVICE(device);
  snprintf(name, (size_t)size, "%s", emu::device().name);
  return OK;
}
API cuDeviceGetUuid(unsigned char* uuid, int device) {
  ENTER;
  DEVICE(device);
  memcpy(uuid, "emulated-h100-00", 16);
  return OK;
}
API cuDeviceGetUuid_v2(unsigned char* uuid, int device) { return cuDeviceGetUuid(uuid, device); }
API cuDeviceTotalMem_v2(size_t* bytes, int device) {
  ENTER;
  DEVICE(device);
  *bytes = limits().memory;
  return OK;
}
API cuDeviceGetAttribute(int* value, int a, int device) {
  ENTER;
  DEVICE(device);
  *value = attribute(a);
  return OK;
}
API cuDeviceComputeCapability(int* major, int* minor, int device) {
  ENTER;
  DEVICE(device);
  *major = attribute(75);
  *minor = attribute(76);
  return OK;
}
