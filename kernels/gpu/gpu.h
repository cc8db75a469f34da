// gpu.h: the one header that a kernel file includes.
//
// The same source is compiled three ways:
//
//   nvcc                          device code, the images that ship              -> device.h
//   clang -x cuda -nocudainc ...  device code without any toolkit installed      -> device.h
//   g++ or clang++ -x c++         host code, each GPU thread a fiber             -> host.h
//
// Kernels use CUDA's own spelling for threadIdx, blockIdx, blockDim, gridDim and __syncthreads(), and for everything else
// the wrappers of namespace gpu, which both sides define side by side. Two rules keep the three builds equal:
//
//   - no inline assembly outside device.h: host compilers would not take it, and clang does not check it (ptxas does);
//   - no libm: expf() and its kin need libdevice. Use gpu::exp2, gpu::log2, gpu::rsqrt, gpu::rcp, gpu::sqrt.
//
// What the wrappers mean is said once, here.
//
//   KERNEL(name, Params, threads) { ... p.field ... }
//       A kernel with external name `name`, launched with at most `threads` threads a block. It takes ONE plain struct by
//       value, called p, so that a launch is one parameter buffer and the same on both drivers.
//   SHARED(type, name, [dims])      shared memory of static size
//   DYN_SHARED(name)                the launch's dynamic shared memory: unsigned char*, aligned to 128 bytes
//   UNROLL                          before a loop that must be unrolled
//   GPU_FN                          before every function that a kernel calls
//   GPU_INLINE_CALL                 before the call of a lambda: its captures must stay in registers
//
//   as_float, as_uint               the same bits as another type
//   fma, max, min                   one rounding; max and min return the other operand where one is NaN
//   mul                             correctly rounded, float and double: never fused with a sum that follows
//   sqrt, div                       correctly rounded, float and double
//   exp2, log2, rsqrt, rcp          the fast units: relative error about 2^-22
//   shfl(v, lane), shfl_xor(v, m)   values of other lanes of the warp; all lanes of the warp take part, T of 4 or 8 bytes
//   ballot(b)                       bit i is lane i's b
//   syncwarp()                      orders memory among the lanes of a warp
//   last_block(counter, blocks)     true in all threads of the last of `blocks` blocks that call it; what the other blocks
//                                   wrote before is visible. counter starts at 0 and is 0 again afterwards.
//   load8, store8, load16, store16  8 or 16 bytes in one access, from addresses that are multiples of that
//   cp_async<bytes>(dst, src, on)   starts a copy of 4, 8 or 16 bytes from global to shared memory; zeros where !on.
//                                   Legal at any moment before the cp_async_wait that covers its group returns.
//   cp_async_commit()               closes a group
//   cp_async_wait<n>()              waits until at most the n youngest groups are under way. The data is there for the
//                                   calling thread only: others need a barrier after it.
//   cvt_tf32, cvt_bf16, bf16_float  round to nearest: tf32 ties away from zero, bf16 ties to even
//   ldmatrix_x4, ldmatrix_x4_trans  four 8x8 matrices of 16-bit elements; lane 8i+j passes the address of row j of matrix i
//   mma_m16n8k8_tf32, mma_m16n8k16_bf16      d += a·b; fragments as in the PTX ISA
//   mma_tile_tf32, mma_tile_bf16             the same for MI x NI tiles: one rendezvous in the emulator, MI·NI instructions
//                                            on a GPU
#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(__CUDACC__) || defined(__CUDA__)
#include "device.h"
#else
#include "host.h"
#endif
