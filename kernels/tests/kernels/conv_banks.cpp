// conv_banks.cpp: the main loop of the convolutions has no bank conflict in shared memory. Here are the addresses of every kind
// of access of gpu/gemm.h, from the layout itself, for all that a block does in a step; no kernel runs.
#include <functional>
#include <set>

#include "gpu/gemm.h"
#include "harness.h"

using namespace test;

namespace {

// conflicts fails if lanes that are served together need two words of one bank. The lanes of a warp are served at once for 4
// bytes each and in groups of 8 for 16 bytes each; a word that several lanes want counts once.
void conflicts(const char* what, int bytes, const std::function<int(int)>& address) {
  const int together = bytes == 16 ? 8 : 32;
  for (int first = 0; first < 32; first += together) {
    std::set<int> words[32];
    for (int lane = first; lane < first + together; lane++)
      for (int i = 0; i < bytes; i += 4) words[(address(lane) + i) / 4 % 32].insert((address(lane) + i) / 4);
    for (int b = 0; b < 32; b++)
      if (words[b].size() > 1) fail("%s: lanes %d-%d need %zu words of bank %d", what, first, first + together - 1, words[b].size(), b);
  }
}

// An operand's accesses: its filling, and its reading by FMA and by tensor cores as A (8 lanes side by side) or B (4 lanes).
template <class T, int EXTENT, bool K_MAJOR> void operand() {
  using O = gpu::Operand<T, EXTENT, K_MAJOR>;
  std::set<int> all;
  for (int warp = 0; warp < 8; warp++)
    for (int pass = 0; pass < O::PASSES; pass++)
      conflicts("cp.async", 16, [&](int lane) {
        const int t = warp * 32 + lane, a = O::chunk(t / O::CHUNKS + pass * O::STEP, t % O::CHUNKS);
        all.insert(a);
        return a;
      });
  if ((int)all.size() * 16 != O::BYTES || *all.rbegin() != O::BYTES - 16) fail("the chunks do not fill the operand: %zu of %d", all.size(), O::BYTES / 16);

  for (int mn = 0; mn < EXTENT; mn += 16)
    for (int k = 0; k < O::DEPTH; k += 2 * O::N) {
      if (K_MAJOR) {
        conflicts("ldmatrix of A", 16, [&](int l) { return O::chunk(mn + l % 16, k / O::N + l / 16); });
        conflicts("ldmatrix of B", 16, [&](int l) { return O::chunk(mn + l % 8 + l / 16 * 8, k / O::N + l / 8 % 2); });
      } else if (sizeof(T) == 2) {
        conflicts("transposing ldmatrix of A", 16, [&](int l) { return O::chunk(k + l % 8 + l / 16 * 8, mn / O::N + l / 8 % 2); });
        conflicts("transposing ldmatrix of B", 16, [&](int l) { return O::chunk(k + l % 16, mn / O::N + l / 16); });
      } else {
        for (int q = 0; q < 4; q++) conflicts("tf32 from lines of k", 4, [&](int l) { return O::at(mn + l / 4 + q % 2 * 8, k + l % 4 + q / 2 * 4); });
      }
    }
  if (sizeof(T) == 2) return;
  for (int mn = 0; mn < EXTENT; mn += 32)
    for (int k = 0; k < O::DEPTH; k += 4)
      for (int i = 0; i < 4; i++) {
        conflicts("FMA, A", 16, [&](int l) { return K_MAJOR ? O::at(mn + l % 8 + 8 * i, k) : O::at(mn + 4 * (l % 8), k + i); });
        conflicts("FMA, B", 16, [&](int l) { return K_MAJOR ? O::at(mn + l / 8 + 4 * i, k) : O::at(mn + 4 * (l / 8), k + i); });
      }
}

template <class T> void layouts(Random&) {
  operand<T, 64, false>();
  operand<T, 64, true>();
  operand<T, 128, false>();
  operand<T, 128, true>();
}

const Registration registered[] = {{{"conv_banks_f32", layouts<float>, 1}}, {{"conv_banks_bf16", layouts<gpu::Bf16>, 1}}};

}  // namespace
