// gpu.h: the one header that a kernel file includes.
//
// The same source is compiled three ways:
//
//   nvcc                          device code, the cubins that ship              -> device.h
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
//   KERNEL_BLOCKS(name, Params, threads, blocks) { ... }
//       A kernel whose registers must let a multiprocessor hold so many blocks at once.
//   KERNEL_TENSOR(name, Params, threads, blocks, arithmetic) { ... }
//       A kernel whose products tensor cores make, of TF32 or BF16. The others multiply float32. The table of kernels in Go has it.
//   SHARED(type, name, [dims])      shared memory of static size
//   DYN_SHARED(name)                the launch's dynamic shared memory: unsigned char*, aligned to 1024 bytes
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
//
// A warpgroup, 4 warps in a row, multiplies on sm_90a alone: HAS_WGMMA says whether this is such code, and elsewhere a kernel that
// needs it is trap(). The operands are in shared memory, 128 bytes to a line, 16-byte chunk j of line i at j ^ i % 8:
//   wgmma_operand(start, next, group)   describes one: lines of 64 bf16 along m (or n) or along k, 8 lines to a group that lies
//                                   `group` bytes behind the one before; where the lines are along m, 64 more of m lie `next` bytes
//                                   on. The tile that start belongs to is aligned to 1024 bytes.
//   wgmma_bf16<n, a_along_m, b_along_n>(d, a, b)   starts d += a·b for 64 rows, n columns and 16 of k; thread t has, in d[4j+2h+e],
//                                   row 16·(t/32) + t%32/4 + 8h and column 8j + 2·(t%4) + e. Legal at any moment before wgmma_wait
//                                   returns, so until then d is not to be touched and the operands not to be overwritten.
//   wgmma_fence()                   before the first wgmma_bf16 and after anything else has touched d
//   wgmma_commit()                  closes the group of those started
//   wgmma_wait(d)                   waits until all groups are done
//   fence_async()                   what this thread has put into shared memory, by cp.async too, is seen by wgmma from here on
// The same GPUs copy a box of a matrix at a time (TMA), and count the bytes that have arrived in an mbarrier in shared memory:
//   mbarrier_init(bar)              by one thread, then fence_async() and a barrier of the block
//   mbarrier_expect(bar, bytes)     by one thread for each phase: the phase ends when so many bytes have arrived
//   tma_load(dst, map, x, y, bar)   starts the copy of the box whose first element is column x of row y of the matrix that the tensor
//                                   map describes, in lines as wgmma_operand has them; zeros lie outside the matrix
//   mbarrier_wait(bar, parity)      waits for the end of a phase, the first one having parity 0: wgmma sees what has arrived. In the
//                                   emulator, all that it waits for must have been started.
#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(__CUDACC__) || defined(__CUDA__)
#include "device.h"
#else
#include "host.h"
#endif
