// context.cpp: initialisation, contexts, errors.
#include <stdarg.h>

#include "driver.h"

using namespace driver;

namespace driver {

namespace {
struct Context {
  unsigned flags;
};
Context primary;
int primary_users;
std::set<Context*> contexts;
thread_local std::vector<Context*> stack;  // the last one is current
}  // namespace

Driver& driver() {
  static Driver* d = new Driver;
  return *d;
}

bool has_context() { return !stack.empty() && stack.back(); }

Result say(Result r, const char* format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "emulated driver: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  return r;
}

static bool known(Context* c) { return (c == &primary && primary_users) || contexts.count(c); }

}  // namespace driver

API cuInit(unsigned flags) {
  std::lock_guard<std::recursive_mutex> lock(driver::driver().mutex);
  if (flags) return say(INVALID_VALUE, "cuInit: flags must be 0");
  driver::driver().initialised = true;
  return OK;
}

API cuCtxCreate_v2(void** context, unsigned flags, int device) {
  ENTER;
  if (device) return INVALID_DEVICE;
  Context* c = new Context{flags};
  contexts.insert(c);
  driver::stack.push_back(c);
  *context = c;
  return OK;
}
API cuCtxDestroy_v2(void* context) {
  ENTER;
  if (!contexts.count((Context*)context)) return say(INVALID_CONTEXT, "%s: no such context", __func__);
  drain_all();
  if (!driver::stack.empty() && driver::stack.back() == context) driver::stack.pop_back();
  contexts.erase((Context*)context);
  delete (Context*)context;
  return OK;
}
API cuCtxSetCurrent(void* context) {
  ENTER;
  if (context && !known((Context*)context)) return say(INVALID_CONTEXT, "%s: no such context", __func__);
  if (!driver::stack.empty()) driver::stack.pop_back();
  if (context) driver::stack.push_back((Context*)context);
  return OK;
}
API cuCtxGetCurrent(void** context) {
  ENTER;
  *context = driver::stack.empty() ? nullptr : driver::stack.back();
  return OK;
}
API cuCtxPushCurrent_v2(void* context) {
  ENTER;
  if (!known((Context*)context)) return say(INVALID_CONTEXT, "%s: no such context", __func__);
  driver::stack.push_back((Context*)context);
  return OK;
}
API cuCtxPopCurrent_v2(void** context) {
  ENTER;
  if (!has_context()) return say(INVALID_CONTEXT, "%s: no context is current on this OS thread", __func__);
  if (context) *context = driver::stack.back();
  driver::stack.pop_back();
  return OK;
}
API cuCtxGetDevice(int* device) {
  ENTER_CONTEXT;
  *device = 0;
  return OK;
}
API cuCtxGetFlags(unsigned* flags) {
  ENTER_CONTEXT;
  *flags = driver::stack.back()->flags;
  return OK;
}
API cuCtxGetApiVersion(void*, unsigned* version) {
  ENTER;
  *version = 13000;
  return OK;
}
API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  ENTER_CONTEXT;
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return OK;
}
API cuCtxSynchronize() {
  ENTER_CONTEXT;
  if (capturing()) return say(STREAM_CAPTURE_UNSUPPORTED, "%s while a stream is capturing", __func__);
  drain_all();
  return driver::driver().sticky;
}

API cuDevicePrimaryCtxRetain(void** context, int device) {
  ENTER;
  if (device) return INVALID_DEVICE;
  primary_users++;
  *context = &primary;
  return OK;
}
API cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER;
  if (device) return INVALID_DEVICE;
  if (!primary_users) return say(INVALID_CONTEXT, "%s: the primary context is not retained", __func__);
  if (--primary_users == 0) drain_all();
  return OK;
}
API cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
  ENTER;
  if (device) return INVALID_DEVICE;
  primary.flags = flags;
  return OK;
}
API cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
  ENTER;
  if (device) return INVALID_DEVICE;
  *flags = primary.flags;
  *active = primary_users > 0;
  return OK;
}

static const char* describe(int r, bool text) {
  switch (r) {
#define RESULT(value, name, description) \
  case value: return text ? description : value == 0 ? "CUDA_SUCCESS" : "CUDA_ERROR_" #name;
    DRIVER_RESULTS(RESULT)
#undef RESULT
  }
  return nullptr;
}
API cuGetErrorName(int r, const char** name) {
  *name = describe(r, false);
  return *name ? OK : INVALID_VALUE;
}
API cuGetErrorString(int r, const char** text) {
  *text = describe(r, true);
  return *text ? OK : INVALID_VALUE;
}
