// fiber.cpp: stacks, and the switch from one to another.
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "runtime.h"

// emulator_switch(save, to) stores the callee-saved registers on the running stack and its pointer
// in *save, then goes on where the stack `to` stopped. 8 to 13 ns; swapcontext needs 234, most of
// it for the signal mask.
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch,@function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
.size emulator_switch,.-emulator_switch
)");
extern "C" void emulator_switch(void** save, void* to);

namespace emu {

#if defined(EMULATOR_ASAN) || defined(EMULATOR_TSAN)
static const size_t stack_size = 256 << 10;
#else
static const size_t stack_size = 64 << 10;
#endif
static const size_t guard_size = 4 << 10;

static Fiber* make_fiber(void (*entry)()) {
  char* m = (char*)mmap(nullptr, guard_size + stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (m == MAP_FAILED) fatal("no memory for the stack of a thread");
  mprotect(m, guard_size, PROT_NONE);
  Fiber* f = new Fiber{m + guard_size, stack_size, nullptr, nullptr};
  // Stacks start at different places in their pages, or all of them would fight for one set of the
  // cache.
  const size_t colour = worker->made++ * 5 % 61 * 64;
  void** sp = (void**)(m + guard_size + stack_size - 128 - colour);
  *--sp = nullptr;        // where entry would return to
  *--sp = (void*)entry;
  for (int i = 0; i < 6; i++) *--sp = nullptr;  // the callee-saved registers
  f->saved = sp;
  return f;
}

// take_fiber returns a stack on which entry is about to begin, or goes on with its loop over
// threads.
Fiber* take_fiber(Lane* l, void (*entry)()) {
  if (tsan) {
    if (!l->own) l->own = make_fiber(entry);
    return l->own;
  }
  Fiber* f = worker->free;
  if (!f) return make_fiber(entry);
  worker->free = f->next;
  return f;
}

void give_fiber(Fiber* f) {
  if (tsan) return;  // it stays its lane's
  f->next = worker->free;
  worker->free = f;
}

void jump(Fiber* from, Fiber* to) {
#if defined(EMULATOR_ASAN)
  void* fake;
  __sanitizer_start_switch_fiber(&fake, to->stack, to->size);
  emulator_switch(&from->saved, to->saved);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
  emulator_switch(&from->saved, to->saved);
#endif
}

// adopt_os_stack describes the stack that the OS thread came with.
void adopt_os_stack(Fiber* f) {
  *f = {};
#if defined(EMULATOR_ASAN)
  pthread_attr_t a;
  void* bottom;
  pthread_getattr_np(pthread_self(), &a);
  pthread_attr_getstack(&a, &bottom, &f->size);
  pthread_attr_destroy(&a);
  f->stack = (char*)bottom;
#endif
}

}  // namespace emu
