// event.cpp: events.
#include <chrono>

#include "driver.h"

using namespace driver;

static std::set<Event*>& events() {
  static auto* s = new std::set<Event*>;
  return *s;
}

#define EVENT(e, handle)              \
  Event* const e = (Event*)handle;    \
  if (!events().count(e)) return say(INVALID_HANDLE, "%s: no such event: %p", __func__, handle)

API cuEventCreate(void** event, unsigned flags) {
  ENTER_CONTEXT;
  Event* e = new Event;
  e->timing = !(flags & 2);
  events().insert(e);
  *event = e;
  return OK;
}
API cuEventDestroy_v2(void* event) {
  ENTER_CONTEXT;
  EVENT(e, event);
  drain_all();
  events().erase(e);
  delete e;
  return OK;
}
API cuEventRecord(void* event, void* stream) {
  ENTER_CONTEXT;
  EVENT(e, event);
  Stream* s = stream_of(stream);
  if (!s) return say(INVALID_HANDLE, "%s: no such stream: %p", __func__, stream);
  e->capture = s->capture;
  if (s->capture) {
    e->after = s->after;
    return OK;
  }
  const uint64_t n = ++e->recorded;
  return submit(stream, [=] {
    e->done = n;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    e->milliseconds = std::chrono::duration<double, std::milli>(now).count();
  }, "an event");
}
API cuEventQuery(void* event) {
  ENTER_CONTEXT;
  EVENT(e, event);
  return e->done >= e->recorded ? driver::driver().sticky : NOT_READY;
}
API cuEventSynchronize(void* event) {
  ENTER_CONTEXT;
  EVENT(e, event);
  const uint64_t n = e->recorded;
  drain_until([=] { return e->done >= n || driver::driver().sticky; });
  return driver::driver().sticky;
}
API cuEventElapsedTime(float* ms, void* begin, void* end) {
  ENTER_CONTEXT;
  EVENT(a, begin);
  EVENT(b, end);
  if (!a->timing || !b->timing || !a->recorded || !b->recorded)
    return say(INVALID_HANDLE, "%s: both events must have timing and a record", __func__);
  if (a->done < a->recorded || b->done < b->recorded) return NOT_READY;
  *ms = (float)(b->milliseconds - a->milliseconds);
  return OK;
}
API cuEventElapsedTime_v2(float* ms, void* begin, void* end) { return cuEventElapsedTime(ms, begin, end); }
