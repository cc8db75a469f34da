// matrix.h: how tensor cores add, and where elements lie. compare_layouts.cpp compares the layouts
// with CUTLASS's.
#pragma once
#include <stdint.h>

namespace ptx {

// product adds a, rows x k, times b, k x columns, to c, all by rows. step is how many products a
// tensor core adds at once.
void product(int rows, int columns, int k, int step, const float* a, const float* b, float* c);

struct Place {
  int row, column;
};
// Fragments of mma.m16n8: where value v of lane t is. K is 8 of tf32, with one element in a
// register, or 16 of bfloat16, with two.
inline Place place_a_tf32(int t, int v) { return {t / 4 + 8 * (v & 1), t % 4 + 4 * (v >> 1)}; }
inline Place place_b_tf32(int t, int v) { return {t % 4 + 4 * v, t / 4}; }
inline Place place_a_bf16(int t, int v) { return {t / 4 + 8 * (v >> 1 & 1), 2 * (t % 4) + 8 * (v >> 2) + (v & 1)}; }
inline Place place_b_bf16(int t, int v) { return {2 * (t % 4) + 8 * (v >> 1) + (v & 1), t / 4}; }
inline Place place_c(int t, int v) { return {t / 4 + 8 * (v >> 1), 2 * (t % 4) + (v & 1)}; }
// Accumulators of wgmma: value v of lane t of a warp, which has 16 rows of the 64.
inline Place place_accumulator(int t, int v) { return {t / 4 + 8 * (v / 2 % 2), 8 * (v / 4) + 2 * (t % 4) + v % 2}; }

// swizzled is where 16 bytes at an address of shared memory lie in a pattern of 2^width such pieces
// in a line: 0 without a swizzle, 1 of 32, 2 of 64, 3 of 128 bytes. The number of the line, address
// / 128, turns their order.
inline uint32_t swizzled(uint32_t address, int width) { return address ^ (address >> 7 & ((1u << width) - 1)) << 4; }

// element is the address of an element of bfloat16 in a matrix that a descriptor of wgmma gives:
// row or column mn, and k. With along_mn elements that are neighbours in memory differ in mn, else
// in k.
inline uint32_t element(uint64_t descriptor, bool along_mn, int mn, int k) {
  const uint32_t start = (descriptor & 0x3fff) << 4, leading = (descriptor >> 16 & 0x3fff) << 4, stride = (descriptor >> 32 & 0x3fff) << 4;
  const int mode = (int)(descriptor >> 62), width = mode ? 4 - mode : 0, pieces = 1 << width;  // modes 1, 2, 3: 128, 64, 32 bytes
  uint32_t a = start;
  if (!along_mn) {
    a += (uint32_t)(mn % 8 * pieces * 16 + k % 8 * 2) + mn / 8 * stride;
    a += mode ? k / 8 * 16u : k / 8 * leading;
  } else if (!mode) {
    a += (uint32_t)(mn % 8 * 2 + k % 8 * 16) + mn / 8 * stride + k / 8 * leading;
  } else {
    a += (uint32_t)(mn % 8 * 2 + mn / 8 % pieces * 16 + k % 8 * pieces * 16) + mn / (8 * pieces) * leading + k / 8 * stride;
  }
  return swizzled(a, width);
}

}  // namespace ptx
