// memory.cpp: device and pinned memory, copies and fills.
//
// Every device allocation is one of the executor's, full of NaNs, so that a read before the first
// write is visible. Device pointers are host pointers.
#include "driver.h"

using namespace driver;

namespace {

std::map<DevicePtr, size_t> device_memory;
std::map<uintptr_t, size_t> pinned_memory;
size_t used;

template <class K> bool contains(const std::map<K, size_t>& blocks, K p, size_t n, K* begin, size_t* size) {
  auto i = blocks.upper_bound(p);
  if (i == blocks.begin()) return false;
  --i;
  if (begin) *begin = i->first;
  if (size) *size = i->second;
  return p - i->first <= i->second && n <= i->second - (p - i->first);
}

Result copy(DevicePtr dst, DevicePtr src, size_t n, void* stream) {
  return submit(stream, [=] {
    emu::touch(emu::READ, (const void*)src, n);
    emu::touch(emu::WRITE, (const void*)dst, n);
    memmove((void*)dst, (const void*)src, n);
  }, "a copy");
}

template <class T> Result fill(DevicePtr dst, T value, size_t n, void* stream, const char* what) {
  if (dst % sizeof(T)) return say(INVALID_VALUE, "%s: %#llx is not a multiple of %zu", what, dst, sizeof(T));
  if (Result r = inside(dst, n * sizeof(T), what)) return r;
  return submit(stream, [=] {
    emu::touch(emu::WRITE, (const void*)dst, n * sizeof(T));
    for (size_t i = 0; i < n; i++) ((T*)dst)[i] = value;
  }, "a fill");
}

// wait_legacy ends a call that returns only when its work on the legacy stream is done.
Result wait_legacy(Result r) { return r ? r : driver::driver().sticky; }

}  // namespace

namespace driver {

Result inside(DevicePtr p, size_t n, const char* what) {
  DevicePtr begin = 0;
  size_t size = 0;
  if (contains(device_memory, p, n, &begin, &size)) return OK;
  if (begin && p <= begin + size)
    return say(INVALID_VALUE, "%s: %zu bytes from offset %llu do not fit the device allocation of %zu bytes", what, n, p - begin, size);
  return say(INVALID_VALUE, "%s: %#llx is not in any device allocation", what, p);
}

bool pinned(const void* p, size_t n) { return contains(pinned_memory, (uintptr_t)p, n, (uintptr_t*)nullptr, nullptr); }

}  // namespace driver

void emu::each_memory(void (*f)(const void*, size_t)) {
  for (const auto& [p, n] : device_memory) f((const void*)p, n);
}

#define INSIDE(p, n) \
  if (Result r = inside(p, n, __func__)) return r

API cuMemAlloc_v2(DevicePtr* p, size_t n) {
  ENTER_CONTEXT;
  if (!n) return say(INVALID_VALUE, "cuMemAlloc of 0 bytes");
  if (capturing()) return say(STREAM_CAPTURE_UNSUPPORTED, "%s while a stream is capturing", __func__);
  if (n > limits().memory - used) return OUT_OF_MEMORY;
  void* m = emu::allocate(n);
  if (!m) return OUT_OF_MEMORY;
  device_memory[(DevicePtr)m] = n;
  used += n;
  *p = (DevicePtr)m;
  return OK;
}
API cuMemFree_v2(DevicePtr p) {
  ENTER_CONTEXT;
  if (!p) return OK;
  drain_all();
  const auto i = device_memory.find(p);
  if (i == device_memory.end()) return say(INVALID_VALUE, "cuMemFree: %#llx is not the beginning of an allocation", p);
  used -= i->second;
  device_memory.erase(i);
  emu::release((void*)p);
  return OK;
}
API cuMemGetInfo_v2(size_t* available, size_t* total) {
  ENTER_CONTEXT;
  *available = limits().memory - used;
  *total = limits().memory;
  return OK;
}
API cuMemGetAddressRange_v2(DevicePtr* begin, size_t* size, DevicePtr p) {
  ENTER_CONTEXT;
  DevicePtr b;
  size_t n;
  if (!contains(device_memory, p, 1, &b, &n)) return say(NOT_FOUND, "%s: %#llx is not in any device allocation", __func__, p);
  if (begin) *begin = b;
  if (size) *size = n;
  return OK;
}
API cuMemHostAlloc(void** p, size_t n, unsigned) {
  ENTER_CONTEXT;
  if (!n) return say(INVALID_VALUE, "%s of 0 bytes", __func__);
  if (posix_memalign(p, 4096, n)) return OUT_OF_MEMORY;
  pinned_memory[(uintptr_t)*p] = n;
  return OK;
}
API cuMemAllocHost_v2(void** p, size_t n) { return cuMemHostAlloc(p, n, 0); }
API cuMemFreeHost(void* p) {
  ENTER_CONTEXT;
  drain_all();
  if (!pinned_memory.erase((uintptr_t)p)) return say(INVALID_VALUE, "cuMemFreeHost: %p is not pinned memory", p);
  free(p);
  return OK;
}
API cuMemHostGetDevicePointer_v2(DevicePtr* d, void* p, unsigned) {
  ENTER_CONTEXT;
  if (!pinned(p, 1)) return say(INVALID_VALUE, "%s: %p is not pinned memory", __func__, p);
  *d = (DevicePtr)p;
  return OK;
}

// Copies of pinned memory happen when the stream comes to them, so it must not be touched before.
// Pageable memory is read before the call returns, and written before it returns, as CUDA has it.
API cuMemcpyHtoDAsync_v2(DevicePtr dst, const void* src, size_t n, void* stream) {
  ENTER_CONTEXT;
  INSIDE(dst, n);
  Stream* s = stream_of(stream);
  if (pinned(src, n) || !s || s->capture) return copy(dst, (DevicePtr)src, n, stream);
  auto staged = std::make_shared<std::vector<char>>((const char*)src, (const char*)src + n);
  return submit(stream, [=] {
    emu::touch(emu::WRITE, (const void*)dst, n);
    memcpy((void*)dst, staged->data(), n);
  }, "a copy");
}
API cuMemcpyDtoHAsync_v2(void* dst, DevicePtr src, size_t n, void* stream) {
  ENTER_CONTEXT;
  INSIDE(src, n);
  const Result r = copy((DevicePtr)dst, src, n, stream);
  Stream* s = stream_of(stream);
  if (r == OK && !pinned(dst, n) && !s->capture) drain_stream(s);
  return r;
}
API cuMemcpyDtoDAsync_v2(DevicePtr dst, DevicePtr src, size_t n, void* stream) {
  ENTER_CONTEXT;
  INSIDE(dst, n);
  INSIDE(src, n);
  return copy(dst, src, n, stream);
}
API cuMemcpyHtoD_v2(DevicePtr dst, const void* src, size_t n) {
  ENTER_CONTEXT;
  INSIDE(dst, n);
  return wait_legacy(copy(dst, (DevicePtr)src, n, nullptr));
}
API cuMemcpyDtoH_v2(void* dst, DevicePtr src, size_t n) {
  ENTER_CONTEXT;
  INSIDE(src, n);
  return wait_legacy(copy((DevicePtr)dst, src, n, nullptr));
}
API cuMemcpyDtoD_v2(DevicePtr dst, DevicePtr src, size_t n) { return cuMemcpyDtoDAsync_v2(dst, src, n, nullptr); }
API cuMemcpyAsync(DevicePtr dst, DevicePtr src, size_t n, void* stream) {
  ENTER_CONTEXT;
  return copy(dst, src, n, stream);  // with unified addressing either side may be the host's
}
API cuMemcpy(DevicePtr dst, DevicePtr src, size_t n) {
  ENTER_CONTEXT;
  return wait_legacy(copy(dst, src, n, nullptr));
}

API cuMemsetD8Async(DevicePtr p, unsigned char v, size_t n, void* stream) {
  ENTER_CONTEXT;
  return fill(p, v, n, stream, __func__);
}
API cuMemsetD16Async(DevicePtr p, unsigned short v, size_t n, void* stream) {
  ENTER_CONTEXT;
  return fill(p, v, n, stream, __func__);
}
API cuMemsetD32Async(DevicePtr p, unsigned v, size_t n, void* stream) {
  ENTER_CONTEXT;
  return fill(p, v, n, stream, __func__);
}
API cuMemsetD8_v2(DevicePtr p, unsigned char v, size_t n) { return cuMemsetD8Async(p, v, n, nullptr); }
API cuMemsetD16_v2(DevicePtr p, unsigned short v, size_t n) { return cuMemsetD16Async(p, v, n, nullptr); }
API cuMemsetD32_v2(DevicePtr p, unsigned v, size_t n) { return cuMemsetD32Async(p, v, n, nullptr); }
