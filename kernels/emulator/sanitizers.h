// sanitizers.h: the calls by which AddressSanitizer and ThreadSanitizer learn about fibers. Empty
// in the plain build.
#pragma once
#include <stddef.h>

#if defined(EMULATOR_ASAN)
extern "C" void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
extern "C" void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old_bottom, size_t* old_size);
extern "C" void __asan_set_error_report_callback(void (*)(const char*));
#endif

#if defined(EMULATOR_TSAN)
extern "C" {
void* __tsan_create_fiber(unsigned flags);
void* __tsan_get_current_fiber(void);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void*);
void __tsan_release(void*);
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
}
#endif

namespace emu {

#if defined(EMULATOR_TSAN)
constexpr bool tsan = true;
inline void tsan_acquire(void* p) { __tsan_acquire(p); }
inline void tsan_release(void* p) { __tsan_release(p); }
inline void* tsan_new_fiber() { return __tsan_create_fiber(0); }
inline void* tsan_this_fiber() { return __tsan_get_current_fiber(); }
inline void tsan_switch(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }  // 1: a switch orders nothing
// TsanQuiet: what happens in its scope is the hardware's work, not a thread's.
struct TsanQuiet {
  TsanQuiet() { AnnotateIgnoreReadsBegin("", 0), AnnotateIgnoreWritesBegin("", 0); }
  ~TsanQuiet() { AnnotateIgnoreWritesEnd("", 0), AnnotateIgnoreReadsEnd("", 0); }
};
#else
constexpr bool tsan = false;
inline void tsan_acquire(void*) {}
inline void tsan_release(void*) {}
inline void* tsan_new_fiber() { return nullptr; }
inline void* tsan_this_fiber() { return nullptr; }
inline void tsan_switch(void*) {}
struct TsanQuiet {
  TsanQuiet() {}
  ~TsanQuiet() {}
};
#endif

}  // namespace emu
