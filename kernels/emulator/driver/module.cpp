// module.cpp: modules, functions and launches.
#include <algorithm>

#include "driver.h"

using namespace driver;

namespace {

struct Module {
  Image image;
  std::map<std::string, Function> functions;
};
std::set<Module*>& modules() {
  static auto* s = new std::set<Module*>;
  return *s;
}
std::set<Function*>& functions() {
  static auto* s = new std::set<Function*>;
  return *s;
}

// EMULATOR_FAULT=kernel makes every launch of that kernel fail as a device fault does:
// asynchronously, and for good.
bool faulty(const char* kernel) {
  static const char* const name = getenv("EMULATOR_FAULT");
  return name && !strcmp(name, kernel);
}

Result check_launch(const Function& f, dim3 size, dim3 block, unsigned dynamic) {
  const char* name = f.kernel->name;
  if (!size.x || !size.y || !size.z || size.x > 2147483647u || size.y > 65535 || size.z > 65535)
    return say(INVALID_VALUE, "%s: a grid of (%u,%u,%u) blocks is not possible", name, size.x, size.y, size.z);
  const uint64_t threads = (uint64_t)block.x * block.y * block.z;
  if (!threads || threads > 1024 || block.z > 64)
    return say(INVALID_VALUE, "%s: a block of (%u,%u,%u) threads is not possible", name, block.x, block.y, block.z);
  if (threads > f.kernel->max_threads)
    return say(LAUNCH_OUT_OF_RESOURCES, "%s: a block of %llu threads; the kernel is built for %u", name, (unsigned long long)threads, f.kernel->max_threads);
  if ((int)(threads + 31) / 32 > warps_by_registers(*f.kernel))
    return say(LAUNCH_OUT_OF_RESOURCES, "%s: a block of %llu threads of %d registers; there are %d", name, (unsigned long long)threads,
               registers(*f.kernel), limits().registers_per_sm);
  if ((int)dynamic > f.max_dynamic)
    return say(INVALID_VALUE, "%s: %u bytes of dynamic shared memory; the function allows %d (cuFuncSetAttribute)", name, dynamic, f.max_dynamic);
  return OK;
}

}  // namespace

namespace driver {
Function* function_of(void* handle) {
  Function* f = (Function*)handle;
  return functions().count(f) ? f : nullptr;
}
}  // namespace driver

API cuModuleLoadData(void** module, const void* data) {
  ENTER_CONTEXT;
  Image image;
  if (Result r = read_image(data, &image)) return r;
  Module* m = new Module{image, {}};
  modules().insert(m);
  *module = m;
  return OK;
}
// The options that count are the buffer for what the compiler of PTX says, and its size. A driver
// writes a line for each kernel.
API cuModuleLoadDataEx(void** module, const void* data, unsigned count, int* options, void** values) {
  enum { info_log_buffer = 3, info_log_size = 4 };
  if (Result r = cuModuleLoadData(module, data)) return r;
  const Image& image = ((Module*)*module)->image;
  char* buffer = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < count; i++) {
    if (options[i] == info_log_buffer) buffer = (char*)values[i];
    if (options[i] == info_log_size) size = (uint32_t)(uintptr_t)values[i];
  }
  std::string log;
  if (image.ptx)
    for (auto& k : image.kernels) log += "info    : emulated kernel " + k.first + "\n";
  if (buffer && size) snprintf(buffer, size, "%s", log.c_str());
  return OK;
}
API cuModuleLoadFatBinary(void** module, const void* data) { return cuModuleLoadData(module, data); }
API cuModuleUnload(void* module) {
  ENTER_CONTEXT;
  if (!modules().erase((Module*)module)) return say(INVALID_HANDLE, "%s: no such module", __func__);
  drain_all();
  for (auto& f : ((Module*)module)->functions) functions().erase(&f.second);
  delete (Module*)module;
  return OK;
}
API cuModuleGetFunction(void** function, void* module, const char* name) {
  ENTER_CONTEXT;
  Module* m = (Module*)module;
  if (!modules().count(m)) return say(INVALID_HANDLE, "%s: no such module", __func__);
  const emu::Kernel* k;
  if (Result r = find_kernel(m->image, name, &k)) return r;
  Function& f = m->functions[name];
  f.kernel = k;
  functions().insert(&f);
  *function = &f;
  return OK;
}

// CUfunction_attribute.
enum { attribute_max_threads = 0, attribute_registers = 4, attribute_ptx_version = 5, attribute_binary_version = 6, attribute_max_dynamic = 8, attribute_carveout = 9 };

#define FUNCTION(f, handle)                  \
  Function* const f = function_of(handle);   \
  if (!f) return say(INVALID_HANDLE, "%s: no such function: %p", __func__, handle)

API cuFuncSetAttribute(void* function, int attribute, int value) {
  ENTER_CONTEXT;
  FUNCTION(f, function);
  if (attribute == attribute_carveout) return OK;
  if (attribute != attribute_max_dynamic) return say(INVALID_VALUE, "%s: attribute %d cannot be set", __func__, attribute);
  if (value < 0 || value > limits().shared_per_block_optin)
    return say(INVALID_VALUE, "%s: %d bytes of dynamic shared memory; a block has at most %d", f->kernel->name, value, limits().shared_per_block_optin);
  f->max_dynamic = value;
  return OK;
}
API cuFuncGetAttribute(int* value, int attribute, void* function) {
  ENTER_CONTEXT;
  FUNCTION(f, function);
  switch (attribute) {
    case attribute_max_threads: *value = (int)f->kernel->max_threads; break;
    case attribute_registers: *value = registers(*f->kernel); break;
    case attribute_ptx_version:
    case attribute_binary_version: *value = 90; break;
    case attribute_max_dynamic: *value = f->max_dynamic; break;
    default: *value = 0;
  }
  return OK;
}
API cuFuncSetCacheConfig(void* function, int) {
  ENTER_CONTEXT;
  FUNCTION(f, function);
  (void)f;
  return OK;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, void* function, int block_size, size_t dynamic, unsigned) {
  ENTER_CONTEXT;
  FUNCTION(f, function);
  if (block_size < 1 || block_size > (int)f->kernel->max_threads) return say(INVALID_VALUE, "%s: blocks of %d threads", __func__, block_size);
  const int warps = (block_size + 31) / 32;
  int n = std::min(limits().blocks_per_sm, limits().threads_per_sm / (warps * 32));
  n = std::min(n, warps_by_registers(*f->kernel) / warps);
  n = std::min(n, (int)((size_t)limits().shared_per_sm / (dynamic + 1024)));  // a block reserves 1 KiB for the system
  *blocks = n;
  return OK;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int block_size, size_t dynamic) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_size, dynamic, 0);
}

API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned dynamic,
                   void* stream, void** params, void** extra) {
  ENTER_CONTEXT;
  FUNCTION(f, function);
  const dim3 size{gx, gy, gz}, block{bx, by, bz};
  const emu::Kernel* k = f->kernel;
  if (Result r = check_launch(*f, size, block, dynamic)) return r;
  if (extra) return say(NOT_SUPPORTED, "%s: a buffer of parameters, whose layout depends on the GPU; pass their addresses", k->name);
  if (!params || !params[0]) return say(INVALID_VALUE, "%s: the launch passes no parameters", k->name);
  std::shared_ptr<void> copy(aligned_alloc(64, (k->param_size + 63) / 64 * 64), free);
  memcpy(copy.get(), params[0], k->param_size);
  return submit(stream, [=] {
    if (faulty(k->name))
      driver::driver().sticky = ILLEGAL_ADDRESS;
    else
      emu::launch(*k, size, block, dynamic, copy.get());
  }, k->name);
}
