// gemm.h: the matrix product behind every convolution, C[m][n] = Σ_k A[m][k]·B[k][n], for one tile
// of C in one block of 256 threads. It has three arithmetics: float32 with FMA, and tf32 and bf16
// on tensor cores, all with sums in float32. bf16 has two implementations: by warps on any GPU, by
// warpgroups on sm_90a.
//
// Memory. A and B pass through a ring of STAGES stages in shared memory, which cp.async fills
// STAGES - 1 steps ahead of their use. A step is 128 bytes of k: 32 floats or 64 bf16s. A stage
// holds both operands, each of them either
//
//   k-major:   a line for every row m of A (column n of B), with the step's 128 bytes of k, or
//   mn-major:  a line for every k of the step, with all m (or n) of the tile. A line holds 64 bf16s; if the tile is 128 wide,
//              the lines of its second half follow those of the first
//
// whichever of the two is contiguous in global memory. So its 16-byte chunks are 16-byte chunks in
// shared memory, and no code transposes by hand.
//
// Banks. Chunk j of line i lies at chunk j ^ swizzle(i) of that line. The swizzle makes every
// access below free of bank conflicts without padding, so three stages of 128x128 fit the 99 KB of
// a GeForce:
//   cp.async        8 lanes write 8 chunks of one 128-byte group: a permutation of the group, whatever the swizzle;
//   ldmatrix        8 lanes address one chunk of 8 consecutive lines: i & 7 sends them to 8 different groups of 4 banks;
//   tf32 mn-major   a warp reads 8 neighbours (2 chunks) of 4 consecutive lines, 4 bytes each: 2·(i & 3) keeps those 8 chunks
//                   apart; i & 7 would not;
//   float32         8 lanes read one chunk of 8 consecutive lines (k-major, i & 7), or 8 neighbouring chunks of one line
//                   (mn-major), and the other lanes the same addresses.
// cost_test.go counts the conflicts in running kernels.
#pragma once
#include "matrix.h"

#define GPU_INLINE __attribute__((always_inline))  // for a lambda that must keep its captures in registers: clang may not inline it otherwise

namespace gpu {

constexpr int GEMM_THREADS = 256, STAGES = 3;

// GEMM_SHARED is the dynamic shared memory of a kernel: 384·(BM + BN) bytes.
template <int BM, int BN> constexpr int GEMM_SHARED = STAGES * (BM + BN) * 128;

// Operand is one operand's part of a stage: EXTENT rows of A or columns of B, and one step of k.
// Thread t fills chunk t % CHUNKS of PASSES lines, STEP lines apart, so that neighbouring threads
// read neighbouring chunks of global memory.
template <class T, int EXTENT, bool K_MAJOR> struct Operand {
  static constexpr int N = 16 / sizeof(T);         // elements per chunk
  static constexpr int DEPTH = 128 / sizeof(T);    // k per step
  static constexpr int BYTES = EXTENT * 128;
  static constexpr int CHUNKS = (K_MAJOR ? DEPTH : EXTENT) / N;  // for all m (or n) of one k, or for all k of one m
  static constexpr int STEP = GEMM_THREADS / CHUNKS;
  static constexpr int PASSES = (K_MAJOR ? EXTENT : DEPTH) / STEP;

  static GPU_FN int my_chunk() { return threadIdx.x % CHUNKS; }
  static GPU_FN int my_line(int pass) { return threadIdx.x / CHUNKS + pass * STEP; }
  // chunk returns the offset of a chunk in bytes.
  static GPU_FN int chunk(int line, int j) {
    if constexpr (K_MAJOR) return (line * CHUNKS + (j ^ (line & 7))) * 16;
    else if constexpr (sizeof(T) == 4) return (line * CHUNKS + (j ^ 2 * (line & 3))) * 16;
    else return j / 8 * HALF + line * 128 + (j % 8 ^ (line & 7)) * 16;
  }
  static constexpr int HALF = DEPTH * 128;  // bytes of the lines for 64 m (or n)
  // warpgroup describes rows m (or columns n) from mn on, a multiple of 64 if mn-major, for 16 of
  // k.
  static GPU_FN uint64_t warpgroup(const unsigned char* tile, int mn, int k) {
    static_assert(sizeof(T) == 2, "wgmma takes bf16s");
    return K_MAJOR ? wgmma_operand(tile + mn * 128 + k * 2, 16, 1024) : wgmma_operand(tile + mn / 64 * HALF + k * 128, HALF, 1024);
  }
  // at returns the offset of one element in bytes.
  static GPU_FN int at(int mn, int k) {
    const int line = K_MAJOR ? mn : k, i = K_MAJOR ? k : mn;
    return chunk(line, i / N) + i % N * (int)sizeof(T);
  }
};

// copy_chunk fills a chunk with the first `count` elements at src, at most a chunk, and zeros after
// them: in one access if `wide` (then src is aligned), element by element otherwise. If no element
// is to be read, src may be any address; `valid` is always a readable address, aligned if wide.
// 2-byte elements are too small for cp.async and go through registers.
template <class T> GPU_FN void copy_chunk(unsigned char* to, const T* src, const T* valid, int count, bool wide) {
  constexpr int N = 16 / sizeof(T);
  if (wide && (count >= N || count <= 0)) {
    cp_async<16>(to, count > 0 ? src : valid, count > 0);
  } else if constexpr (sizeof(T) == 4) {
    UNROLL for (int i = 0; i < N; i++) cp_async<4>(to + 4 * i, i < count ? src + i : valid, i < count);
  } else {
    uint32_t w[4];
    UNROLL for (int i = 0; i < 4; i++) {
      const uint32_t lo = 2 * i < count ? src[2 * i].bits : 0, hi = 2 * i + 1 < count ? src[2 * i + 1].bits : 0;
      w[i] = lo | hi << 16;
    }
    store16(to, {w[0], w[1], w[2], w[3]});
  }
}

// ---- arithmetic --------------------------------------------------------------------------------------------------------
// A multiplier keeps the block's sums in registers. Its 8 warps cover the tile, each with a part 32
// wide and WM high.
//
//   multiply(a, b)  adds the products of one stage, or starts to, if ASYNC
//   wait()          waits for the products under way, if ASYNC
//   each(f)         calls f(m, n, sums) for this thread's sums, RUN neighbours of a row at a time; n is a multiple of RUN
template <int BM, int BN> struct Warps {
  static constexpr int COLS = BN / 32, WM = BM * COLS / 8, WN = 32;
  static GPU_FN int m() { return threadIdx.x / 32 / COLS * WM; }
  static GPU_FN int n() { return threadIdx.x / 32 % COLS * WN; }
};

// MultiplyF32: the lanes of a warp are arranged 8 x 4. A thread has WM/8 x 8 sums and takes 4 of k
// at a time, 16 bytes per read.
template <int BM, int BN, bool AK, bool BK> struct MultiplyF32 {
  using T = float;
  using A = Operand<T, BM, AK>;
  using B = Operand<T, BN, BK>;
  using W = Warps<BM, BN>;
  static constexpr int ROWS = BM, COLS = BN, TM = W::WM / 8, TN = W::WN / 4, RUN = BK ? 1 : 4;
  float sum[TM][TN] = {};

  // index returns the i-th row or column of a lane among the LANES that share them. Reads of 16
  // bytes go along k, or along m or n.
  template <bool K_MAJOR, int LANES> static GPU_FN int index(int lane, int i) {
    return K_MAJOR ? lane + LANES * i : 4 * (lane + LANES * (i / 4)) + i % 4;
  }
  template <class Op, bool K_MAJOR, int LANES, int COUNT>
  static GPU_FN void read(float (&v)[COUNT][4], const unsigned char* tile, int mn, int lane, int k) {
    UNROLL for (int i = 0; i < COUNT; i++) {
      const int inner = K_MAJOR ? 0 : i % 4;  // mn-major: 4 reads, one for each of 4 k, return 4 of m each
      const uint4 u = load16(tile + (K_MAJOR ? Op::at(mn + index<true, LANES>(lane, i), k) : Op::at(mn + index<false, LANES>(lane, i - inner), k + inner)));
      const float w[4] = {as_float(u.x), as_float(u.y), as_float(u.z), as_float(u.w)};
      UNROLL for (int j = 0; j < 4; j++) {
        if constexpr (K_MAJOR) v[i][j] = w[j];
        else v[i - inner + j][inner] = w[j];
      }
    }
  }
  static constexpr bool ASYNC = false;
  GPU_FN void multiply(const unsigned char* a, const unsigned char* b) {
    const int lane = threadIdx.x % 32;
    for (int k = 0; k < A::DEPTH; k += 4) {
      float x[TM][4], y[TN][4];
      read<A, AK, 8>(x, a, W::m(), lane % 8, k);
      read<B, BK, 4>(y, b, W::n(), lane / 8, k);
      UNROLL for (int q = 0; q < 4; q++)
        UNROLL for (int i = 0; i < TM; i++)
          UNROLL for (int j = 0; j < TN; j++) sum[i][j] = fma(x[i][q], y[j][q], sum[i][j]);
    }
  }
  template <class F> GPU_FN void each(F f) const {
    const int lane = threadIdx.x % 32;
    UNROLL for (int i = 0; i < TM; i++)
      UNROLL for (int j = 0; j < TN; j += RUN) {
        float v[RUN];
        UNROLL for (int q = 0; q < RUN; q++) v[q] = sum[i][j + q];
        f(W::m() + index<AK, 8>(lane % 8, i), W::n() + index<BK, 4>(lane / 8, j), v);
      }
  }
};

// MultiplyTensor: mma.sync over 16 x 8 fragments, with 32 bytes of k, two chunks, at a time:
// m16n8k8 for tf32 (T = float, rounded to nearest here, where the hardware would truncate),
// m16n8k16 for bf16. ldmatrix moves 8 rows of 16 bytes, no matter whether those are 8 bfloat16s or
// 4 floats, so both types read k-major operands alike. ldmatrix transposes bfloat16s only, so
// mn-major floats are read one by one.
template <class Element, int BM, int BN, bool AK, bool BK> struct MultiplyTensor {
  using T = Element;
  using A = Operand<T, BM, AK>;
  using B = Operand<T, BN, BK>;
  using W = Warps<BM, BN>;
  static constexpr int ROWS = BM, COLS = BN, MI = W::WM / 16, NI = W::WN / 8, KSTEP = 2 * A::N, RUN = 2;
  static constexpr bool TF32 = sizeof(T) == 4;
  float sum[MI][NI][4] = {};

  static GPU_FN uint32_t tf32_at(const unsigned char* p) { return cvt_tf32(*(const float*)p); }
  static GPU_FN void read_a(uint32_t (&r)[MI][4], const unsigned char* a, int lane, int k) {
    UNROLL for (int i = 0; i < MI; i++) {
      const int m = W::m() + i * 16;
      if constexpr (AK) {
        ldmatrix_x4(r[i], a + A::chunk(m + lane % 16, k / A::N + lane / 16));
        if constexpr (TF32) UNROLL for (int q = 0; q < 4; q++) r[i][q] = cvt_tf32(as_float(r[i][q]));
      } else if constexpr (TF32) {
        UNROLL for (int q = 0; q < 4; q++) r[i][q] = tf32_at(a + A::at(m + lane / 4 + q % 2 * 8, k + lane % 4 + q / 2 * 4));
      } else {
        ldmatrix_x4_trans(r[i], a + A::chunk(k + lane % 8 + lane / 16 * 8, m / A::N + lane / 8 % 2));
      }
    }
  }
  static GPU_FN void read_b(uint32_t (&r)[NI][2], const unsigned char* b, int lane, int k) {
    UNROLL for (int i = 0; i < NI; i += 2) {
      const int n = W::n() + i * 8;
      uint32_t q[4];
      if constexpr (BK) {
        ldmatrix_x4(q, b + B::chunk(n + lane % 8 + lane / 16 * 8, k / B::N + lane / 8 % 2));
        if constexpr (TF32) UNROLL for (int j = 0; j < 4; j++) q[j] = cvt_tf32(as_float(q[j]));
      } else if constexpr (TF32) {
        UNROLL for (int j = 0; j < 4; j++) q[j] = tf32_at(b + B::at(n + lane / 4 + j / 2 * 8, k + lane % 4 + j % 2 * 4));
      } else {
        ldmatrix_x4_trans(q, b + B::chunk(k + lane % 16, n / B::N + lane / 16));
      }
      r[i][0] = q[0], r[i][1] = q[1], r[i + 1][0] = q[2], r[i + 1][1] = q[3];
    }
  }
  static constexpr bool ASYNC = false;
  GPU_FN void multiply(const unsigned char* a, const unsigned char* b) {
    const int lane = threadIdx.x % 32;
    UNROLL for (int k = 0; k < A::DEPTH; k += KSTEP) {
      uint32_t x[MI][4], y[NI][2];
      read_a(x, a, lane, k);
      read_b(y, b, lane, k);
      if constexpr (TF32) mma_tile_tf32(sum, x, y);
      else mma_tile_bf16(sum, x, y);
    }
  }
  template <class F> GPU_FN void each(F f) const {
    const int lane = threadIdx.x % 32;
    UNROLL for (int i = 0; i < MI; i++)
      UNROLL for (int j = 0; j < NI; j++)
        UNROLL for (int h = 0; h < 2; h++) {
          const float v[RUN] = {sum[i][j][2 * h], sum[i][j][2 * h + 1]};
          f(W::m() + i * 16 + lane / 4 + h * 8, W::n() + j * 8 + lane % 4 * 2, v);
        }
  }
};

// MultiplyWgmma: two warpgroups of 4 warps, one above the other, or side by side if the tile is 64
// high, read bf16s directly from shared memory, so registers hold nothing but sums. It is for
// sm_90a, whose tensor cores reach their full speed only in this way.
template <int BM, int BN, bool AK, bool BK> struct MultiplyWgmma {
  using T = Bf16;
  using A = Operand<T, BM, AK>;
  using B = Operand<T, BN, BK>;
  static constexpr int ROWS = BM, COLS = BN, HIGH = BM / 64, N = BN * HIGH / 2, RUN = 2;
  static constexpr bool ASYNC = true;
  float sum[N / 2] = {};

  static GPU_FN int m() { return threadIdx.x / 128 % HIGH * 64; }
  static GPU_FN int n() { return threadIdx.x / 128 / HIGH * N; }
  GPU_FN void multiply(const unsigned char* a, const unsigned char* b) {
    wgmma_fence();
    UNROLL for (int k = 0; k < A::DEPTH; k += 16) wgmma_bf16<N, !AK, !BK>(sum, A::warpgroup(a, m(), k), B::warpgroup(b, n(), k));
    wgmma_commit();
  }
  GPU_FN void wait() { wgmma_wait(sum); }
  template <class F> GPU_FN void each(F f) const {
    const int lane = threadIdx.x % 32, row = m() + threadIdx.x / 32 % 4 * 16 + lane / 4;
    UNROLL for (int j = 0; j < N / 8; j++)
      UNROLL for (int h = 0; h < 2; h++) {
        const float v[RUN] = {sum[4 * j + 2 * h], sum[4 * j + 2 * h + 1]};
        f(row + h * 8, n() + j * 8 + lane % 4 * 2, v);
      }
  }
};

// ---- the main loop -----------------------------------------------------------------------------------------------------

// gemm runs `steps` steps. load(a, b) starts the copies of the next step into a stage. look(a) sees
// A of every stage that has arrived. If load starts copies that cp_async_wait does not cover, and
// if ASYNC, arrive() waits for those of the current step. When gemm returns, shared memory is free.
//
// Each step has one barrier, (1), with two purposes. Every thread has waited for its own copies of
// this stage, so after the barrier the whole stage is there. And every thread has finished
// multiplying the stage before, which the load after the barrier overwrites. Barrier (2): all
// threads have finished multiplying before the caller reuses the memory. Asynchronous products are
// started before the load and waited for after it.
template <class M, class Load, class Look, class Arrive>
GPU_FN void gemm(M& math, unsigned char* shared, int steps, Load load, Look look, Arrive arrive) {
  constexpr int A_BYTES = M::A::BYTES, BYTES = A_BYTES + M::B::BYTES;
  int fill = 0, use = 0;  // offsets of stages
  const auto next = [&](int step) GPU_INLINE {
    if (step < steps) load(shared + fill, shared + fill + A_BYTES);
    cp_async_commit();  // an empty group at the end keeps the count
    fill = fill == (STAGES - 1) * BYTES ? 0 : fill + BYTES;
  };
  const auto multiply = [&]() GPU_INLINE {
    look(shared + use);
    math.multiply(shared + use, shared + use + A_BYTES);
    use = use == (STAGES - 1) * BYTES ? 0 : use + BYTES;
  };
  if constexpr (M::ASYNC) {  // no branch may lie between the start of products and the wait: the compiler would wait at once
    _Pragma("unroll 1") for (int i = 1 - STAGES; i < 0; i++) next(i + STAGES - 1);
    for (int i = 0; i < steps; i++) {
      cp_async_wait<STAGES - 2>();
      fence_async();
      __syncthreads();  // (1)
      arrive();
      multiply();
      next(i + STAGES - 1);
      math.wait();
    }
  } else {
    for (int i = 1 - STAGES; i < steps; i++) {  // from step 0 on there is a stage to multiply; a single call of load keeps it inline
      if (i >= 0) {
        cp_async_wait<STAGES - 2>();
        __syncthreads();  // (1)
      }
      next(i + STAGES - 1);
      if (i >= 0) multiply();
    }
  }
  cp_async_wait<0>();
  __syncthreads();  // (2)
}

template <class M, class Load, class Look> GPU_FN void gemm(M& math, unsigned char* shared, int steps, Load load, Look look) {
  gemm(math, shared, steps, load, look, []() GPU_INLINE {});
}

// ---- the result --------------------------------------------------------------------------------------------------------

// Result is the tile of C in shared memory, in float. Threads take it from there in packs of an
// output type T: thread t has columns col ... col+N-1 of the rows group, group + GROUPS, ..., so a
// warp writes whole lines of memory.
//
// Banks. 4 columns are a chunk of 16 bytes, and chunk c of row m lies at c ^ swizzle(m) ^ (1 if bit
// 3 of c is set). No access has a conflict:
//   tensor cores    16 lanes write 8 bytes each, 2 neighbouring chunks of rows 0-3 or 4-7 of 8. The swizzles of rows 0-3 are even
//                   and different, those of rows 4-7 odd and different;
//   float32         32 lanes write a chunk of 8 consecutive rows, 4 bytes each; or 8 lanes write 16 bytes each, a chunk of 8
//                   consecutive rows (A k-major) or of every fourth of 32 (A mn-major), which bits 3 and 4 of m keep apart;
//   packs           8 lanes read 8 neighbouring chunks of a row, or every second of 16 (2-byte types), which bit 3 of c keeps apart.
template <class T, int BM, int BN> struct Result {
  static constexpr int N = Pack<T>::N, PACKS = BN / N, GROUPS = GEMM_THREADS / PACKS;
  static constexpr int BYTES = BM * BN * 4;
  float* tile;
  int col, group;
  // at returns the index of column n of row m, in floats.
  static GPU_FN int at(int m, int n) {
    const int c = n / 4, swizzle = ((m ^ m >> 3) & 3) << 1 | (m >> 2 & 1);
    return m * BN + (c ^ swizzle ^ (c >> 3 & 1)) * 4 + n % 4;
  }
  // The barrier: all sums are in shared memory before any thread reads another thread's.
  template <class M> GPU_FN Result(const M& math, unsigned char* shared) : tile((float*)shared), col(threadIdx.x % PACKS * N), group(threadIdx.x / PACKS) {
    float* to = tile;
    math.each([to](int m, int n, const float (&v)[M::RUN]) {
      float* p = to + at(m, n);
      if constexpr (M::RUN == 4) store(p, Pack<float>{{v[0], v[1], v[2], v[3]}}, 4, true);
      else if constexpr (M::RUN == 2) store8(p, {as_uint(v[0]), as_uint(v[1])});
      else *p = v[0];
    });
    __syncthreads();
  }
  GPU_FN Pack<T> row(int m) const {
    Pack<T> p;
    UNROLL for (int i = 0; i < N; i += 4) {
      const Pack<float> four = load(tile + at(m, col + i), 4, true);
      UNROLL for (int j = 0; j < 4; j++) p.v[i + j] = four.v[j];
    }
    return p;
  }
};

}  // namespace gpu
