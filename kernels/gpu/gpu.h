// gpu.h: the one header that a kernel's source includes.
//
// The same source is compiled three ways:
//
//   nvcc                          device code, the cubins that ship              -> device.h
//   clang -x cuda -nocudainc ...  device code without any toolkit installed      -> device.h
//   g++ or clang++ -x c++         host code, each GPU thread a fiber             -> host.h
//
// Kernels use CUDA's own names for threadIdx, blockIdx, blockDim, gridDim and __syncthreads(). For
// everything else they use the wrappers of namespace gpu, which device.h and host.h both define.
// Two rules keep the three builds equal:
//
//   - no inline assembly outside device.h: host compilers do not accept it, and clang does not
//     check it (ptxas does);
//   - no libm: expf() and its kin need libdevice. Use gpu::exp2, gpu::log2, gpu::rsqrt, gpu::rcp,
//     gpu::sqrt.
//
// This is what the wrappers mean.
//
//   KERNEL(name, Params, threads) { ... p.field ... }
//       A kernel with external name `name`, launched with at most `threads` threads per block. It takes one plain struct by
//       value, called p, so that a launch has one parameter buffer, the same for both drivers.
//   KERNEL_BLOCKS(name, Params, threads, blocks) { ... }
//       A kernel whose registers must let a multiprocessor hold `blocks` blocks at once.
//   KERNEL_TENSOR(name, Params, threads, blocks, arithmetic) { ... }
//       A kernel whose products are computed by tensor cores, in TF32 or BF16. Other kernels multiply float32. The arithmetic
//       is for the table of kernels in Go.
//   SHARED(type, name, [dims])      shared memory of static size
//   DYN_SHARED(name)                the launch's dynamic shared memory: unsigned char*, aligned to 1024 bytes
//   UNROLL                          before a loop that must be unrolled
//   GPU_FN                          before every function that a kernel calls
//   GPU_INLINE_CALL                 before the call of a lambda whose captures must stay in registers
//
//   as_float, as_uint               the same bits as another type
//   fma, max, min                   one rounding; max and min return the other operand if one is NaN
//   mul                             correctly rounded, float and double: never fused with a sum that follows
//   sqrt, div                       correctly rounded, float and double
//   exp2, log2, rsqrt, rcp          the fast units: relative error about 2^-22
//   shfl(v, lane), shfl_xor(v, m)   values of other lanes of the warp; all lanes of the warp take part, T of 4 or 8 bytes
//   ballot(b)                       bit i is lane i's b
//   syncwarp()                      orders memory among the lanes of a warp
//   last_block(counter, blocks)     true in all threads of the last of `blocks` blocks that call it; what the other blocks
//                                   wrote before is visible. counter starts at 0 and is 0 again afterwards.
//   load8, store8, load16, store16  8 or 16 bytes in one access, from addresses that are multiples of that
//   cp_async<bytes>(dst, src, on)   starts a copy of 4, 8 or 16 bytes from global to shared memory; zeros if !on.
//                                   The copy happens at any moment before the cp_async_wait for its group returns.
//   cp_async_commit()               closes a group
//   cp_async_wait<n>()              waits until at most the n youngest groups are under way. Only the calling thread then
//                                   sees the data: other threads need a barrier after it.
//   cvt_tf32, cvt_bf16, bf16_float  round to nearest: tf32 ties away from zero, bf16 ties to even
//   ldmatrix_x4, ldmatrix_x4_trans  four 8x8 matrices of 16-bit elements; lane 8i+j passes the address of row j of matrix i
//   mma_m16n8k8_tf32, mma_m16n8k16_bf16      d += a·b; fragments as in the PTX ISA
//   mma_tile_tf32, mma_tile_bf16             the same for MI x NI tiles: one rendezvous in the emulator, MI·NI instructions
//                                            on a GPU
//
// A warpgroup, 4 warps in a row, multiplies on sm_90a only. HAS_WGMMA is true in code for sm_90a
// and in the emulator; in other code, a kernel that needs wgmma must be trap(). The operands are in
// shared memory, in lines of 128 bytes, with 16-byte chunk j of line i at j ^ i % 8:
//   wgmma_operand(start, next, group)   describes an operand: lines of 64 bf16 along m (or n) or along k. 8 lines are a group, which
//                                   begins `group` bytes after the group before. If lines are along m, the next 64 of m begin `next`
//                                   bytes after these. The tile that contains start is aligned to 1024 bytes.
//   wgmma_bf16<n, a_along_m, b_along_n>(d, a, b)   starts d += a·b for 64 rows, n columns and 16 of k. In thread t, d[4j+2h+e] is
//                                   row 16·(t/32) + t%32/4 + 8h and column 8j + 2·(t%4) + e. The product happens at any moment before
//                                   wgmma_wait returns: until then d must not be used and the operands must not be overwritten.
//   wgmma_fence()                   before the first wgmma_bf16, and after anything else has used d
//   wgmma_commit()                  closes the group of the products started so far
//   wgmma_wait(d)                   waits until all groups are done
//   fence_async()                   makes what this thread has written to shared memory, also by cp.async, visible to wgmma
// The same GPUs copy a box of a matrix at a time (TMA), and count the bytes that have arrived in an
// mbarrier in shared memory:
//   mbarrier_init(bar)              by one thread, then fence_async() and a barrier of the block
//   mbarrier_expect(bar, bytes)     by one thread for each phase: the phase ends when that many bytes have arrived
//   tma_load(dst, map, x, y, bar)   starts the copy of the box whose first element is column x of row y of the matrix that the tensor
//                                   map describes, in lines as for wgmma_operand; outside the matrix are zeros
//   mbarrier_wait(bar, parity)      waits for the end of a phase; the first phase has parity 0. wgmma then sees what has arrived. In
//                                   the emulator, everything that it waits for must have been started.
#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(__CUDACC__) || defined(__CUDA__)
#include "device.h"
#else
#include "host.h"
#endif
