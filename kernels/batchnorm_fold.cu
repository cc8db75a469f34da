// batchnorm_fold.cu: computes scale and shift of every batch normalisation of an evaluation plan in
// one launch:
//
//   scale = gamma/sqrt(var + eps),  shift = beta - mean·scale
//
// so that convolutions apply them in their epilogue. Shapes: one block for each entry of the table,
// cols channels each. Cost: 24 bytes per channel. Launch: 256 threads, grid.x = entries.
#include "gpu/gpu.h"
#include "params.h"

KERNEL(batchnorm_fold, BatchNormFoldParams, 256) {
  const BatchNormFoldEntry e = p.entries[blockIdx.x];
  for (int c = threadIdx.x; c < e.cols; c += blockDim.x) {
    const double k = gpu::div((double)e.gamma[c], gpu::sqrt((double)e.var[c] + e.eps));
    e.scale[c] = (float)k;
    e.shift[c] = (float)((double)e.beta[c] - (double)e.mean[c] * k);
  }
}
