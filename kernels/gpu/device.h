// device.h: the wrappers of gpu.h for GPUs. gpu.h says what each one means.
#pragma once
#if defined(__clang__) && !defined(__CLANG_CUDA_RUNTIME_WRAPPER_H__)  // clang without a toolkit brings no CUDA headers
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
struct __align__(8) uint2 { unsigned x, y; };
struct __align__(16) uint4 { unsigned x, y, z, w; };
#include <__clang_cuda_builtin_vars.h>
#define GPU_GRID_CONSTANT  // ignored by clang 19, with a warning
#define GPU_SHFL_XOR(v, m) __nvvm_shfl_sync_bfly_i32(0xffffffffu, v, m, 31)
#define GPU_SHFL(v, l) __nvvm_shfl_sync_idx_i32(0xffffffffu, v, l, 31)
#define GPU_BALLOT(b) __nvvm_vote_ballot_sync(0xffffffffu, b)
#define GPU_SYNCWARP() __nvvm_bar_warp_sync(0xffffffffu)
#define GPU_FENCE() __nvvm_membar_gl()
#else
#define GPU_GRID_CONSTANT __grid_constant__
#define GPU_SHFL_XOR(v, m) __shfl_xor_sync(0xffffffffu, v, m)
#define GPU_SHFL(v, l) __shfl_sync(0xffffffffu, v, l)
#define GPU_BALLOT(b) __ballot_sync(0xffffffffu, b)
#define GPU_SYNCWARP() __syncwarp(0xffffffffu)
#define GPU_FENCE() __threadfence()
#endif

#define GPU_FN __device__ __forceinline__
#if defined(__clang__)
#define GPU_INLINE_CALL [[clang::always_inline]]
#else
#define GPU_INLINE_CALL  // nvcc inlines what a kernel calls
#endif
// At least 1 block per multiprocessor: without this bound, ptxas spills registers to reach an
// occupancy of its own choice.
#define KERNEL(name, Params, threads) KERNEL_BLOCKS(name, Params, threads, 1)
#define KERNEL_BLOCKS(name, Params, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const GPU_GRID_CONSTANT Params p)
#define KERNEL_TENSOR(name, Params, threads, blocks, arithmetic) KERNEL_BLOCKS(name, Params, threads, blocks)
#define SHARED(type, name, dims) __shared__ type name dims
#define DYN_SHARED(name) extern __shared__ __align__(1024) unsigned char name[]
#define UNROLL _Pragma("unroll")

namespace gpu {

template <class To, class From> GPU_FN To bit_cast(From v) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  return __builtin_bit_cast(To, v);
}
GPU_FN float as_float(uint32_t v) { return bit_cast<float>(v); }
GPU_FN uint32_t as_uint(float v) { return bit_cast<uint32_t>(v); }

// ---- arithmetic ------------------------------------------------------------------------------------------------------
GPU_FN float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
GPU_FN float max(float a, float b) { return __builtin_fmaxf(a, b); }
GPU_FN float min(float a, float b) { return __builtin_fminf(a, b); }
GPU_FN float mul(float a, float b) { float y; asm("mul.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
GPU_FN double mul(double a, double b) { double y; asm("mul.rn.f64 %0, %1, %2;" : "=d"(y) : "d"(a), "d"(b)); return y; }
GPU_FN float sqrt(float x) { float y; asm("sqrt.rn.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
GPU_FN double sqrt(double x) { double y; asm("sqrt.rn.f64 %0, %1;" : "=d"(y) : "d"(x)); return y; }
GPU_FN float div(float a, float b) { float y; asm("div.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
GPU_FN double div(double a, double b) { double y; asm("div.rn.f64 %0, %1, %2;" : "=d"(y) : "d"(a), "d"(b)); return y; }
GPU_FN float exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
GPU_FN float log2(float x) { float y; asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
GPU_FN float rsqrt(float x) { float y; asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
GPU_FN float rcp(float x) { float y; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

// ---- between threads -------------------------------------------------------------------------------------------------
template <class T> GPU_FN T shfl_xor(T v, int mask) {
  if constexpr (sizeof(T) == 4) {
    return bit_cast<T>((int)GPU_SHFL_XOR(bit_cast<int>(v), mask));
  } else {
    const uint64_t u = bit_cast<uint64_t>(v);
    const uint32_t lo = (uint32_t)GPU_SHFL_XOR((int)(uint32_t)u, mask), hi = (uint32_t)GPU_SHFL_XOR((int)(uint32_t)(u >> 32), mask);
    return bit_cast<T>((uint64_t)hi << 32 | lo);
  }
}
template <class T> GPU_FN T shfl(T v, int lane) {
  if constexpr (sizeof(T) == 4) {
    return bit_cast<T>((int)GPU_SHFL(bit_cast<int>(v), lane));
  } else {
    const uint64_t u = bit_cast<uint64_t>(v);
    const uint32_t lo = (uint32_t)GPU_SHFL((int)(uint32_t)u, lane), hi = (uint32_t)GPU_SHFL((int)(uint32_t)(u >> 32), lane);
    return bit_cast<T>((uint64_t)hi << 32 | lo);
  }
}
GPU_FN uint32_t ballot(bool b) { return GPU_BALLOT(b); }
GPU_FN void syncwarp() { GPU_SYNCWARP(); }
GPU_FN bool last_block(uint32_t* counter, uint32_t blocks) {
  __shared__ uint32_t arrived;
  GPU_FENCE();      // this thread's results before ...
  __syncthreads();  // ... the thread that speaks for the block counts it
  if (threadIdx.x == 0) {
    uint32_t old;
    asm volatile("atom.global.inc.u32 %0, [%1], %2;" : "=r"(old) : "l"(counter), "r"(blocks - 1) : "memory");  // wraps to 0
    arrived = old;
  }
  __syncthreads();  // all threads read what thread 0 wrote
  GPU_FENCE();
  return arrived == blocks - 1;
}

// ---- memory ----------------------------------------------------------------------------------------------------------
GPU_FN uint2 load8(const void* p) { return *(const uint2*)p; }
GPU_FN void store8(void* p, uint2 v) { *(uint2*)p = v; }
GPU_FN uint4 load16(const void* p) { return *(const uint4*)p; }
GPU_FN void store16(void* p, uint4 v) { *(uint4*)p = v; }
GPU_FN uint32_t shared_address(const void* p) {
  uint32_t a;
  asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(a) : "l"(p));
  return a;
}
template <int BYTES> GPU_FN void cp_async(void* dst, const void* src, bool on) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "cp.async moves 4, 8 or 16 bytes");
  const uint32_t to = shared_address(dst), n = on ? BYTES : 0;
  if constexpr (BYTES == 16)  // past the L1 cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(src), "r"(n) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(src), "n"(BYTES), "r"(n) : "memory");
}
GPU_FN void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> GPU_FN void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// ---- tensor cores ----------------------------------------------------------------------------------------------------
GPU_FN uint32_t cvt_tf32(float v) { uint32_t r; asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v)); return r; }
GPU_FN uint16_t cvt_bf16(float v) { uint16_t r; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(v)); return r; }
GPU_FN float bf16_float(uint16_t v) { return as_float((uint32_t)v << 16); }
GPU_FN void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
GPU_FN void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}
GPU_FN void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
GPU_FN void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <int MI, int NI>
GPU_FN void mma_tile_tf32(float (&c)[MI][NI][4], const uint32_t (&a)[MI][4], const uint32_t (&b)[NI][2]) {
  UNROLL for (int i = 0; i < MI; i++)
    UNROLL for (int j = 0; j < NI; j++) mma_m16n8k8_tf32(c[i][j], a[i], b[j]);
}
template <int MI, int NI>
GPU_FN void mma_tile_bf16(float (&c)[MI][NI][4], const uint32_t (&a)[MI][4], const uint32_t (&b)[NI][2]) {
  UNROLL for (int i = 0; i < MI; i++)
    UNROLL for (int j = 0; j < NI; j++) mma_m16n8k16_bf16(c[i][j], a[i], b[j]);
}

// ---- warpgroups ------------------------------------------------------------------------------------------------------
GPU_FN void trap() { asm volatile("trap;"); }
// The matrix descriptor of the PTX ISA ("Asynchronous warpgroup level matrix instructions"), in
// units of 16 bytes: bits 0-13 are the address, 16-29 the leading and 32-45 the stride dimension
// byte offset, 62-63 the swizzle, 1 for 128 bytes.
GPU_FN uint64_t wgmma_operand(const void* start, uint32_t next, uint32_t group) {
  return (uint64_t)(shared_address(start) >> 4 & 0x3fff) | (uint64_t)(next >> 4) << 16 | (uint64_t)(group >> 4) << 32 | 1ull << 62;
}
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
constexpr bool HAS_WGMMA = true;
GPU_FN void fence_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
GPU_FN void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
GPU_FN void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int C> GPU_FN void wgmma_wait(float (&d)[C]) {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  UNROLL for (int i = 0; i < C; i++) asm volatile("" : "+f"(d[i])::"memory");  // nothing reads d earlier
}
template <int N, bool A_ALONG_M, bool B_ALONG_N> GPU_FN void wgmma_bf16(float (&d)[N / 2], uint64_t a, uint64_t b) {
  static_assert(N == 64 || N == 128, "64 or 128 columns");
  if constexpr (N == 64) {
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, 1, 1, 1, %34, %35;"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
                   "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
                   "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
                   "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
                 : "l"(a), "l"(b), "n"(A_ALONG_M), "n"(B_ALONG_N) : "memory");
  } else {
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
                 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, %64, %65, 1, 1, 1, %66, %67;"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
                   "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
                   "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
                   "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
                   "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
                   "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
                   "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
                   "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
                 : "l"(a), "l"(b), "n"(A_ALONG_M), "n"(B_ALONG_N) : "memory");
  }
}
GPU_FN void mbarrier_init(uint64_t* bar) { asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(bar)) : "memory"); }
GPU_FN void mbarrier_expect(uint64_t* bar, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(bar)), "r"(bytes) : "memory");
}
// A load that never arrives would hang the GPU. So the kernel traps after 2³⁴ cycles, about ten
// seconds.
GPU_FN void mbarrier_wait(uint64_t* bar, uint32_t parity) {
  for (int64_t begin = 0;;) {
    uint32_t over;
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(over) : "r"(shared_address(bar)), "r"(parity) : "memory");
    if (over) return;
    const int64_t now = clock64();
    if (!begin) begin = now;
    if (now - begin > 1ll << 34) trap();
  }
}
GPU_FN void tma_load(void* dst, const void* map, int x, int y, uint64_t* bar) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
               ::"r"(shared_address(dst)), "l"(map), "r"(x), "r"(y), "r"(shared_address(bar)) : "memory");
}
#else
constexpr bool HAS_WGMMA = false;
GPU_FN void mbarrier_init(uint64_t*) { trap(); }
GPU_FN void mbarrier_expect(uint64_t*, uint32_t) { trap(); }
GPU_FN void mbarrier_wait(uint64_t*, uint32_t) { trap(); }
GPU_FN void tma_load(void*, const void*, int, int, uint64_t*) { trap(); }
GPU_FN void fence_async() { trap(); }
GPU_FN void wgmma_fence() { trap(); }
GPU_FN void wgmma_commit() { trap(); }
template <int C> GPU_FN void wgmma_wait(float (&)[C]) { trap(); }
template <int N, bool A_ALONG_M, bool B_ALONG_N> GPU_FN void wgmma_bf16(float (&)[N / 2], uint64_t, uint64_t) { trap(); }
#endif

}  // namespace gpu
