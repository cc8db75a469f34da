// memory.cpp: the kernels that move memory. Activations are 2 images of 14 x 14 pixels and 192 channels unless a kernel needs
// something else.
#include "tensor.h"

using namespace traced;

namespace {

const int images = 2, side = 14, rows = images * side * side, cols = 192;

// columns_grid has 4 blocks for each part of the channels that its threads keep.
template <class T> Grid3 columns_grid(int cols) { return {4, (unsigned)blocks(cols * (int)sizeof(T), 16 * 256)}; }

// Reduction is what two-stage reductions need.
struct Reduction {
  Grid3 grid;
  Tensor<double> partial;
  Tensor<uint32_t> counters;
  Tensor<RunState> run;
  Reduction(Grid3 grid, int sums, int cols) : grid(grid), partial((int)grid.x, sums * cols), counters((int)grid.y), run(1) {}
};

// ---- elementwise -------------------------------------------------------------------------------------------------------

TRACED(normalize_dense) {
  Tensor<uint8_t> pixels(rows, 4);
  Tensor<float> scale(4), shift(4);
  Tensor<T> y(rows, 4);
  run("normalize" + suffix<T>(), {4}, NormalizeParams{pixels.data(), scale.data(), shift.data(), y.view(), rows, 4, 4, 0});
}
TRACED(normalize_padded) {
  Tensor<uint8_t> pixels(rows, 3);
  Tensor<float> scale(3), shift(3);
  Tensor<T> y(rows, 8);
  run("normalize" + suffix<T>(), {4}, NormalizeParams{pixels.data(), scale.data(), shift.data(), y.view(), rows, 3, 8, 0});
}
// Images of 72 x 96 pixels out of cuts of 100 x 130, mirrored, with all colours.
const int image_h = 72, image_w = 96;
AugmentRecipe recipe(int i) {
  AugmentRecipe r{};
  r.offset = i * 100 * 130 * 3;
  r.rows = {100, 0, 100, 0, image_h, 0, 0, 0, image_h};
  r.cols = {130, 0, 130, 1, image_w, 0, 0, 0, image_w};
  for (int j = 0; j < MAX_ADJUSTMENTS; j++) r.op[j] = 1 + (i + j) % MAX_ADJUSTMENTS, r.factor[j] = 1;
  return r;
}
TRACED_FLOAT(augment_resize) {
  Tensor<uint8_t> regions(images, 100 * 130 * 3), pixels(images, image_h * image_w * 3);
  Device<AugmentRecipe> recipes(std::vector<AugmentRecipe>({recipe(0), recipe(1)}));
  const int tiles = blocks(image_h, AUGMENT_TILE_H) * blocks(image_w, AUGMENT_TILE_W);
  Tensor<uint32_t> sums(images, tiles);
  run("augment_resize", {(unsigned)(images * tiles)},
      AugmentResizeParams{regions.data(), recipes.data(), pixels.data(), sums.data(), image_h, image_w, 3, tiles});
}
TRACED(augment_store) {
  Tensor<uint8_t> pixels(images, image_h * image_w * 3);
  Device<AugmentRecipe> recipes(std::vector<AugmentRecipe>({recipe(0), recipe(1)}));
  Tensor<uint32_t> sums(images, 9);
  Tensor<float> scale(3), shift(3);
  Tensor<T> y(images * image_h * image_w, 16 / (int)sizeof(T));
  const int parts = blocks(image_h * image_w, 4 * 256);
  run("augment_store" + suffix<T>(), {(unsigned)(images * parts)},
      AugmentStoreParams{pixels.data(), recipes.data(), sums.data(), scale.data(), shift.data(), y.view(), image_h, image_w, 3, y.cols, 9, parts});
}
TRACED(convert) {
  Tensor<float> x(rows, cols);
  Tensor<T> y(rows, cols);
  run("convert" + suffix<T>(), {4}, ConvertParams{x.data(), y.view(), rows, cols, cols, 0});
}
TRACED(scale) {
  Tensor<T> x(rows, cols), y(rows, cols);
  for (int accumulate : {0, 1}) run("scale" + suffix<T>(), {4}, ScaleParams{x.view(), y.view(), rows, cols, 1, accumulate});
}
TRACED(add) {
  Tensor<T> a(rows, cols), b(rows, cols), c(rows, cols), y(rows, cols);
  run("add" + suffix<T>(), {4}, AddParams{{a.view(), b.view(), c.view()}, y.view(), {1, 1, 0.5f}, 3, rows, cols, 1});
}
TRACED(add_backward) {
  Tensor<T> y(rows, cols), dy(rows, cols), a(rows, cols), b(rows, cols);
  run("add_backward" + suffix<T>(), {4}, AddBackwardParams{y.view(), dy.view(), {a.view(), b.view()}, {1, 0.5f}, {1, 0}, 2, rows, cols, 0});
}
TRACED(relu) {
  Tensor<T> x(rows, cols), y(rows, cols);
  run("relu" + suffix<T>(), {4}, ReluParams{x.view(), y.view(), rows, cols});
}
TRACED(relu_backward) {
  Tensor<T> y(rows, cols), dy(rows, cols), dx(rows, cols);
  for (int accumulate : {0, 1}) run("relu_backward" + suffix<T>(), {4}, ReluBackwardParams{y.view(), dy.view(), dx.view(), rows, cols, accumulate, 0});
}
TRACED(dropout) {
  Tensor<T> x(rows, cols), y(rows, cols);
  Tensor<RunState> state(1);
  for (int accumulate : {0, 1}) run("dropout" + suffix<T>(), {4}, DropoutParams{x.view(), y.view(), state.data(), 1, 1u << 31, 2, rows, cols, accumulate});
}

// ---- by channel --------------------------------------------------------------------------------------------------------

TRACED(affine) {
  Tensor<T> x(rows, cols), y(rows, cols);
  Tensor<float> scale(cols), shift(cols);
  run("affine" + suffix<T>(), columns_grid<T>(cols), AffineParams{x.view(), y.view(), scale.data(), shift.data(), rows, cols, 1, 0});
}
TRACED(bias_backward) {
  Tensor<T> dy(rows, cols);
  Tensor<float> db(cols);
  Reduction red(columns_grid<T>(cols), 1, cols);
  run("bias_backward" + suffix<T>(), red.grid,
      BiasBackwardParams{dy.view(), db.data(), red.partial.data(), red.counters.data(), red.run.data(), rows, cols, 0, 0});
}

TRACED(probe) {
  Tensor<T> x(rows, cols);
  Tensor<double> y(2 * cols);
  Reduction red(columns_grid<T>(cols), 2, cols);
  run("probe" + suffix<T>(), red.grid, ProbeParams{x.view(), y.data(), red.partial.data(), red.counters.data(), rows, cols});
}

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
  Reduction red(columns_grid<T>(cols), 2, cols);
  run("batchnorm_sums" + suffix<T>(), red.grid, BatchNormSumsParams{x.view(), red.partial.data(), red.counters.data(), n.params(), rows, cols});
}
TRACED_FLOAT(batchnorm_finalize) {
  const int parts = 25;
  Tensor<float> sums(parts, 2 * cols);
  Norm n(cols);
  Reduction red(columns_grid<float>(cols), 2, cols);
  run("batchnorm_finalize", red.grid,
      BatchNormFinalizeParams{sums.data(), red.partial.data(), red.counters.data(), n.params(), parts, rows, cols, 0});
}
TRACED(batchnorm_reduce) {
  Tensor<T> x(rows, cols), dy(rows, cols);
  Norm n(cols);
  Tensor<float> dgamma(cols), dbeta(cols), coefficients(2 * cols);
  Reduction red(columns_grid<T>(cols), 2, cols);
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
  Device<FoldEntry> table(std::vector<FoldEntry>(
      {{n.gamma.data(), n.beta.data(), n.running_mean.data(), n.running_var.data(), n.scale.data(), n.shift.data(), 1e-3, cols, 0}}));
  run("batchnorm_fold", {1}, BatchNormFoldParams{table.data()});
}

// ---- pooling -----------------------------------------------------------------------------------------------------------

Window window(int size, int k, int stride, int pad) {
  const int out = (size + 2 * pad - k) / stride + 1;
  return {images, size, size, out, out, k, k, stride, stride, pad, pad, pad, pad, 0};
}
int inputs(const Window& g) { return g.n * g.h * g.w; }
int outputs(const Window& g) { return g.n * g.p * g.q; }

template <class T> void max_pooling(const Window& g) {
  Tensor<T> x(inputs(g), cols), y(outputs(g), cols);
  Tensor<uint8_t> index(outputs(g), cols);
  run("maxpool" + suffix<T>(), columns_grid<T>(cols), MaxPoolParams{x.view(), y.view(), index.view(), g, cols, 0});
  run("maxpool_backward" + suffix<T>(), columns_grid<T>(cols), MaxPoolBackwardParams{y.view(), index.view(), x.view(), g, cols, 0});
}
TRACED(maxpool_apart) { max_pooling<T>(window(side, 2, 2, 0)); }
TRACED(maxpool_overlapping) { max_pooling<T>(window(side + 1, 3, 2, 0)); }
TRACED(maxpool_same_size) { max_pooling<T>(window(side, 3, 1, 1)); }

template <class T> void average_pooling(const Window& g, bool adaptive) {
  Tensor<T> x(inputs(g), cols), y(outputs(g), cols);
  run("avgpool" + suffix<T>(), columns_grid<T>(cols), AvgPoolParams{x.view(), y.view(), g, cols, adaptive});
  run("avgpool_backward" + suffix<T>(), columns_grid<T>(cols), AvgPoolBackwardParams{y.view(), x.view(), g, cols, adaptive, 0, 0});
}
TRACED(avgpool_global) { average_pooling<T>({images, 7, 7, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true); }
TRACED(avgpool_head) { average_pooling<T>(window(side, 5, 3, 0), false); }

// ---- local response normalisation --------------------------------------------------------------------------------------

template <class T> void response(int rows, int cols) {
  Tensor<T> x(rows, cols), y(rows, cols), base(rows, cols), dx(rows, cols);
  const unsigned shared = 4u * (unsigned)cols * (unsigned)(cols >= 256 ? 1 : 256 / cols);
  run("lrn" + suffix<T>(), {4}, LrnParams{x.view(), y.view(), base.view(), rows, cols, 5, 1, 1e-4f, 0.75f}, shared);
  run("lrn_backward" + suffix<T>(), {4}, LrnBackwardParams{x.view(), base.view(), y.view(), dx.view(), rows, cols, 5, 1e-4f, 0.75f, 0}, shared);
}
TRACED(lrn_64) { response<T>(rows, 64); }
TRACED(lrn_192) { response<T>(rows, cols); }

// ---- loss --------------------------------------------------------------------------------------------------------------

template <class T> void loss(int rows, int classes) {
  const int heads = 3;
  Tensor<int32_t> labels(rows), rank(heads, rows);
  Tensor<float> row_loss(heads, rows);
  Tensor<uint32_t> counter(1);
  Tensor<RunState> state(1);
  Tensor<StepMetrics> ring(1);
  std::vector<Tensor<T>> tensors;
  LossParams p{};
  for (int i = 0; i < 2 * heads; i++) tensors.emplace_back(rows, classes);
  for (int i = 0; i < heads; i++) p.heads[i] = {tensors[2 * i].view(), tensors[2 * i + 1].view(), View{}, classes, 0.1f, i, 0, 0, 0};
  p.labels = labels.data(), p.row_loss = row_loss.data(), p.row_rank = rank.data(), p.counter = counter.data(), p.run = state.data();
  p.ring = ring.data(), p.count = heads, p.rows = rows, p.ignore = -1;
  run("softmax_cross_entropy" + suffix<T>(), {(unsigned)rows, (unsigned)heads}, p);
}
TRACED(loss_short_rows) { loss<T>(32, 1008); }
// Twice as many classes as a block keeps in registers.
TRACED(loss_long_rows) { loss<T>(4, 2 * 4 * 256 * 16 / (int)sizeof(T)); }

// ---- optimizer ---------------------------------------------------------------------------------------------------------

void optimizer(int rule) {
  const int n = 2 * 8192 + 4096;
  Tensor<float> value(n), gradient(n), slot0(n), slot1(n), average(n);
  Tensor<uint16_t> bf16(n);
  Device<Chunk> chunks(std::vector<Chunk>({{0, 8192, 1, 0, 1}, {8192, 8192, 1, 0, 1}, {16384, 4096, 1, 0, 1}}));
  Tensor<double> partial(3);
  Tensor<uint32_t> counter(1);
  Tensor<RunState> state(1);
  Tensor<StepMetrics> ring(1);
  Tensor<UpdateScalars> scalars(1);
  run("gradient_norm", {3}, GradientNormParams{gradient.data(), chunks.data(), partial.data(), counter.data(), state.data(), ring.data(), scalars.data(), 1});
  run("update", {3}, UpdateParams{value.data(), gradient.data(), slot0.data(), rule == RULE_SGD ? nullptr : slot1.data(), average.data(), bf16.data(),
                                  chunks.data(), state.data(), scalars.data(), rule, 0, 0.9f, 0.1f, 0.1f, 0.01f, 1e-8f, 0});
}
TRACED_FLOAT(compare) {
  Tensor<float> a(8192 + 4096), b(8192 + 4096);
  Device<Chunk> chunks(std::vector<Chunk>({{0, 8192, 1, 0, 0}, {8192, 4096, 1, 0, 0}}));
  Tensor<double> y(6);
  run("compare", {2}, CompareParams{a.data(), b.data(), chunks.data(), y.data()});
}
TRACED_FLOAT(sgd) { optimizer(RULE_SGD); }
TRACED_FLOAT(adamw) { optimizer(RULE_ADAMW); }

}  // namespace
