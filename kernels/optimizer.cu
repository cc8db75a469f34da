// optimizer.cu: the update of all parameters in one launch, after the global norm of the gradient
// in another.
//
// All parameters lie in one flat arena, and their gradients, optimizer state and moving averages in
// others at the same offsets. A table in device memory cuts the arena into chunks. A chunk belongs
// to one parameter, and has the parameter's factor of the learning rate and its weight decay. A
// block updates one chunk.
//
//   gradient_norm  norm = sqrt(Σ g²), in double; clip = max_norm/(norm + 1e-6) if norm exceeds max_norm > 0, else 1 (as
//                  torch.nn.utils.clip_grad_norm_). Two stages in one launch: each block sums its chunk, the last block adds
//                  up the partial sums in a fixed order. 256 threads, grid.x = trained chunks.
//   update         d = clip·g + decay·w, then with lr = learning rate · the chunk's factor
//                    SGD         buf = momentum·buf + d;  w -= lr·buf, or lr·(d + momentum·buf) with Nesterov
//                    RMSProp     ms += alpha_mix·(d²-ms);  buf = momentum·buf + d/(sqrt(ms)+eps);  w -= lr·buf
//                    RMSProp TF  the same ms;  buf = momentum·buf + lr·d/sqrt(ms+eps);  w -= buf
//                    AdamW       d = clip·g;  m += beta1_mix·(d-m);  v += beta2_mix·(d²-v);
//                                w = (1-lr·decay)·w - lr/bias1 · m/(sqrt(v)/sqrt(bias2)+eps)
//                  then average += ema_mix·(w-average), and a bf16 copy of w. Chunks that are not trained (running statistics,
//                  frozen parameters) have only these last two. 256 threads, grid.x = chunks.
//
// A gradient whose norm is not finite updates nothing, so the values before it stay for the search
// for the cause, and the run can go on from them. The learning rate, the bias corrections and
// skip_update are read from device memory. Cost: the norm reads the gradient once; the update reads
// and writes value, state and average once and reads the gradient: 28 bytes per parameter for SGD
// with an average, 36 for the others. Shapes: any; chunks begin at multiples of 4 elements, and so
// do packs.
#include "gpu/reduce.h"
#include "params.h"

constexpr int threads = 256;
typedef gpu::Pack<float> Floats;

KERNEL(gradient_norm, GradientNormParams, threads) {
  SHARED(double, by_warp, [threads / 32]);
  const Chunk chunk = p.chunks[blockIdx.x];
  const float* g = p.gradient + chunk.offset;
  const bool skip = p.run->skip_update != 0;
  double sum = 0;
  if (!skip)
    for (int i = threadIdx.x * 4; i < chunk.count; i += threads * 4) {
      const Floats v = gpu::load(g + i, chunk.count - i < 4 ? chunk.count - i : 4, gpu::wide(g, 4));
      UNROLL for (int j = 0; j < 4; j++) sum += (double)v.v[j] * (double)v.v[j];
    }
  sum = gpu::block_reduce<threads>(sum, by_warp, gpu::Sum<double>());
  if (threadIdx.x == 0) p.partial[blockIdx.x] = sum;
  if (!gpu::last_block(p.counter, gridDim.x)) return;
  sum = 0;
  for (int i = threadIdx.x; i < (int)gridDim.x; i += threads) sum += p.partial[i];
  sum = gpu::block_reduce<threads>(sum, by_warp, gpu::Sum<double>());
  if (threadIdx.x != 0) return;
  const double norm = gpu::sqrt(sum);
  p.metrics->grad_norm = norm;
  p.scalars->clip = p.max_norm > 0 && norm > p.max_norm ? (float)gpu::div(p.max_norm, norm + 1e-6) : 1.0f;
  p.scalars->nonfinite = !(norm <= 1.7976931348623157e308);
}

// State is what an update rule reads and writes for one element of a parameter.
struct State {
  float w, slot0, slot1;
};

// step applies the rule to one element with gradient g.
GPU_FN State step(const UpdateParams& p, State s, float g, float lr, float decay, float bias1, float root_bias2) {
  if (p.rule == RULE_ADAMW) {
    s.slot0 = gpu::fma(p.beta1_mix, g - s.slot0, s.slot0);
    s.slot1 = gpu::fma(p.beta2_mix, gpu::fma(g, g, -s.slot1), s.slot1);
    const float size = gpu::div(lr, bias1), correct = gpu::div(1.0f, root_bias2);
    s.w = gpu::fma(-size, gpu::div(s.slot0, gpu::fma(gpu::sqrt(s.slot1), correct, p.eps)), (1 - lr * decay) * s.w);
    return s;
  }
  const float d = gpu::fma(decay, s.w, g);
  if (p.rule == RULE_SGD) {
    s.slot0 = gpu::fma(p.momentum, s.slot0, d);
    s.w = gpu::fma(-lr, p.nesterov ? gpu::fma(p.momentum, s.slot0, d) : s.slot0, s.w);
    return s;
  }
  s.slot0 = gpu::fma(p.alpha_mix, gpu::fma(d, d, -s.slot0), s.slot0);
  if (p.rule == RULE_RMSPROP_TF) {
    s.slot1 = gpu::fma(p.momentum, s.slot1, gpu::div(lr * d, gpu::sqrt(s.slot0 + p.eps)));
    s.w -= s.slot1;
  } else {
    s.slot1 = gpu::fma(p.momentum, s.slot1, gpu::div(d, gpu::sqrt(s.slot0) + p.eps));
    s.w = gpu::fma(-lr, s.slot1, s.w);
  }
  return s;
}

GPU_FN Floats load_or_zero(const float* p, int64_t at, int count) {
  if (p) return gpu::load(p + at, count, gpu::wide(p, 4));
  return {};
}
GPU_FN void store_if(float* p, int64_t at, const Floats& v, int count) {
  if (p) gpu::store(p + at, v, count, gpu::wide(p, 4));
}

KERNEL(update, UpdateParams, threads) {
  if (p.run->skip_update || p.scalars->nonfinite) return;
  const Chunk chunk = p.chunks[blockIdx.x];
  const float lr = p.run->lr * chunk.lr_scale, clip = p.scalars->clip, mix = p.run->ema_mix;
  const float bias1 = p.run->bias1, root_bias2 = gpu::sqrt(p.run->bias2);
  for (int i = threadIdx.x * 4; i < chunk.count; i += threads * 4) {
    const int count = chunk.count - i < 4 ? chunk.count - i : 4;
    const int64_t at = chunk.offset + i;
    Floats w = gpu::load(p.value + at, count, gpu::wide(p.value, 4));
    if (chunk.trained) {
      const Floats g = gpu::load(p.gradient + at, count, gpu::wide(p.gradient, 4));
      Floats slot0 = load_or_zero(p.slot0, at, count), slot1 = load_or_zero(p.slot1, at, count);
      UNROLL for (int j = 0; j < 4; j++) {
        const State s = step(p, {w.v[j], slot0.v[j], slot1.v[j]}, clip * g.v[j], lr, chunk.decay, bias1, root_bias2);
        w.v[j] = s.w, slot0.v[j] = s.slot0, slot1.v[j] = s.slot1;
      }
      gpu::store(p.value + at, w, count, gpu::wide(p.value, 4));
      store_if(p.slot0, at, slot0, count);
      if (p.rule != RULE_SGD) store_if(p.slot1, at, slot1, count);
    }
    if (p.average) {
      Floats a = gpu::load(p.average + at, count, gpu::wide(p.average, 4));
      UNROLL for (int j = 0; j < 4; j++) a.v[j] = gpu::fma(mix, w.v[j] - a.v[j], a.v[j]);
      gpu::store(p.average + at, a, count, gpu::wide(p.average, 4));
    }
    if (p.bf16) gpu::store4((gpu::Bf16*)p.bf16 + at, w, count);
  }
}
