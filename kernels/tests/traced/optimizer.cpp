// optimizer.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

void optimizer(int rule) {
  const int n = 2 * 8192 + 4096;
  Tensor<float> value(n), gradient(n), slot0(n), slot1(n), average(n);
  Tensor<uint16_t> bf16(n);
  Device<Chunk> chunks(std::vector<Chunk>({{0, 8192, 1, 0, 1}, {8192, 8192, 1, 0, 1}, {16384, 4096, 1, 0, 1}}));
  Tensor<double> partial(3);
  Tensor<uint32_t> counter(1);
  Tensor<RunState> state(1);
  Tensor<StepMetrics> metrics(1);
  Tensor<UpdateScalars> scalars(1);
  run("gradient_norm", {3}, GradientNormParams{gradient.data(), chunks.data(), partial.data(), counter.data(), state.data(), metrics.data(), scalars.data(), 1});
  run("update", {3}, UpdateParams{value.data(), gradient.data(), slot0.data(), rule == RULE_SGD ? nullptr : slot1.data(), average.data(), bf16.data(),
                                  chunks.data(), state.data(), scalars.data(), rule, 0, 0.9f, 0.1f, 0.1f, 0.01f, 1e-8f, 0});
}
TRACED_FLOAT(sgd) { optimizer(RULE_SGD); }
TRACED_FLOAT(adamw) { optimizer(RULE_ADAMW); }

}  // namespace
