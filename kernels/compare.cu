// compare.cu: compares two arenas of parameters: their inner product, the square of the first, and
// the square of their distance.
//
//   y[3·chunk + 0, 1, 2] = Σ a·b, Σ a², Σ (a-b)²     in double, over the chunk's elements in a fixed order
//
// Shapes: the chunks of optimizer.cu. Cost: reads a and b once. Launch: 256 threads, grid.x =
// chunks. Barriers: those of block_reduce.
#include "gpu/reduce.h"
#include "params.h"

constexpr int threads = 256;

KERNEL(compare, CompareParams, threads) {
  SHARED(double, by_warp, [threads / 32]);
  const Chunk chunk = p.chunks[blockIdx.x];
  const float *a = p.a + chunk.offset, *b = p.b + chunk.offset;
  double dot = 0, squares = 0, apart = 0;
  for (int i = threadIdx.x * 4; i < chunk.count; i += threads * 4) {
    const int count = chunk.count - i < 4 ? chunk.count - i : 4;
    const gpu::Pack<float> u = gpu::load(a + i, count, gpu::wide(a, 4)), v = gpu::load(b + i, count, gpu::wide(b, 4));
    UNROLL for (int j = 0; j < 4; j++) {
      const double x = (double)u.v[j], y = (double)v.v[j];
      dot += x * y, squares += x * x, apart += (x - y) * (x - y);
    }
  }
  dot = gpu::block_reduce<threads>(dot, by_warp, gpu::Sum<double>());
  squares = gpu::block_reduce<threads>(squares, by_warp, gpu::Sum<double>());
  apart = gpu::block_reduce<threads>(apart, by_warp, gpu::Sum<double>());
  if (threadIdx.x != 0) return;
  double* y = p.y + 3 * (size_t)blockIdx.x;
  y[0] = dot, y[1] = squares, y[2] = apart;
}
