// batchnorm.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

struct Norm {
  Tensor<float> gamma, beta, running_mean, running_var, mean, invstd, scale, shift;
  explicit Norm(int cols) : gamma(cols), beta(cols), running_mean(cols), running_var(cols), mean(cols), invstd(cols), scale(cols), shift(cols) {}
  BatchNormFinal params() const {
    return {gamma.data(), beta.data(), running_mean.data(), running_var.data(), mean.data(), invstd.data(), scale.data(), shift.data(), 1e-3, 0.1};
  }
};
TRACED(batchnorm_sums) {
  Tensor<T> x(rows, cols);
  Norm n(cols);
  TracedReduction red(columns_grid<T>(cols), 2, cols);
  run("batchnorm_sums" + suffix<T>(), red.grid, BatchNormSumsParams{x.view(), red.partial.data(), red.counters.data(), n.params(), rows, cols});
}
TRACED_FLOAT(batchnorm_finalize) {
  const int parts = 25;
  Tensor<float> sums(parts, 2 * cols);
  Norm n(cols);
  TracedReduction red(columns_grid<float>(cols), 2, cols);
  run("batchnorm_finalize", red.grid,
      BatchNormFinalizeParams{sums.data(), red.partial.data(), red.counters.data(), n.params(), parts, rows, cols, 0});
}
TRACED(batchnorm_reduce) {
  Tensor<T> x(rows, cols), dy(rows, cols);
  Norm n(cols);
  Tensor<float> dgamma(cols), dbeta(cols), coefficients(2 * cols);
  TracedReduction red(columns_grid<T>(cols), 2, cols);
  run("batchnorm_reduce" + suffix<T>(), red.grid,
      BatchNormReduceParams{x.view(), dy.view(), n.mean.data(), n.invstd.data(), n.scale.data(), n.shift.data(), dgamma.data(), dbeta.data(),
                            coefficients.data(), red.partial.data(), red.counters.data(), red.run.data(), rows, cols, 1, 0});
}
TRACED(batchnorm_apply) {
  Tensor<T> x(rows, cols), dy(rows, cols), dx(rows, cols);
  Norm n(cols);
  Tensor<float> coefficients(2 * cols);
  for (int accumulate : {0, 1})
    run("batchnorm_apply" + suffix<T>(), columns_grid<T>(cols),
        BatchNormApplyParams{x.view(), dy.view(), dx.view(), n.scale.data(), n.shift.data(), coefficients.data(), rows, cols, 1, accumulate});
}
TRACED_FLOAT(batchnorm_fold) {
  Norm n(cols);
  Device<BatchNormFoldEntry> table(std::vector<BatchNormFoldEntry>(
      {{n.gamma.data(), n.beta.data(), n.running_mean.data(), n.running_var.data(), n.scale.data(), n.shift.data(), 1e-3, cols, 0}}));
  run("batchnorm_fold", {1}, BatchNormFoldParams{table.data()});
}

}  // namespace
