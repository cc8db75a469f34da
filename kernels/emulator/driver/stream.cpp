// stream.cpp: streams.
//
// By default work runs when it is submitted. With EMULATOR_LAZY=1 it runs when something waits for
// it: a synchronisation, a query, or the legacy stream. So a program that forgot to synchronise
// reads old data. Streams take turns in an order that EMULATOR_SEED decides, one operation at a
// time.
#include "driver.h"

using namespace driver;

namespace driver {

namespace {

Stream& legacy() {
  static Stream* s = new Stream;
  return *s;
}

uint64_t random_below(uint64_t n) {
  static uint64_t x = emu::seed() * 2654435761u + 1;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x % n;
}

bool runnable(const Stream* s) {
  if (s->queue.empty()) return false;
  const Operation& o = s->queue.front();
  return !o.wait || o.wait->done >= o.record;
}

void run_next(Stream* s) {
  const Operation o = std::move(s->queue.front());
  s->queue.pop_front();
  if (o.work && !driver().sticky) o.work();
}

bool idle(bool nonblocking_too) {
  for (const Stream* s : streams())
    if (!s->queue.empty() && (nonblocking_too || !s->nonblocking)) return false;
  return true;
}

}  // namespace

std::set<Stream*>& streams() {
  static auto* s = new std::set<Stream*>;
  return *s;
}

bool lazy() {
  static const bool v = getenv("EMULATOR_LAZY") && atoi(getenv("EMULATOR_LAZY"));
  return v;
}

Stream* stream_of(void* handle) {
  if ((uintptr_t)handle <= 2) return &legacy();  // 1 and 2 are CU_STREAM_LEGACY and CU_STREAM_PER_THREAD
  Stream* s = (Stream*)handle;
  return streams().count(s) ? s : nullptr;
}

void drain_until(const std::function<bool()>& done) {
  while (!done()) {
    std::vector<Stream*> ready;
    for (Stream* s : streams())
      if (runnable(s)) ready.push_back(s);
    if (ready.empty()) {
      fprintf(stderr, "emulated driver: deadlock: streams wait for events that nothing will record\n");
      abort();
    }
    run_next(ready[random_below(ready.size())]);
  }
}

void drain_stream(Stream* s) {
  if (s == &legacy())
    drain_until([] { return idle(false); });
  else
    drain_until([=] { return s->queue.empty(); });
}

void drain_all() {
  drain_until([] { return idle(true); });
}

Result submit(void* handle, Work work, const char* name) {
  Stream* s = stream_of(handle);
  if (!s) return say(INVALID_HANDLE, "no such stream: %p", handle);
  if (s->capture) {
    record(s, std::move(work), name);
    return OK;
  }
  if (s == &legacy()) {
    for (const Stream* t : streams())
      if (t->capture && !t->nonblocking)
        return say(STREAM_CAPTURE_IMPLICIT, "work on the legacy stream while a blocking stream is capturing");
    drain_until([] { return idle(false); });  // it comes after all work of blocking streams, and before what follows there
    if (!driver().sticky) work();
    return OK;
  }
  s->queue.push_back({std::move(work), nullptr, 0});
  if (!lazy()) drain_stream(s);
  return OK;
}

}  // namespace driver

#define STREAM(s, handle)                \
  Stream* const s = stream_of(handle);   \
  if (!s) return say(INVALID_HANDLE, "%s: no such stream: %p", __func__, handle)

API cuStreamCreateWithPriority(void** stream, unsigned flags, int priority) {
  ENTER_CONTEXT;
  if (flags > 1) return say(INVALID_VALUE, "%s: flags %u", __func__, flags);
  Stream* s = new Stream;
  s->nonblocking = flags & 1;
  s->priority = priority;
  streams().insert(s);
  *stream = s;
  return OK;
}
API cuStreamCreate(void** stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }
API cuStreamDestroy_v2(void* stream) {
  ENTER_CONTEXT;
  STREAM(s, stream);
  drain_stream(s);  // work under way still runs
  streams().erase(s);
  delete s;
  return OK;
}
API cuStreamGetFlags(void* stream, unsigned* flags) {
  ENTER_CONTEXT;
  STREAM(s, stream);
  *flags = s->nonblocking;
  return OK;
}
API cuStreamGetPriority(void* stream, int* priority) {
  ENTER_CONTEXT;
  STREAM(s, stream);
  *priority = s->priority;
  return OK;
}
API cuStreamSynchronize(void* stream) {
  ENTER_CONTEXT;
  STREAM(s, stream);
  if (s->capture) return say(STREAM_CAPTURE_UNSUPPORTED, "%s of a capturing stream", __func__);
  drain_stream(s);
  return driver::driver().sticky;
}
API cuStreamQuery(void* stream) {
  ENTER_CONTEXT;
  STREAM(s, stream);
  if (s->capture) return say(STREAM_CAPTURE_UNSUPPORTED, "%s of a capturing stream", __func__);
  if (runnable(s)) run_next(s);  // polling makes progress
  return s->queue.empty() ? driver::driver().sticky : NOT_READY;
}
API cuStreamWaitEvent(void* stream, void* event, unsigned) {
  ENTER_CONTEXT;
  STREAM(s, stream);
  Event* e = (Event*)event;
  if (e->capture) {
    if (s->capture && s->capture != e->capture) return say(STREAM_CAPTURE_MERGE, "%s: the event is of another capture", __func__);
    s->capture = e->capture;
    s->after.insert(s->after.end(), e->after.begin(), e->after.end());
    return OK;
  }
  if (s->capture) return say(STREAM_CAPTURE_INVALIDATED, "%s: a capturing stream waits for an event from outside the capture", __func__);
  s->queue.push_back({nullptr, e, e->recorded});
  if (!lazy()) drain_stream(s);
  return OK;
}
API cuLaunchHostFunc(void* stream, void (*f)(void*), void* data) {
  ENTER_CONTEXT;
  return submit(stream, [=] { f(data); }, "a call of the host");
}
