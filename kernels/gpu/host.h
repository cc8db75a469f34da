// host.h: the wrappers of gpu.h for the emulator, in which a kernel is an ordinary function that
// runs once for each thread, on a fiber. gpu.h says what each wrapper means; emulator/emulator.h
// declares the runtime.
//
// Every access to memory that kernels share (load16, cp_async, ldmatrix) is made here, in code that
// is compiled together with the kernel, and by the thread that the access belongs to, so the
// sanitizers attribute it to that thread. The runtime only passes addresses and register values
// between lanes.
#pragma once
#include <math.h>
#include <string.h>

#include "../emulator/emulator.h"

#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define threadIdx (::emu::current->thread)
#define blockIdx (::emu::grid.block)
#define blockDim (::emu::grid.block_size)
#define gridDim (::emu::grid.size)
#define __syncthreads() ::emu::barrier(::emu::here())
#if defined(EMULATOR_TRACED)
// The trace build distinguishes accesses by their addresses in the kernel's code. So everything is
// inlined into the kernel except the wrappers that touch memory. Each wrapper is one access: it
// notes the access, and what it does on the host is not recorded.
#define GPU_FN inline __attribute__((always_inline))
#define GPU_INLINE_CALL [[clang::always_inline]]
#define EMU_ACCESS inline __attribute__((noinline, no_sanitize("coverage")))
#else
#define GPU_FN inline
#define GPU_INLINE_CALL
#define EMU_ACCESS inline
#endif
#define EMU_CALLER __builtin_return_address(0)
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define KERNEL(name, Params, threads)                                                                    \
  static void name(const Params& p);                                                                     \
  static ::emu::Registration emu_register_##name{{#name, sizeof(Params), alignof(Params), threads,       \
                                                  [](const void* a) { name(*(const Params*)a); }, nullptr}}; \
  static void name(const Params& p)

#define KERNEL_BLOCKS(name, Params, threads, blocks) KERNEL(name, Params, threads)
#define KERNEL_TENSOR(name, Params, threads, blocks, arithmetic) KERNEL(name, Params, threads)

#define SHARED(type, name, dims)                  \
  using name##_type = type dims;                  \
  static const char name##_tag = 0;               \
  name##_type& name = *(name##_type*)::emu::static_shared(&name##_tag, sizeof(name##_type))
#define DYN_SHARED(name) unsigned char* name = ::emu::dynamic_shared()

// A warp's last lane runs some functions for all lanes. They read and write the other lanes'
// stacks, so no sanitizer checks them.
#define EMU_UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))

namespace gpu {

template <class To, class From> GPU_FN To bit_cast(From v) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To t;
  memcpy(&t, &v, sizeof t);
  return t;
}
GPU_FN float as_float(uint32_t v) { return bit_cast<float>(v); }
GPU_FN uint32_t as_uint(float v) { return bit_cast<uint32_t>(v); }

// ---- arithmetic ------------------------------------------------------------------------------------------------------
GPU_FN float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
GPU_FN float max(float a, float b) { return __builtin_fmaxf(a, b); }
GPU_FN float min(float a, float b) { return __builtin_fminf(a, b); }
GPU_FN float mul(float a, float b) { return a * b; }
GPU_FN double mul(double a, double b) { return a * b; }
GPU_FN float sqrt(float x) { return ::sqrtf(x); }
GPU_FN double sqrt(double x) { return ::sqrt(x); }
GPU_FN float div(float a, float b) { return a / b; }
GPU_FN double div(double a, double b) { return a / b; }
// The fast units are not exact. approximate moves a result by a part of the error that the PTX ISA
// allows them, always the same for the same operand: a test that needs an exact one fails.
// Subnormal numbers are zero (.ftz).
namespace detail {
GPU_FN float flushed(float x) { return __builtin_fabsf(x) < 0x1p-126f ? x * 0.0f : x; }
GPU_FN double part(float x) { return (int32_t)(as_uint(x) * 0x9e3779b9u) * 0x1p-31; }  // of the error: -1 to 1
GPU_FN float approximate(float x, double exact, double relative) {
  return flushed((float)(exact * (1 + relative * part(x))));
}
}  // namespace detail
GPU_FN float exp2(float x) {  // 2 ulp; exact at 0
  x = detail::flushed(x);
  return x == 0 ? 1.0f : detail::approximate(x, ::exp2((double)x), 0x1p-22);
}
GPU_FN float log2(float x) {  // 2^-22, absolute where the result is within (-1, 1), else relative; exact at 1
  x = detail::flushed(x);
  const double y = ::log2((double)x);
  if (!(y > -1 && y < 1)) return detail::approximate(x, y, 0x1p-22);
  return y == 0 ? 0.0f : detail::flushed((float)(y + 0x1p-22 * detail::part(x)));
}
GPU_FN float rsqrt(float x) { x = detail::flushed(x); return detail::approximate(x, 1 / ::sqrt((double)x), 0x1.12p-23); }
GPU_FN float rcp(float x) { x = detail::flushed(x); return detail::approximate(x, 1 / (double)x, 0x1p-23); }

// ---- between threads -------------------------------------------------------------------------------------------------
namespace detail {

struct Exchange {
  uint64_t in, out;
  unsigned source;
};
EMU_UNCHECKED inline void exchange(void** slots, uint32_t mask) {
  for (; mask; mask &= mask - 1) {
    Exchange* x = (Exchange*)slots[__builtin_ctz(mask)];
    const Exchange* from = (const Exchange*)slots[x->source];
    if (!from) emu::fatal("shfl reads lane %u, which does not take part", x->source);
    x->out = from->in;
  }
}
EMU_UNCHECKED inline void vote(void** slots, uint32_t mask) {
  uint64_t all = 0;
  for (uint32_t m = mask; m; m &= m - 1) all |= ((Exchange*)slots[__builtin_ctz(m)])->in << __builtin_ctz(m);
  for (; mask; mask &= mask - 1) ((Exchange*)slots[__builtin_ctz(mask)])->out = all;
}
template <class T> GPU_FN T shuffle(T v, unsigned source, emu::Site site) {
  Exchange x{0, 0, source};
  memcpy(&x.in, &v, sizeof v);
  emu::full_warp(&x, exchange, site);
  memcpy(&v, &x.out, sizeof v);
  return v;
}

}  // namespace detail

template <class T> GPU_FN T shfl_xor(T v, int mask, emu::Site site = emu::here()) {
  return detail::shuffle(v, emu::current->lane ^ mask, site);
}
template <class T> GPU_FN T shfl(T v, int lane, emu::Site site = emu::here()) { return detail::shuffle(v, lane & 31, site); }
GPU_FN uint32_t ballot(bool b, emu::Site site = emu::here()) {
  detail::Exchange x{b, 0, 0};
  emu::full_warp(&x, detail::vote, site);
  return (uint32_t)x.out;
}
GPU_FN void syncwarp(emu::Site site = emu::here()) { emu::sync_warp(site); }
namespace detail {
EMU_ACCESS uint32_t count_block(uint32_t* counter, uint32_t blocks) {
  emu::note(emu::READ, counter, 4, EMU_CALLER);
  emu::note(emu::WRITE, counter, 4, EMU_CALLER);
  emu::maybe_preempt();
  const uint32_t arrived = __atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
  if (arrived == blocks - 1) __atomic_store_n(counter, 0, __ATOMIC_RELEASE);
  if (arrived >= blocks) emu::fatal("last_block: the counter is %u of %u blocks: was it 0 before the launch?", arrived, blocks);
  return arrived;
}
}  // namespace detail
GPU_FN bool last_block(uint32_t* counter, uint32_t blocks, emu::Site site = emu::here()) {
  SHARED(uint32_t, arrived, [1]);
  emu::barrier(site);
  if (threadIdx.x == 0) arrived[0] = detail::count_block(counter, blocks);
  emu::barrier(site);
  return arrived[0] == blocks - 1;
}

// ---- memory ----------------------------------------------------------------------------------------------------------
GPU_FN void require_aligned(const void* p, unsigned bytes, const char* what, emu::Site site) {
  if ((uintptr_t)p % bytes) emu::fatal_at(site, "%s: address %p is not a multiple of %u", what, p, bytes);
}
EMU_ACCESS uint2 load8(const void* p, emu::Site site = emu::here()) {
  require_aligned(p, 8, "load8", site);
  emu::note(emu::READ, p, 8, EMU_CALLER);
  return *(const uint2*)p;
}
EMU_ACCESS void store8(void* p, uint2 v, emu::Site site = emu::here()) {
  require_aligned(p, 8, "store8", site);
  emu::note(emu::WRITE, p, 8, EMU_CALLER);
  emu::wrote(p);
  *(uint2*)p = v;
}
EMU_ACCESS uint4 load16(const void* p, emu::Site site = emu::here()) {
  require_aligned(p, 16, "load16", site);
  emu::note(emu::READ, p, 16, EMU_CALLER);
  return *(const uint4*)p;
}
EMU_ACCESS void store16(void* p, uint4 v, emu::Site site = emu::here()) {
  require_aligned(p, 16, "store16", site);
  emu::note(emu::WRITE, p, 16, EMU_CALLER);
  emu::wrote(p);
  *(uint4*)p = v;
}
namespace detail {
GPU_FN void perform(const emu::Copy& c) {
  const uint32_t* src = (const uint32_t*)c.src;
  uint32_t* dst = (uint32_t*)c.dst;
  for (unsigned i = 0; i < c.bytes / 4; i++) dst[i] = c.on ? src[i] : 0;
}
}  // namespace detail
template <int BYTES> EMU_ACCESS void cp_async(void* dst, const void* src, bool on, emu::Site site = emu::here()) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "cp.async moves 4, 8 or 16 bytes");
  require_aligned(dst, BYTES, "cp_async to", site);
  if (on) require_aligned(src, BYTES, "cp_async from", site);
  if (on) emu::note(emu::READ, src, BYTES, EMU_CALLER);
  emu::note(emu::WRITE, dst, BYTES, EMU_CALLER);
  const emu::Copy c{dst, src, BYTES, on, 0, site};
  if (!emu::defer_copy(c)) detail::perform(c);
}
GPU_FN void cp_async_commit() { emu::commit_copies(); }
template <int N> EMU_ACCESS void cp_async_wait() {  // a copy was noted when it was started
  emu::Copy c;
  while (emu::next_copy(N, &c)) detail::perform(c);
}

// ---- tensor cores ----------------------------------------------------------------------------------------------------
GPU_FN uint32_t cvt_tf32(float v) { return (as_uint(v) + 0x1000u) & ~0x1fffu; }
GPU_FN uint16_t cvt_bf16(float v) {
  const uint32_t u = as_uint(v);
  if (v != v) return 0x7fff;
  return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
GPU_FN float bf16_float(uint16_t v) { return as_float((uint32_t)v << 16); }

namespace detail {

struct RowAddresses {
  const uint16_t* row;      // address of the matrix row to which this lane points
  const uint16_t* from[4];  // addresses of the rows from which its results come, for each matrix; from2: of the second row, if transposed
  const uint16_t* from2[4];
};
// Lane l receives elements 2(l%4) and 2(l%4)+1 of row l/4 of each matrix.
EMU_UNCHECKED inline void pass_rows(void** slots, uint32_t) {
  for (unsigned l = 0; l < 32; l++)
    for (unsigned q = 0; q < 4; q++) ((RowAddresses*)slots[l])->from[q] = ((RowAddresses*)slots[q * 8 + l / 4])->row;
}
// Lane l receives element l/4 of rows 2(l%4) and 2(l%4)+1 of each matrix.
EMU_UNCHECKED inline void pass_rows_trans(void** slots, uint32_t) {
  for (unsigned l = 0; l < 32; l++)
    for (unsigned q = 0; q < 4; q++) {
      RowAddresses* x = (RowAddresses*)slots[l];
      x->from[q] = ((RowAddresses*)slots[q * 8 + l % 4 * 2])->row;
      x->from2[q] = ((RowAddresses*)slots[q * 8 + l % 4 * 2 + 1])->row;
    }
}

// A tensor core's result for c + Σ a[k]·b[k]. By default, the sums are computed in order, each
// rounded to nearest. With EMULATOR_TRUNCATE they are computed as on GPUs (Fasi, Higham, Mikaitis
// and Pranesh 2021, section 4): exact products are truncated two bits below the last bit of the
// largest summand and added up, and the sum is truncated, not rounded, to float.
EMU_UNCHECKED inline float truncated_sum(float c, const float* a, const float* b, int k, int stride) {
  int exponent = -126;  // exponent of the largest summand
  const auto see = [&](double v) {
    int e;
    if (v != 0) frexp(v, &e), exponent = e > exponent ? e : exponent;
  };
  double sum = c;
  see(c);
  for (int i = 0; i < k; i++) sum += (double)a[i] * b[i * stride], see((double)a[i] * b[i * stride]);
  if (!isfinite(sum)) return (float)sum;
  const double unit = ldexp(1.0, exponent - 26);
  sum = trunc(c / unit);
  for (int i = 0; i < k; i++) sum += trunc((double)a[i] * b[i * stride] / unit);
  const double exact = sum * unit;
  float f = (float)exact;
  return fabs((double)f) > fabs(exact) ? nextafterf(f, 0) : f;
}
template <int K, int N> EMU_UNCHECKED inline void multiply_row(float* sum, const float* a, const float (*b)[N]) {
  if (emu::truncates()) {
    for (int n = 0; n < N; n++) sum[n] = truncated_sum(sum[n], a, &b[0][n], K, N);
    return;
  }
  for (int k = 0; k < K; k++)
    for (int n = 0; n < N; n++) sum[n] += a[k] * b[k][n];
}

template <int MI, int NI> struct MmaOperands {
  float (*c)[NI][4];
  const uint32_t (*a)[4];
  const uint32_t (*b)[2];
};
// Gathers the fragments of all lanes into matrices, multiplies them, and scatters the result. With
// g = lane/4, t = lane%4:
//
//   tf32  a[q] = A[g + 8(q%2)][t + 4(q/2)]          b[q] = B[t + 4q][g]
//   bf16  a[q] = A[g + 8(q%2)][2t + 8(q/2) + 0,1]   b[q] = B[2t + 8q + 0,1][g]
//   both  c[q] = C[g + 8(q/2)][2t + q%2]
template <int MI, int NI, bool BF16> EMU_UNCHECKED inline void mma(void** slots, uint32_t) {
  constexpr int K = BF16 ? 16 : 8;
  alignas(64) float A[MI * 16][K], B[K][NI * 8], C[MI * 16][NI * 8];
  for (int l = 0; l < 32; l++) {
    const auto* x = (const MmaOperands<MI, NI>*)slots[l];
    const int g = l / 4, t = l % 4;
    for (int i = 0; i < MI; i++)
      for (int q = 0; q < 4; q++) {
        const int row = i * 16 + g + q % 2 * 8;
        const uint32_t v = x->a[i][q];
        if (BF16) {
          A[row][t * 2 + q / 2 * 8] = as_float(v << 16);
          A[row][t * 2 + q / 2 * 8 + 1] = as_float(v & 0xffff0000u);
        } else {
          A[row][t + q / 2 * 4] = as_float(v & ~0x1fffu);  // the hardware ignores the low bits
        }
      }
    for (int j = 0; j < NI; j++)
      for (int q = 0; q < 2; q++) {
        const int col = j * 8 + g;
        const uint32_t v = x->b[j][q];
        if (BF16) {
          B[t * 2 + q * 8][col] = as_float(v << 16);
          B[t * 2 + q * 8 + 1][col] = as_float(v & 0xffff0000u);
        } else {
          B[t + q * 4][col] = as_float(v & ~0x1fffu);
        }
      }
    for (int i = 0; i < MI; i++)
      for (int j = 0; j < NI; j++)
        for (int q = 0; q < 4; q++) C[i * 16 + g + q / 2 * 8][j * 8 + t * 2 + q % 2] = x->c[i][j][q];
  }
  for (int r = 0; r < MI * 16; r++) {
    float sum[NI * 8];
    for (int n = 0; n < NI * 8; n++) sum[n] = C[r][n];
    multiply_row<K, NI * 8>(sum, A[r], B);
    for (int n = 0; n < NI * 8; n++) C[r][n] = sum[n];
  }
  for (int l = 0; l < 32; l++) {
    const auto* x = (const MmaOperands<MI, NI>*)slots[l];
    for (int i = 0; i < MI; i++)
      for (int j = 0; j < NI; j++)
        for (int q = 0; q < 4; q++) x->c[i][j][q] = C[i * 16 + l / 4 + q / 2 * 8][j * 8 + l % 4 * 2 + q % 2];
  }
}

}  // namespace detail

EMU_ACCESS void ldmatrix_x4(uint32_t (&r)[4], const void* row, emu::Site site = emu::here()) {
  require_aligned(row, 16, "ldmatrix", site);
  emu::note(emu::READ, row, 16, EMU_CALLER);
  detail::RowAddresses x{(const uint16_t*)row, {}, {}};
  emu::full_warp(&x, detail::pass_rows, site);
  const unsigned t = emu::current->lane % 4 * 2;
  for (int q = 0; q < 4; q++) r[q] = x.from[q][t] | (uint32_t)x.from[q][t + 1] << 16;
}
EMU_ACCESS void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, emu::Site site = emu::here()) {
  require_aligned(row, 16, "ldmatrix", site);
  emu::note(emu::READ, row, 16, EMU_CALLER);
  detail::RowAddresses x{(const uint16_t*)row, {}, {}};
  emu::full_warp(&x, detail::pass_rows_trans, site);
  const unsigned g = emu::current->lane / 4;
  for (int q = 0; q < 4; q++) r[q] = x.from[q][g] | (uint32_t)x.from2[q][g] << 16;
}
template <int MI, int NI>
GPU_FN void mma_tile_tf32(float (&c)[MI][NI][4], const uint32_t (&a)[MI][4], const uint32_t (&b)[NI][2], emu::Site site = emu::here()) {
  detail::MmaOperands<MI, NI> x{c, a, b};
  emu::full_warp(&x, detail::mma<MI, NI, false>, site);
}
template <int MI, int NI>
GPU_FN void mma_tile_bf16(float (&c)[MI][NI][4], const uint32_t (&a)[MI][4], const uint32_t (&b)[NI][2], emu::Site site = emu::here()) {
  detail::MmaOperands<MI, NI> x{c, a, b};
  emu::full_warp(&x, detail::mma<MI, NI, true>, site);
}
GPU_FN void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], emu::Site site = emu::here()) {
  detail::MmaOperands<1, 1> x{(float (*)[1][4]) & d, &a, &b};
  emu::full_warp(&x, detail::mma<1, 1, false>, site);
}
GPU_FN void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], emu::Site site = emu::here()) {
  detail::MmaOperands<1, 1> x{(float (*)[1][4]) & d, &a, &b};
  emu::full_warp(&x, detail::mma<1, 1, true>, site);
}

// ---- warpgroups ------------------------------------------------------------------------------------------------------
constexpr bool HAS_WGMMA = true;
GPU_FN void trap() { emu::fatal("trap"); }
// The address in a descriptor is relative to the block's dynamic shared memory.
GPU_FN uint64_t wgmma_operand(const void* start, uint32_t next, uint32_t group) {
  const size_t at = (size_t)((const unsigned char*)start - emu::dynamic_shared());
  return (uint64_t)(at >> 4 & 0x3fff) | (uint64_t)(next >> 4) << 16 | (uint64_t)(group >> 4) << 32 | 1ull << 62;
}
GPU_FN void fence_async() { emu::fence_async(); }
GPU_FN void wgmma_fence() { emu::fence_multiplies(); }
GPU_FN void wgmma_commit() { emu::commit_multiplies(); }

namespace detail {

// swizzled returns where the hardware puts a chunk whose offset in dynamic shared memory would be
// `at`.
GPU_FN unsigned char* swizzled(size_t at) { return emu::dynamic_shared() + (at ^ (at >> 7 & 7) << 4); }

// WarpOperand is what one lane reads of its warp's part of an operand: chunks lane, lane + 32, ...
// of ROWS·2 chunks. If lines are along k, chunk q is half q % 2 of row q / 2. If they are along m
// or n, it is the 8 rows from 8·(q % (ROWS/8)) on at k = q / (ROWS/8).
template <int ROWS, bool ALONG_MN> struct WarpOperand {
  uint16_t chunk[ROWS * 2 / 32][8];
  void read(uint64_t descriptor, int row0, emu::Site site) {
    const uint32_t start = (descriptor & 0x3fff) << 4, next = (descriptor >> 16 & 0x3fff) << 4, group = (descriptor >> 32 & 0x3fff) << 4;
    if (descriptor >> 62 != 1 || descriptor >> 46 & 0xffff) emu::fatal_at(site, "wgmma: descriptor %016llx is not of 128-byte lines", (unsigned long long)descriptor);
    for (unsigned i = 0; i < sizeof chunk / sizeof *chunk; i++) {
      const int q = (int)emu::current->lane + 32 * (int)i;
      uint32_t at;
      if (ALONG_MN) {
        const int k = q / (ROWS / 8), row = row0 + q % (ROWS / 8) * 8;
        at = start + row / 64 * next + k / 8 * group + k % 8 * 128 + row % 64 * 2;
      } else {
        const int row = row0 + q / 2;
        at = start + row / 8 * group + row % 8 * 128 + q % 2 * 16;
      }
      memcpy(chunk[i], swizzled(at), 16);
    }
  }
  // chunk_of returns the chunk with a row's element at k, and place_of the element's index in it.
  static constexpr int chunk_of(int row, int k) { return ALONG_MN ? k * (ROWS / 8) + row / 8 : row * 2 + k / 8; }
  static constexpr int place_of(int row, int k) { return ALONG_MN ? row % 8 : k % 8; }
};
template <int N, bool A_ALONG_M, bool B_ALONG_N> struct WarpProduct {
  WarpOperand<16, A_ALONG_M> a;
  WarpOperand<N, B_ALONG_N> b;
  float* d;
};
template <int N, bool AM, bool BN> EMU_UNCHECKED inline void multiply_warp(void** slots, uint32_t) {
  using Product = WarpProduct<N, AM, BN>;
  using OfA = WarpOperand<16, AM>;
  using OfB = WarpOperand<N, BN>;
  alignas(64) float A[16][16], B[16][N];
  for (int k = 0; k < 16; k++) {
    for (int m = 0; m < 16; m++) {
      const int q = OfA::chunk_of(m, k);
      A[m][k] = as_float((uint32_t)((const Product*)slots[q % 32])->a.chunk[q / 32][OfA::place_of(m, k)] << 16);
    }
    for (int n = 0; n < N; n++) {
      const int q = OfB::chunk_of(n, k);
      B[k][n] = as_float((uint32_t)((const Product*)slots[q % 32])->b.chunk[q / 32][OfB::place_of(n, k)] << 16);
    }
  }
  for (int m = 0; m < 16; m++) {
    float sum[N];
    for (int n = 0; n < N; n++) sum[n] = ((const Product*)slots[m % 8 * 4 + n % 8 / 2])->d[n / 8 * 4 + m / 8 * 2 + n % 2];
    multiply_row<16, N>(sum, A[m], B);
    for (int n = 0; n < N; n++) ((Product*)slots[m % 8 * 4 + n % 8 / 2])->d[n / 8 * 4 + m / 8 * 2 + n % 2] = sum[n];
  }
}
template <int N, bool AM, bool BN> void perform_multiply(const emu::Multiply& m) {
  WarpProduct<N, AM, BN> x;
  x.a.read(m.a, (int)(threadIdx.x / 32 % 4) * 16, m.site);
  x.b.read(m.b, 0, m.site);
  x.d = m.d;
  emu::full_warp(&x, multiply_warp<N, AM, BN>, m.site);
}

}  // namespace detail

template <int N, bool A_ALONG_M, bool B_ALONG_N> EMU_ACCESS void wgmma_bf16(float (&d)[N / 2], uint64_t a, uint64_t b, emu::Site site = emu::here()) {
  const emu::Multiply m{detail::perform_multiply<N, A_ALONG_M, B_ALONG_N>, a, b, d, site};
  if (!emu::defer_multiply(m)) m.perform(m);
}
template <int C> EMU_ACCESS void wgmma_wait(float (&)[C], emu::Site site = emu::here()) {
  emu::Multiply m;
  while (emu::next_multiply(&m, site)) m.perform(m);
}

namespace detail {
inline void perform_load(const emu::Load& l) {
  const emu::TensorMap& m = *l.map;
  const size_t to = (size_t)((const unsigned char*)l.dst - emu::dynamic_shared());
  for (int r = 0; r < (int)m.box_rows; r++)
    for (int j = 0; j < 8; j++) {
      const size_t at = to + (size_t)r * 128 + (size_t)j * 16;
      uint16_t* dst = (uint16_t*)swizzled(at);
      for (int i = 0; i < 8; i++) {
        const int64_t x = (int64_t)l.x + 8 * j + i, y = (int64_t)l.y + r;
        const bool in = x >= 0 && y >= 0 && x < (int64_t)m.columns && y < (int64_t)m.rows;
        dst[i] = in ? *(const uint16_t*)(m.address + y * (int64_t)m.pitch + 2 * x) : 0;
      }
    }
  emu::arrived(l.bar, m.box_rows * 128, l.site);
}
}  // namespace detail

GPU_FN void mbarrier_init(uint64_t* bar, emu::Site site = emu::here()) { emu::mbarrier_init(bar, site); }
GPU_FN void mbarrier_expect(uint64_t* bar, uint32_t bytes, emu::Site site = emu::here()) { emu::mbarrier_expect(bar, bytes, site); }
EMU_ACCESS void mbarrier_wait(uint64_t* bar, uint32_t parity, emu::Site site = emu::here()) {
  emu::Load l;
  while (emu::next_load(bar, &l)) detail::perform_load(l);
  emu::mbarrier_wait(bar, parity, site);
}
// For a box, the trace notes what is read, line by line. How the box gets into shared memory is up
// to the hardware.
EMU_ACCESS void tma_load(void* dst, const void* map, int x, int y, uint64_t* bar, emu::Site site = emu::here()) {
  const emu::Load l{dst, (const emu::TensorMap*)map, x, y, bar, site};
  emu::check_load(l);
  for (int r = 0; r < (int)l.map->box_rows; r++) {
    const int64_t row = (int64_t)y + r, left = (int64_t)l.map->columns - x;
    if (row < (int64_t)l.map->rows && left > 0) emu::note(emu::READ, l.map->address + row * (int64_t)l.map->pitch + 2 * x, left < 64 ? 2 * left : 128, EMU_CALLER);
  }
  if (!emu::defer_load(l)) detail::perform_load(l);
}

}  // namespace gpu
