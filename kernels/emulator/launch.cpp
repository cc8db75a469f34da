// launch.cpp: a launch is a list of blocks, which one or more OS threads work off.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include "runtime.h"

namespace emu {

const Kernel* kernels;

const Kernel* find_kernel(const char* name) {
  for (const Kernel* k = kernels; k; k = k->next)
    if (!strcmp(k->name, name)) return k;
  return nullptr;
}

void tsan_begin_launch();
void tsan_end_launch();

namespace {

struct Job {
  const Kernel* kernel;
  dim3 size, block_size;
  size_t dynamic;
  const void* params;
  uint64_t total, factor;  // the i-th block to run is block i·factor modulo total
  std::atomic<uint64_t> next;
  std::atomic<int> busy;
};

uint64_t block_seed(uint3 block) {
  const uint64_t s = settings().seed * 0x9E3779B97F4A7C15ull + (block.x + 1) * 0xD1B54A32D192ED03ull + block.y * 7919 + block.z * 104729;
  return s ? s : 1;
}

void run_block(const Job& j, uint3 index) {
  Worker* w = worker;
  Block* b = &w->block;
  const dim3 size = j.block_size;
  const unsigned n = size.x * size.y * size.z;
  if (w->lanes.size() < n) w->lanes.resize(n);
  grid = {index, size, j.size};
  b->kernel = j.kernel;
  b->params = j.params;
  b->threads = b->alive = n;
  b->warps = (n + 31) / 32;
  b->arrived = b->generation = 0;
  b->random = block_seed(index);
  b->ready_warps = 0;
  b->running_warp = 0;
  b->lanes = w->lanes.data();
  b->in_collective = false;
  begin_shared(b, j.dynamic);
  for (unsigned i = 0; i < n; i++) {
    Lane& l = b->lanes[i];
    l.thread = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    l.lane = i % 32;
    l.block = b;
    l.index = i;
    l.warp = i / 32;
    l.fiber = nullptr;
    l.group = 0;
    l.copies_seen = false;
    l.products = 0;
    l.fenced = l.committed = false;
    if (tsan && !l.tsan) l.tsan = tsan_new_fiber();
  }
  for (unsigned i = 0; i < b->warps; i++) {
    const uint32_t lanes = i * 32 + 32 <= n ? ~0u : (1u << n % 32) - 1;
    b->warp[i].ready = b->warp[i].at_barrier = b->warp[i].in_collective = 0;
    b->warp[i].alive = lanes;
    b->warp[i].generation = b->warp[i].meetings = 0;
    make_ready(b, i, lanes);
  }
  run_all(b);
  check_loads_done(b);
  if (settings().trace) fold_trace(b);
  end_shared(b);
}

void work(Job* j) {
  if (!worker) {
    worker = new Worker{};
    adopt_os_stack(&worker->main);
  }
  for (uint64_t i; (i = j->next++) < j->total;) {
    const uint64_t k = (unsigned __int128)i * j->factor % j->total;
    const uint64_t row = k / j->size.x;
    run_block(*j, {unsigned(k % j->size.x), unsigned(row % j->size.y), unsigned(row / j->size.y)});
  }
}

// block_signals keeps asynchronous signals, such as Go's preemption, off the stacks of fibers.
// Faults still arrive, for the sanitizers to report.
void block_signals(sigset_t* old) {
  sigset_t s;
  sigfillset(&s);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&s, fault);
  pthread_sigmask(SIG_BLOCK, &s, old);
}

// The pool is never destroyed: destroying a condition variable that a detached thread waits on
// hangs exit().
struct Pool {
  std::mutex mutex, one_launch;
  std::condition_variable begin, end;
  Job* job = nullptr;
  uint64_t jobs = 0;
};
Pool& pool() {
  static Pool* p = new Pool;
  return *p;
}

void pool_thread() {
  block_signals(nullptr);
  Pool& p = pool();
  for (uint64_t seen = 0;;) {
    Job* j;
    {
      std::unique_lock<std::mutex> lock(p.mutex);
      p.begin.wait(lock, [&] { return p.jobs != seen; });
      seen = p.jobs;
      j = p.job;
    }
    work(j);
    std::lock_guard<std::mutex> lock(p.mutex);
    if (--j->busy == 0) p.end.notify_all();
  }
}

void start_pool() {
#if defined(EMULATOR_ASAN)
  // Not __asan_on_error: where the ASan runtime is preloaded, its own would win.
  __asan_set_error_report_callback([](const char*) { print_location(); });
#endif
  for (int i = 1; i < settings().workers; i++) std::thread(pool_thread).detach();
}

// A factor without a common divisor with n makes i·factor mod n a permutation.
uint64_t random_factor(uint64_t n) {
  uint64_t f = settings().seed * 0x9E3779B97F4A7C15ull % n;
  while (std::gcd(f, n) != 1) f++;
  return f;
}

}  // namespace

void launch(const Kernel& k, dim3 size, dim3 block_size, size_t dynamic, const void* params) {
  static std::once_flag once;
  std::call_once(once, start_pool);
  Pool& p = pool();
  std::lock_guard<std::mutex> one(p.one_launch);
  const uint64_t total = (uint64_t)size.x * size.y * size.z;
  Job j{&k, size, block_size, dynamic, params, total, settings().seed ? random_factor(total) : 1, {0}, {settings().workers - 1}};
  if (settings().trace) begin_trace(k, size, block_size, params);
  tsan_begin_launch();
  sigset_t old;
  block_signals(&old);
  const bool shared = settings().workers > 1 && total > 1;
  if (shared) {
    std::lock_guard<std::mutex> lock(p.mutex);
    p.job = &j;
    p.jobs++;
    p.begin.notify_all();
  }
  work(&j);
  if (shared) {
    std::unique_lock<std::mutex> lock(p.mutex);
    p.end.wait(lock, [&] { return j.busy == 0; });
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  tsan_end_launch();
  if (settings().trace) end_trace();
}

}  // namespace emu
