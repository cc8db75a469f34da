// driver.h: the stand-in libcuda.so.1 among its own files.
//
// It implements the part of CUDA's driver API that Tributary calls, from the documented ABI,
// without NVIDIA's headers: one file for each topic, as in the manual. What executes kernels
// (executor.h) is linked into the same library, and brings image.cpp and tensor_map.cpp. It is
// stricter than a driver: it checks that a context is current on this OS thread, that every copy
// lies inside one allocation, that an image was built from the same parameters, and it says on
// stderr what was wrong before it returns the error code.
//
// One lock guards everything; work runs while it is held, so an application's threads never run
// kernels at the same time.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "executor.h"
#include "results.h"

namespace driver {

typedef unsigned long long DevicePtr;

// ---- device.cpp ------------------------------------------------------------------------------------------------------
// Limits that launches and allocations are checked against.
struct Limits {
  size_t memory;
  int threads_per_block, shared_per_block, shared_per_block_optin, shared_per_sm, threads_per_sm, blocks_per_sm, registers_per_sm, sms;
};
const Limits& limits();

// ---- registers.cpp ---------------------------------------------------------------------------------------------------
int registers(const emu::Kernel& k);           // of a thread; 0: not known
int warps_by_registers(const emu::Kernel& k);  // that a multiprocessor has the registers for

// ---- context.cpp -----------------------------------------------------------------------------------------------------
struct Driver {
  std::recursive_mutex mutex;
  bool initialised = false;
  Result sticky = OK;  // after a fault every call fails with it, as on a GPU
};
Driver& driver();
bool has_context();  // of this OS thread

// say prints a message and returns the result.
Result say(Result r, const char* format, ...) __attribute__((format(printf, 2, 3)));

// ---- memory.cpp ------------------------------------------------------------------------------------------------------
// inside checks that [p,p+n) lies inside one device allocation.
Result inside(DevicePtr p, size_t n, const char* what);
bool pinned(const void* p, size_t n);

// ---- stream.cpp ------------------------------------------------------------------------------------------------------
typedef std::function<void()> Work;

struct Event;
struct Capture;

// Operation is one entry of a stream's queue: work, or waiting for the given record of an event.
struct Operation {
  Work work;
  Event* wait;
  uint64_t record;
};

struct Stream {
  std::deque<Operation> queue;
  bool nonblocking = false;  // does not wait for the legacy stream, nor it for this one
  int priority = 0;
  Capture* capture = nullptr;
  std::vector<int> after;  // in a capture: the nodes that the next one depends on
};

// Handles come from the application, so they are looked up: stream_of(0) is the legacy stream, null
// means no such stream.
Stream* stream_of(void* handle);
// submit runs work in the order of the stream: at once, or, in lazy mode, when something waits for
// it; a capturing stream records it instead. The name, a string that stays, is for messages.
Result submit(void* handle, Work work, const char* name);
bool lazy();
void drain_stream(Stream* s);
void drain_all();
void drain_until(const std::function<bool()>& done);
std::set<Stream*>& streams();

// ---- event.cpp -------------------------------------------------------------------------------------------------------
struct Event {
  uint64_t recorded = 0, done = 0;  // how many records were asked for, and the latest that has happened
  double milliseconds = 0;
  bool timing = true;
  Capture* capture = nullptr;  // recorded in a capture:
  std::vector<int> after;      // after these nodes
};

// ---- graph.cpp -------------------------------------------------------------------------------------------------------
struct Node {
  Work work;
  const char* name;
  std::vector<int> after;
};
struct Graph {
  std::vector<Node> nodes;
};
struct Capture {
  Graph* graph;
  Stream* origin;
};
void record(Stream* s, Work work, const char* name);
bool capturing();  // anywhere in the process

// ---- module.cpp ------------------------------------------------------------------------------------------------------
struct Function {
  const emu::Kernel* kernel;
  int max_dynamic = 48 << 10;
};
Function* function_of(void* handle);

// ---- image.cpp of the executor ---------------------------------------------------------------------------------------
// Image is the kernels and their parameter sizes as an image states them. opaque: the format does
// not say.
struct Image {
  bool opaque = false, ptx = false;
  std::map<std::string, size_t> kernels;
  const void* code = nullptr;  // the executor's own
};
Result read_image(const void* data, Image* image);
// find_kernel looks for a kernel of an image. It returns NOT_FOUND, without a message, where the
// image has no such kernel.
Result find_kernel(const Image& image, const std::string& name, const emu::Kernel** kernel);

}  // namespace driver

#define API extern "C" __attribute__((visibility("default"))) ::driver::Result
// ENTER begins every call after cuInit; ENTER_CONTEXT those that need a context.
#define ENTER                                                                   \
  std::lock_guard<std::recursive_mutex> lock(::driver::driver().mutex);         \
  if (!::driver::driver().initialised) return ::driver::say(::driver::NOT_INITIALIZED, "%s before cuInit", __func__)
#define ENTER_CONTEXT                                                           \
  ENTER;                                                                        \
  if (!::driver::has_context())                                                 \
    return ::driver::say(::driver::INVALID_CONTEXT, "%s: no context is current on this OS thread (runtime.LockOSThread?)", __func__); \
  if (::driver::driver().sticky) return ::driver::driver().sticky
