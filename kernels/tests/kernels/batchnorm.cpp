// batchnorm.cpp: batch normalisation, its gradient, and folding it for evaluation.
#include "harness.h"

using namespace test;

// Norm is a batch normalisation with random parameters and its results.
struct Norm {
  int cols;
  double eps = 1e-3, momentum = 0.1;
  std::vector<float> gamma, beta, old_mean, old_var;
  Device<float> d_gamma, d_beta, running_mean, running_var, mean, invstd, scale, shift;
  Norm(Random& r, int cols)
      : cols(cols), gamma(vector_of(r, cols, 0.5, 2)), beta(vector_of(r, cols, -1, 1)), old_mean(vector_of(r, cols, -1, 1)),
        old_var(vector_of(r, cols, 0.5, 2)), d_gamma(gamma), d_beta(beta), running_mean(old_mean), running_var(old_var), mean(cols),
        invstd(cols), scale(cols), shift(cols) {}
  BatchNormFinal params() const {
    return {d_gamma.data(), d_beta.data(), running_mean.data(), running_var.data(), mean.data(), invstd.data(), scale.data(), shift.data(), eps, momentum};
  }
  // check compares all results with the statistics of the columns.
  void check(int rows, const std::function<double(int, int)>& x) const {
    std::vector<double> mu((size_t)cols), var((size_t)cols);
    for (int c = 0; c < cols; c++) {
      for (int i = 0; i < rows; i++) mu[c] += x(i, c) / rows;
      for (int i = 0; i < rows; i++) var[c] += (x(i, c) - mu[c]) * (x(i, c) - mu[c]) / rows;
    }
    const auto is = [&](int c) { return 1 / sqrt(var[c] + eps); };
    compare_vector("mean", mean.get(), 2e-6, 2e-6, [&](int c) { return mu[c]; });
    compare_vector("invstd", invstd.get(), 1e-6, 2e-5, is);
    compare_vector("scale", scale.get(), 1e-6, 2e-5, [&](int c) { return gamma[c] * is(c); });
    compare_vector("shift", shift.get(), 2e-5, 2e-5, [&](int c) { return beta[c] - mu[c] * gamma[c] * is(c); });
    compare_vector("running_mean", running_mean.get(), 1e-6, 1e-6, [&](int c) { return 0.9 * old_mean[c] + 0.1 * mu[c]; });
    compare_vector("running_var", running_var.get(), 1e-6, 1e-5, [&](int c) { return 0.9 * old_var[c] + 0.1 * var[c] * rows / (rows - 1); });
  }
};

TEST(batchnorm_sums, 16) {
  const int rows = r.range(2, 400), cols = r.range(0, 9) ? channels(r) : 8 * 150;
  Matrix<T> x(r, rows, cols);
  x.random(r, -1, 3);
  x.upload();
  Reduction red(r, columns_grid<T>(r, cols), 2, cols);
  Norm n(r, cols);
  run("batchnorm_sums" + suffix<T>(), red.grid,
      BatchNormSumsParams{x.view(), red.partial.data(), red.counters.data(), n.params(), rows, cols});
  n.check(rows, [&](int i, int c) { return x(i, c); });
}

TEST_FLOAT(batchnorm_finalize, 12) {
  const int parts = r.range(1, 60), each = r.range(1, 9), rows = parts * each + 1, cols = channels(r);
  std::vector<double> x((size_t)rows * cols);
  for (double& v : x) v = r.uniform(-1, 3);
  std::vector<float> partial((size_t)parts * 2 * cols);
  for (int i = 0; i < parts; i++)
    for (int c = 0; c < cols; c++) {
      double s = 0, q = 0;
      for (int j = i * each; j < (i + 1 == parts ? rows : (i + 1) * each); j++) s += x[(size_t)j * cols + c], q += x[(size_t)j * cols + c] * x[(size_t)j * cols + c];
      partial[(size_t)i * 2 * cols + c] = (float)s;
      partial[((size_t)i * 2 + 1) * cols + c] = (float)q;
    }
  Device<float> p(partial);
  Reduction red(r, columns_grid<float>(r, cols), 2, cols);
  Norm n(r, cols);
  run("batchnorm_finalize", red.grid, BatchNormFinalizeParams{p.data(), red.partial.data(), red.counters.data(), n.params(), parts, rows, cols, 0});
  n.check(rows, [&](int i, int c) { return x[(size_t)i * cols + c]; });
}

TEST(batchnorm_backward, 20) {
  const int rows = r.range(2, 300), cols = r.range(0, 9) ? channels(r) : 8 * 150;
  const bool relu = r.coin(), accumulate = r.coin(), frozen = r.range(0, 3) == 0;
  Matrix<T> x(r, rows, cols), dy(r, rows, cols), dx(r, rows, cols);
  x.random(r, -1, 3);
  dy.random(r, -1, 1);
  if (accumulate) dx.random(r, -1, 1);
  std::vector<float> mean = vector_of(r, cols, 0.8, 1.2), invstd = vector_of(r, cols, 0.6, 1.1), scale = vector_of(r, cols, 0.5, 2), shift = vector_of(r, cols, -2, 0);
  x.upload();
  dy.upload();
  dx.upload();
  Device<float> d_mean(mean), d_invstd(invstd), d_scale(scale), d_shift(shift), coefficients(2 * cols);
  Reduction red(r, columns_grid<T>(r, cols), 2, cols);
  const std::vector<float> old_gamma = vector_of(r, cols, -1, 1), old_beta = vector_of(r, cols, -1, 1);
  Device<float> dgamma(old_gamma), dbeta(old_beta);
  run("batchnorm_reduce" + suffix<T>(), red.grid,
      BatchNormReduceParams{x.view(), dy.view(), d_mean.data(), d_invstd.data(), d_scale.data(), d_shift.data(), frozen ? nullptr : dgamma.data(),
                            frozen ? nullptr : dbeta.data(), coefficients.data(), red.partial.data(), red.counters.data(), red.run.data(), rows,
                            cols, relu, red.accumulate});
  run("batchnorm_apply" + suffix<T>(), columns_grid<T>(r, cols),
      BatchNormApplyParams{x.view(), dy.view(), dx.view(), d_scale.data(), d_shift.data(), coefficients.data(), rows, cols, relu, accumulate});
  const auto g = [&](int i, int c) { return relu && fmaf((float)x(i, c), scale[c], shift[c]) <= 0 ? 0 : dy(i, c); };
  const auto xhat = [&](int i, int c) { return (x(i, c) - mean[c]) * invstd[c]; };
  std::vector<double> sb((size_t)cols), sg((size_t)cols);
  for (int c = 0; c < cols; c++)
    for (int i = 0; i < rows; i++) sb[c] += g(i, c), sg[c] += g(i, c) * xhat(i, c);
  const bool add = red.accumulates() && !frozen;
  compare_vector("dbeta", dbeta.get(), 2e-5, 1e-6, [&](int c) { return frozen ? old_beta[c] : sb[c] + (add ? old_beta[c] : 0); });
  compare_vector("dgamma", dgamma.get(), 2e-5, 1e-6, [&](int c) { return frozen ? old_gamma[c] : sg[c] + (add ? old_gamma[c] : 0); });
  dx.compare("dx", 1e-5, precision<T>(), [&](int i, int c) {
    return scale[c] * (g(i, c) - sb[c] / rows - xhat(i, c) * sg[c] / rows) + (accumulate ? dx(i, c) : 0);
  });
}

TEST_FLOAT(batchnorm_fold, 6) {
  const int entries = r.range(1, 5);
  std::vector<Norm*> norms;
  std::vector<BatchNormFoldEntry> table;
  for (int i = 0; i < entries; i++) {
    Norm* n = new Norm(r, channels(r) * r.range(1, 6));
    norms.push_back(n);
    table.push_back({n->d_gamma.data(), n->d_beta.data(), n->running_mean.data(), n->running_var.data(), n->scale.data(), n->shift.data(), n->eps, n->cols, 0});
  }
  Device<BatchNormFoldEntry> t(table);
  run("batchnorm_fold", {(unsigned)entries}, BatchNormFoldParams{t.data()});
  for (Norm* n : norms) {
    const auto scale = [&](int c) { return n->gamma[c] / sqrt(n->old_var[c] + n->eps); };
    compare_vector("scale", n->scale.get(), 1e-7, 1e-6, scale);
    compare_vector("shift", n->shift.get(), 1e-6, 1e-6, [&](int c) { return n->beta[c] - n->old_mean[c] * scale(c); });
    delete n;
  }
}
