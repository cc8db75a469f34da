// optimizer.cpp: the global norm and the update of all parameters.
#include "harness.h"

using namespace test;

// Rule is one setting of the optimizer, whose update is computed element by element in double.
struct Rule {
  int rule;
  bool nesterov;
  double momentum, alpha, beta1, beta2, eps;

  void step(double& w, double& s0, double& s1, double g, double lr, double decay, double bias1, double bias2) const {
    if (rule == RULE_ADAMW) {
      w -= lr * decay * w;
      s0 = beta1 * s0 + (1 - beta1) * g;
      s1 = beta2 * s1 + (1 - beta2) * g * g;
      w -= lr * (s0 / bias1) / (sqrt(s1 / bias2) + eps);
      return;
    }
    const double d = g + decay * w;
    switch (rule) {
      case RULE_SGD:
        s0 = momentum * s0 + d;
        w -= lr * (nesterov ? d + momentum * s0 : s0);
        break;
      case RULE_RMSPROP:
        s0 = alpha * s0 + (1 - alpha) * d * d;
        s1 = momentum * s1 + d / (sqrt(s0) + eps);
        w -= lr * s1;
        break;
      case RULE_RMSPROP_TF:
        s0 = alpha * s0 + (1 - alpha) * d * d;
        s1 = momentum * s1 + lr * d / sqrt(s0 + eps);
        w -= s1;
    }
  }
};

TEST_FLOAT(update, 24) {
  const Rule rule{r.range(0, 3), r.coin(), 0.9, 0.9, 0.9, 0.99, r.uniform(0.01, 1)};
  const bool with_average = r.coin(), with_copy = r.coin(), skip = r.range(0, 7) == 0;
  // Chunks of several parameters, with gaps between them as in the layout. The last ones are not
  // trained.
  std::vector<Chunk> chunks;
  int64_t elements = 0;
  const int trained = r.range(1, 6), all = trained + r.range(0, 2);
  for (int i = 0; i < all; i++) {
    chunks.push_back({elements, r.coin() ? r.range(1, 40) : r.range(900, 3000), (float)r.uniform(0.5, 2), r.coin() ? 0.0f : 0.01f, i < trained});
    elements += (chunks.back().count + 15) / 16 * 16;
  }
  const int n = (int)elements;
  std::vector<float> value = vector_of(r, n, -1, 1), gradient = vector_of(r, n, -1, 1), slot0 = vector_of(r, n, 0.1, 1), slot1 = vector_of(r, n, 0.1, 1), average = vector_of(r, n, -1, 1);
  double squares = 0;
  for (int i = 0; i < trained; i++)
    for (int j = 0; j < chunks[i].count; j++) squares += (double)gradient[chunks[i].offset + j] * gradient[chunks[i].offset + j];
  const double norm = sqrt(squares), max_norm = r.coin() ? 0 : norm * r.uniform(0.3, 1.5);
  const double clip = max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
  const double lr = r.uniform(0.01, 0.1), mix = 0.01, t = r.range(1, 5), bias1 = 1 - pow(rule.beta1, t), bias2 = 1 - pow(rule.beta2, t);

  RunState state{};
  state.lr = (float)lr, state.ema_mix = (float)mix, state.bias1 = (float)bias1, state.bias2 = (float)bias2, state.skip_update = skip;
  Device<RunState> d_state(std::vector<RunState>{state});
  Device<Chunk> d_chunks(chunks);
  Device<float> d_value(value), d_gradient(gradient), d_slot0(slot0), d_slot1(slot1), d_average(average);
  const Bf16 untouched{0x1234};
  Device<Bf16> d_copy(std::vector<Bf16>((size_t)n, untouched));
  Device<double> partial((size_t)trained);
  Device<uint32_t> counter(1);
  counter.zero();
  Device<StepMetrics> metrics(1);
  Device<UpdateScalars> scalars(1);
  for (int again = 0; again < 2; again++)
    run("gradient_norm", {(unsigned)trained},
        GradientNormParams{d_gradient.data(), d_chunks.data(), partial.data(), counter.data(), d_state.data(), metrics.data(), scalars.data(), max_norm});
  const double got_norm = metrics.get()[0].grad_norm;
  if (!(fabs(got_norm - (skip ? 0 : norm)) <= 1e-9 * norm)) fail("norm %.12g, want %.12g", got_norm, skip ? 0 : norm);
  UpdateParams p{d_value.data(), d_gradient.data(), d_slot0.data(), rule.rule == RULE_SGD ? nullptr : d_slot1.data(), with_average ? d_average.data() : nullptr,
                 with_copy ? (uint16_t*)d_copy.data() : nullptr, d_chunks.data(), d_state.data(), scalars.data(), rule.rule, rule.nesterov,
                 (float)rule.momentum, (float)(1 - rule.alpha), (float)(1 - rule.beta1), (float)(1 - rule.beta2), (float)rule.eps, 0};
  run("update", {(unsigned)all}, p);

  std::vector<double> w(value.begin(), value.end()), s0(slot0.begin(), slot0.end()), s1(slot1.begin(), slot1.end()), a(average.begin(), average.end());
  std::vector<bool> covered((size_t)n);
  for (const Chunk& c : chunks)
    for (int64_t i = c.offset; i < c.offset + c.count && !skip; i++) {
      covered[(size_t)i] = true;
      if (c.trained) rule.step(w[i], s0[i], s1[i], clip * gradient[i], lr * c.lr_scale, c.decay, bias1, bias2);
      if (with_average) a[i] += mix * (w[i] - a[i]);
    }
  compare_vector("value", d_value.get(), 1e-6, 1e-6, [&](int i) { return w[i]; });
  compare_vector("slot0", d_slot0.get(), 1e-6, 1e-6, [&](int i) { return s0[i]; });
  compare_vector("slot1", d_slot1.get(), 1e-6, 3e-6, [&](int i) { return rule.rule == RULE_SGD ? slot1[i] : s1[i]; });
  compare_vector("average", d_average.get(), 1e-6, 1e-6, [&](int i) { return a[i]; });
  if (!with_copy) return;
  const std::vector<Bf16> copy = d_copy.get();
  const std::vector<float> now = d_value.get();
  for (int i = 0; i < n; i++)
    if (copy[i].bits != (covered[i] ? element<Bf16>(now[i]).bits : untouched.bits)) fail("bf16 copy of element %d: %04x", i, copy[i].bits);
}

TEST_FLOAT(gradient_norm_nonfinite, 2) {
  std::vector<float> gradient(64, 1.0f);
  gradient[37] = r.coin() ? NAN : INFINITY;
  Device<float> g(gradient);
  Device<Chunk> chunks(std::vector<Chunk>{{0, 64, 1, 0, 1}});
  Device<double> partial(1);
  Device<uint32_t> counter(1);
  counter.zero();
  Device<RunState> state(std::vector<RunState>{RunState{}});
  Device<StepMetrics> metrics(1);
  Device<UpdateScalars> scalars(1);
  run("gradient_norm", {1}, GradientNormParams{g.data(), chunks.data(), partial.data(), counter.data(), state.data(), metrics.data(), scalars.data(), 0});
  if (!scalars.get()[0].nonfinite) fail("a gradient that is not finite was not noticed");
  const std::vector<float> before = vector_of(r, 64, -1, 1);
  Device<float> value(before), slot(before);
  UpdateParams u{};
  u.value = value.data(), u.slot0 = slot.data(), u.gradient = g.data(), u.chunks = chunks.data(), u.run = state.data(), u.scalars = scalars.data(), u.rule = RULE_SGD;
  run("update", {1}, u);
  if (value.get() != before || slot.get() != before) fail("an update from a gradient that is not finite");
}
