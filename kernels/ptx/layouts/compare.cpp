// compare.cpp: the machine's layouts (../matrix.h) beside CUTLASS's: fragments of mma, accumulators
// of wgmma, and matrices in shared memory as CUTLASS's descriptors describe them, with every
// swizzle. It prints how many places were compared, and fails where one differs.
#include <stdio.h>

#include <cute/atom/mma_traits_sm80.hpp>
#include <cute/atom/mma_traits_sm90_gmma.hpp>
#include <cute/tensor.hpp>

#include "../matrix.h"

using namespace cute;

static int compared, wrong;
static void same(const char* what, long got, long want, int a, int b) {
  compared++;
  if (got != want && ++wrong <= 10) printf("%s (%d, %d): the machine says %ld, CUTLASS %ld\n", what, a, b, got, want);
}

// CUTLASS's fragments map a lane and a value to row + M·k, column + N·k, and row + M·column.
template <class Op, bool TF32> static void fragments() {
  typename MMA_Traits<Op>::ALayout a;
  typename MMA_Traits<Op>::BLayout b;
  typename MMA_Traits<Op>::CLayout c;
  for (int t = 0; t < 32; t++) {
    for (int v = 0; v < (TF32 ? 4 : 8); v++) {
      const ptx::Place p = TF32 ? ptx::place_a_tf32(t, v) : ptx::place_a_bf16(t, v);
      same("a of mma", p.row + 16 * p.column, a(t, v), t, v);
    }
    for (int v = 0; v < (TF32 ? 2 : 4); v++) {
      const ptx::Place p = TF32 ? ptx::place_b_tf32(t, v) : ptx::place_b_bf16(t, v);
      same("b of mma", p.column + 8 * p.row, b(t, v), t, v);
    }
    for (int v = 0; v < 4; v++) same("c of mma", ptx::place_c(t, v).row + 16 * ptx::place_c(t, v).column, c(t, v), t, v);
  }
}

template <int N> static void accumulators() {
  SM90::GMMA::CLayout_64xN<N> c;
  for (int t = 0; t < 128; t++)
    for (int v = 0; v < N / 2; v++) {
      const ptx::Place p = ptx::place_accumulator(t % 32, v);
      same("accumulators of wgmma", 16 * (t / 32) + p.row + 64 * p.column, c(t, v), t, v);
    }
}

// matrix lays a matrix of MN x 64 out as CUTLASS does, and asks for every element of every tile
// that a descriptor of CUTLASS's gives.
template <SM90::GMMA::Major MAJOR, class Atom, int MN, int TILE, class Order> static void matrix(const char* what) {
  alignas(1024) static bfloat16_t memory[MN * 64];
  Tensor all = make_tensor(make_smem_ptr(memory), tile_to_shape(Atom{}, Shape<Int<MN>, _64>{}, Order{}));
  for (int mn = 0; mn < MN; mn += TILE)
    for (int k = 0; k < 64; k += 16) {
      Tensor tile = local_tile(all, Shape<Int<TILE>, _16>{}, make_coord(mn / TILE, k / 16));
      // An address of the host means nothing in a descriptor: the offset of the tile's first
      // element takes its place.
      const uint64_t start = (uint64_t)((char*)raw_pointer_cast(tile.data()) - (char*)memory) >> 4;
      const uint64_t descriptor = ((uint64_t)SM90::GMMA::make_gmma_desc<MAJOR>(tile) & ~0x3fffull) | start;
      for (int i = 0; i < TILE; i++)
        for (int j = 0; j < 16; j++)
          same(what, ptx::element(descriptor, MAJOR == SM90::GMMA::Major::MN, i, j), (char*)&all(mn + i, k + j) - (char*)memory, mn + i, k + j);
    }
}
template <SM90::GMMA::Major MAJOR, class Atom> static void matrices(const char* what) {
  matrix<MAJOR, Atom, 128, 64, Step<_1, _2>>(what);
  matrix<MAJOR, Atom, 128, 64, Step<_2, _1>>(what);
}

int main() {
  using namespace SM90::GMMA;
  fragments<SM80_16x8x8_F32TF32TF32F32_TN, true>();
  fragments<SM80_16x8x16_F32BF16BF16F32_TN, false>();
  accumulators<64>();
  accumulators<128>();
  matrices<Major::K, Layout_K_SW128_Atom<bfloat16_t>>("along k, 128 bytes");
  matrices<Major::K, Layout_K_SW64_Atom<bfloat16_t>>("along k, 64 bytes");
  matrices<Major::K, Layout_K_SW32_Atom<bfloat16_t>>("along k, 32 bytes");
  matrices<Major::K, Layout_K_INTER_Atom<bfloat16_t>>("along k, no swizzle");
  matrices<Major::MN, Layout_MN_SW128_Atom<bfloat16_t>>("along mn, 128 bytes");
  matrices<Major::MN, Layout_MN_SW64_Atom<bfloat16_t>>("along mn, 64 bytes");
  matrices<Major::MN, Layout_MN_SW32_Atom<bfloat16_t>>("along mn, 32 bytes");
  matrices<Major::MN, Layout_MN_INTER_Atom<bfloat16_t>>("along mn, no swizzle");
  matrix<Major::K, Layout_K_SW128_Atom<bfloat16_t>, 128, 128, Step<_1, _2>>("along k, 128 columns");
  matrix<Major::MN, Layout_MN_SW128_Atom<bfloat16_t>, 128, 128, Step<_2, _1>>("along mn, 128 columns");
  printf("%d places compared, %d differ\n", compared, wrong);
  return wrong != 0;
}
