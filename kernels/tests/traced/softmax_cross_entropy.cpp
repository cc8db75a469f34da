// softmax_cross_entropy.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

template <class T> void loss(int rows, int classes) {
  const int heads = 3;
  Tensor<int32_t> labels(rows), rank(heads, rows);
  Tensor<float> row_loss(heads, rows);
  Tensor<uint32_t> counter(1);
  Tensor<RunState> state(1);
  Tensor<StepMetrics> metrics(1);
  std::vector<Tensor<T>> tensors;
  SoftmaxCrossEntropyParams p{};
  for (int i = 0; i < 2 * heads; i++) tensors.emplace_back(rows, classes);
  for (int i = 0; i < heads; i++) p.heads[i] = {tensors[2 * i].view(), tensors[2 * i + 1].view(), View{}, classes, 0.1f, i, 0, 0, 0};
  p.labels = labels.data(), p.row_loss = row_loss.data(), p.row_rank = rank.data(), p.counter = counter.data(), p.run = state.data();
  p.metrics = metrics.data(), p.count = heads, p.rows = rows, p.ignore = -1;
  run("softmax_cross_entropy" + suffix<T>(), {(unsigned)rows, (unsigned)heads}, p);
}
TRACED(loss_short_rows) { loss<T>(32, 1008); }
// The rows have twice as many classes as a block keeps in registers.
TRACED(loss_long_rows) { loss<T>(4, 2 * 4 * 256 * 16 / (int)sizeof(T)); }

}  // namespace
