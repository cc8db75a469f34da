// softmax_cross_entropy.cpp: softmax and cross-entropy of all heads.
#include "harness.h"

using namespace test;

// Wanted is the reference for one head.
struct Wanted {
  double loss = 0;
  int correct1 = 0, correct5 = 0;
  std::vector<double> gradient;
};
template <class T>
static Wanted reference(const Matrix<T>& l, const std::vector<int32_t>& labels, double smoothing, double scale, int counted, const Matrix<T>* teacher,
                        double share, double temperature) {
  const int rows = l.rows, classes = l.cols;
  Wanted w;
  w.gradient.resize((size_t)rows * classes);
  for (int i = 0; i < rows; i++) {
    if (labels[i] < 0) continue;
    double top = -INFINITY, sum = 0, loss = 0;
    int rank = 0;
    const double own = l(i, labels[i]);
    for (int c = 0; c < classes; c++) {
      top = fmax(top, l(i, c));
      rank += l(i, c) > own || (l(i, c) == own && c < labels[i]);
    }
    for (int c = 0; c < classes; c++) sum += exp(l(i, c) - top);
    for (int c = 0; c < classes; c++) {
      const double target = smoothing / classes + (c == labels[i] ? 1 - smoothing : 0), logp = l(i, c) - top - log(sum);
      loss -= target * logp;
      w.gradient[(size_t)i * classes + c] = scale * (exp(logp) - target);
    }
    if (teacher) {
      std::vector<double> p((size_t)classes), q((size_t)classes);
      double ps = 0, qs = 0, kl = 0;
      for (int c = 0; c < classes; c++) {
        ps += p[c] = exp((l(i, c) - top) / temperature);
        qs += q[c] = exp((*teacher)(i, c) / temperature);
      }
      for (int c = 0; c < classes; c++) {
        p[c] /= ps, q[c] /= qs;
        kl += q[c] * log(q[c] / p[c]);
        double& g = w.gradient[(size_t)i * classes + c];
        g = (1 - share) * g + scale * share * temperature * (p[c] - q[c]);
      }
      loss = (1 - share) * loss + share * temperature * temperature * kl;
    }
    w.loss += loss / counted;
    w.correct1 += rank < 1;
    w.correct5 += rank < 5;
  }
  return w;
}

TEST(softmax_cross_entropy, 10) {
  const int heads = r.range(1, 4), rows = r.range(1, 40);
  const bool training = r.range(0, 3) > 0;
  std::vector<int32_t> labels((size_t)rows);
  RunState state{};
  state.grad_scale = r.coin() ? 1 : 0.5f;
  for (float& w : state.head_weight) w = (float)r.uniform(0.1, 1);
  std::vector<int> classes;
  const bool alike = r.coin();  // then the first head teaches the others
  for (int h = 0; h < heads; h++) classes.push_back(alike && h ? classes[0] : r.pick({2, 7, 10, 100, 250, 1000, 4099, 9001}));
  int smallest = 1 << 30, counted = 0;
  for (int k : classes) smallest = k < smallest ? k : smallest;
  for (int32_t& k : labels) k = r.range(0, 4) ? r.range(0, smallest - 1) : -1, counted += k >= 0;

  std::vector<Matrix<T>*> logits, dlogits;
  Device<int32_t> d_labels(labels), ranks((size_t)heads * rows);
  Device<float> losses((size_t)heads * rows);
  Device<uint32_t> counter(1);
  counter.zero();
  Device<RunState> d_state(std::vector<RunState>{state});
  std::vector<StepMetrics> metrics(1);
  memset((void*)metrics.data(), 0xff, sizeof metrics[0]);
  Device<StepMetrics> d_metrics(metrics);
  SoftmaxCrossEntropyParams p{};
  p.labels = d_labels.data(), p.row_loss = losses.data(), p.row_rank = ranks.data(), p.counter = counter.data();
  p.run = d_state.data(), p.metrics = d_metrics.data(), p.count = heads, p.rows = rows, p.ignore = -1;
  for (int h = 0; h < heads; h++) {
    Matrix<T>* l = new Matrix<T>(r, rows, classes[h]);
    Matrix<T>* d = new Matrix<T>(r, rows, classes[h]);
    for (int i = 0; i < rows; i++)
      for (int c = 0; c < classes[h]; c++) l->set(i, c, r.range(0, 3) ? r.uniform(-8, 8) : r.range(-4, 4));  // some of them equal
    l->upload();
    d->upload();
    logits.push_back(l);
    dlogits.push_back(d);
    p.heads[h] = {l->view(), training ? d->view() : View{}, View{}, classes[h], r.coin() ? 0.1f : 0.0f, heads - 1 - h, 0, 0, 0};
    if (h > 0 && classes[h] == classes[0]) p.heads[h].teacher = logits[0]->view(), p.heads[h].distill = (float)r.uniform(0.1, 1), p.heads[h].temperature = (float)r.uniform(1, 4);
  }
  for (int again = 0; again < 2; again++)  // the counter must be ready for the next launch
    run("softmax_cross_entropy" + suffix<T>(), {(unsigned)rows, (unsigned)heads}, p);
  const StepMetrics got = d_metrics.get()[0];
  if (got.rows != counted) fail("%d rows counted, want %d", got.rows, counted);
  for (int h = 0; h < heads; h++) {
    const int index = p.heads[h].index, n = counted ? counted : 1;
    const Wanted w = reference(*logits[h], labels, p.heads[h].smoothing, (double)state.head_weight[index] * state.grad_scale / n, n,
                               p.heads[h].teacher.data ? logits[0] : nullptr, p.heads[h].distill, p.heads[h].temperature);
    const HeadMetrics m = got.heads[index];
    // Distillation multiplies what exp2 and log2 are off by with distill * temperature^2.
    const double heat = p.heads[h].teacher.data ? p.heads[h].distill * p.heads[h].temperature * p.heads[h].temperature : 0;
    if (!(fabs(m.loss - w.loss) <= 1e-5 * (1 + heat) + 2e-6 * w.loss) || m.correct1 != w.correct1 || m.correct5 != w.correct5)
      fail("head %d of %d classes: loss %.9g correct1 %d correct5 %d, want %.9g %d %d", h, classes[h], m.loss, m.correct1, m.correct5, w.loss, w.correct1, w.correct5);
    if (training)
      dlogits[h]->compare("dlogits", 1e-6, precision<T>() + 1e-5, [&](int i, int c) { return w.gradient[(size_t)i * classes[h] + c]; });
  }
  for (int h = 0; h < heads; h++) {
    delete logits[h];
    delete dlogits[h];
  }
}

// Gradients may overwrite the logits. A NaN is no hit, and spoils only its own row.
TEST_FLOAT(softmax_in_place_with_nan, 2) {
  const int rows = 3, classes = r.coin() ? 1000 : 6000;
  Matrix<float> l(r, rows, classes);
  l.random(r, -1, 1);
  l.set(1, 17, NAN);
  l.upload();
  Device<int32_t> labels(std::vector<int32_t>{3, 17, 5}), ranks((size_t)rows);
  Device<float> losses((size_t)rows);
  Device<uint32_t> counter(1);
  counter.zero();
  RunState state{};
  state.grad_scale = state.head_weight[0] = 1;
  Device<RunState> d_state(std::vector<RunState>{state});
  Device<StepMetrics> metrics(1);
  SoftmaxCrossEntropyParams p{};
  p.heads[0] = {l.view(), l.view(), View{}, classes, 0, 0, 0, 0, 0};
  p.labels = labels.data(), p.row_loss = losses.data(), p.row_rank = ranks.data(), p.counter = counter.data();
  p.run = d_state.data(), p.metrics = metrics.data(), p.count = 1, p.rows = rows, p.ignore = -1;
  run("softmax_cross_entropy_f32", {3}, p);
  const std::vector<int32_t> rank = ranks.get();
  if (rank[1] != classes) fail("the rank of a NaN is %d, not %d", rank[1], classes);
  const std::vector<int32_t> k = labels.get();
  l.compare("dlogits", 1e-7, 1e-5, [&](int i, int c) {
    double sum = 0;
    for (int j = 0; j < classes; j++) sum += exp(l(i, j));
    return (exp(l(i, c)) / sum - (c == k[(size_t)i])) / 3;
  });
}
