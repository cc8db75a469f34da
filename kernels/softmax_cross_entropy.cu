// softmax_cross_entropy.cu: loss, gradient and hits of every head in one launch.
//
// For each head with K classes, logits l, and label k of a row, target t[c] = (1-ε)·[c=k] + ε/K:
//
//   loss = log Σ exp(l[c]) - Σ t[c]·l[c], averaged over the rows whose label is not `ignore`
//   dlogits[c] = weight·grad_scale/rows · (softmax(l)[c] - t[c]), 0 in ignored rows
//   with a teacher's logits u, a share λ and a temperature T (self-distillation: Hinton et al. 2015, Zhang et al. 2019), and
//   q = softmax(u/T), p = softmax(l/T), instead:
//     loss = (1-λ)·(the above) + λ·T²·Σ q·log(q/p),  dlogits = weight·grad_scale/rows · ((1-λ)·(the above) + λ·T·(p - q))
//   the teacher counts as a constant and gets no gradient
//   hits: the label's rank is the number of classes with a greater logit, or with an equal one and a lower number; it is a
//   hit among the first 1 or 5 if it is below 1 or 5. NaN comes before everything and is never a hit.
//
// The heads' weights and grad_scale are read from device memory, so that a schedule changes them
// without a new graph.
//
// Shapes: logits and dlogits (rows, classes) of each head, strides of their own; labels (rows).
// dlogits may be logits. Cost: reads logits and writes dlogits once, one exp2 per element. A row of
// up to 16 KiB, 4096 floats, stays in registers between its passes. The rest of a longer row, and a
// teacher's row, are read again from the cache in each of three passes. Every block counts the
// labels, which are few. The last block of all adds up rows and heads in a fixed order.
//
// Launch: 256 threads, grid (rows, heads). Barriers: only those of block_reduce and last_block.
#include "gpu/reduce.h"
#include "params.h"

constexpr int threads = 256, held = 4;  // packs of a row that a thread keeps in registers

struct Max {
  GPU_FN float operator()(float a, float b) const { return gpu::max(a, b); }
};

struct ByWarp {
  float f[threads / 32];
  int n[threads / 32];
  double d[threads / 32];
};

// sum_up ends the launch: one block turns the rows' results into the metrics of the step.
GPU_FN void sum_up(const SoftmaxCrossEntropyParams& p, int counted, ByWarp& by_warp) {
  StepMetrics* out = p.metrics;
  for (int h = 0; h < p.count; h++) {
    double loss = 0;
    int correct1 = 0, correct5 = 0;
    for (int row = threadIdx.x; row < p.rows; row += threads) {
      const int rank = p.row_rank[h * p.rows + row];
      if (rank < 0) continue;
      loss += (double)p.row_loss[h * p.rows + row];
      correct1 += rank < 1;
      correct5 += rank < 5;
    }
    loss = gpu::block_reduce<threads>(loss, by_warp.d, gpu::Sum<double>());
    correct1 = gpu::block_reduce<threads>(correct1, by_warp.n, gpu::Sum<int>());
    correct5 = gpu::block_reduce<threads>(correct5, by_warp.n, gpu::Sum<int>());
    if (threadIdx.x == 0) out->heads[p.heads[h].index] = {gpu::div(loss, (double)(counted > 0 ? counted : 1)), correct1, correct5};
  }
  if (threadIdx.x == 0) out->rows = counted;
}

template <class T> GPU_FN void softmax_cross_entropy(const SoftmaxCrossEntropyParams& p) {
  constexpr int N = gpu::Pack<T>::N;
  SHARED(ByWarp, by_warp, [1]);
  const LossHead& head = p.heads[blockIdx.y];
  const int row = blockIdx.x, classes = head.classes, label = p.labels[row], t = threadIdx.x;
  const T* l = (const T*)head.logits.data + (size_t)row * head.logits.stride;
  T* d = head.dlogits.data ? (T*)head.dlogits.data + (size_t)row * head.dlogits.stride : nullptr;
  const bool wl = gpu::wide((const T*)head.logits.data, head.logits.stride), wd = gpu::wide((T*)head.dlogits.data, head.dlogits.stride);
  const bool counts = label != p.ignore && label >= 0 && label < classes;
  const int packs = (classes + N - 1) / N;
  const float log2e = 1.4426950408889634f, ln2 = 0.6931471805599453f;

  // First pass: the maximum, the label's rank, and the number of rows that count.
  const float own = counts ? gpu::to_float(l[label]) : 0;
  float top = -3.4e38f;
  int rank = 0, counted = 0;
  gpu::Pack<T> keep[held];
  UNROLL for (int k = 0; k < held; k++)
    UNROLL for (int i = 0; i < N; i++) keep[k].v[i] = 0;
  const auto count_of = [&](int pack) { return classes - pack * N < N ? classes - pack * N : N; };
  const auto first_pass = [&](const gpu::Pack<T>& v, int pack) {
    UNROLL for (int i = 0; i < N; i++) {
      const int c = pack * N + i;
      if (c >= classes) continue;
      top = gpu::max(top, v.v[i]);
      rank += v.v[i] > own || (v.v[i] == own && c < label) || v.v[i] != v.v[i];
    }
  };
  if (counts) {
    UNROLL for (int k = 0; k < held; k++) {
      const int pack = t + k * threads;
      if (pack >= packs) continue;
      keep[k] = gpu::load(l + pack * N, count_of(pack), wl);
      GPU_INLINE_CALL first_pass(keep[k], pack);
    }
    for (int pack = t + held * threads; pack < packs; pack += threads)
      GPU_INLINE_CALL first_pass(gpu::load(l + pack * N, count_of(pack), wl), pack);
  }
  for (int i = t; i < p.rows; i += threads) counted += p.labels[i] != p.ignore;
  counted = gpu::block_reduce<threads>(counted, by_warp[0].n, gpu::Sum<int>());
  top = gpu::block_reduce<threads>(top, by_warp[0].f, Max());
  rank = gpu::block_reduce<threads>(rank, by_warp[0].n, gpu::Sum<int>());

  // Second pass: Σ exp(l - top), and Σ (l - top) for label smoothing.
  float sum = 0, plain = 0;
  const auto second_pass = [&](const gpu::Pack<T>& v, int pack) {
    UNROLL for (int i = 0; i < N; i++) {
      if (pack * N + i >= classes) continue;
      const float z = v.v[i] - top;
      sum += gpu::exp2(z * log2e);
      plain += z;
    }
  };
  if (counts) {
    UNROLL for (int k = 0; k < held; k++)
      if (t + k * threads < packs) GPU_INLINE_CALL second_pass(keep[k], t + k * threads);
    for (int pack = t + held * threads; pack < packs; pack += threads)
      GPU_INLINE_CALL second_pass(gpu::load(l + pack * N, count_of(pack), wl), pack);
  }
  sum = gpu::block_reduce<threads>(sum, by_warp[0].f, gpu::Sum<float>());
  plain = gpu::block_reduce<threads>(plain, by_warp[0].f, gpu::Sum<float>());

  // The teacher's part: its maximum, then the sums at the temperature, and the divergence.
  const T* u = head.teacher.data ? (const T*)head.teacher.data + (size_t)row * head.teacher.stride : nullptr;
  const bool wu = gpu::wide((const T*)head.teacher.data, head.teacher.stride);
  const float share = u ? head.distill : 0, heat = u ? gpu::div(log2e, head.temperature) : 0;
  float teacher_top = -3.4e38f, teacher_sum = 0, warm_sum = 0, apart = 0;
  if (u) {
    if (counts)
      for (int pack = t; pack < packs; pack += threads) {
        const gpu::Pack<T> v = gpu::load(u + pack * N, count_of(pack), wu);
        UNROLL for (int i = 0; i < N; i++)
          if (pack * N + i < classes) teacher_top = gpu::max(teacher_top, v.v[i]);
      }
    teacher_top = gpu::block_reduce<threads>(teacher_top, by_warp[0].f, Max());
    const auto divergence = [&](const gpu::Pack<T>& v, int pack) {
      const gpu::Pack<T> w = gpu::load(u + pack * N, count_of(pack), wu);
      UNROLL for (int i = 0; i < N; i++) {
        if (pack * N + i >= classes) continue;
        const float z = v.v[i] - top, y = w.v[i] - teacher_top, q = gpu::exp2(y * heat);
        warm_sum += gpu::exp2(z * heat);
        teacher_sum += q;
        apart = gpu::fma(q, y - z, apart);
      }
    };
    if (counts) {
      UNROLL for (int k = 0; k < held; k++)
        if (t + k * threads < packs) GPU_INLINE_CALL divergence(keep[k], t + k * threads);
      for (int pack = t + held * threads; pack < packs; pack += threads)
        GPU_INLINE_CALL divergence(gpu::load(l + pack * N, count_of(pack), wl), pack);
    }
    warm_sum = gpu::block_reduce<threads>(warm_sum, by_warp[0].f, gpu::Sum<float>());
    teacher_sum = gpu::block_reduce<threads>(teacher_sum, by_warp[0].f, gpu::Sum<float>());
    apart = gpu::block_reduce<threads>(apart, by_warp[0].f, gpu::Sum<float>());
  }

  // Third pass: the gradient.
  const float on = 1 - head.smoothing, off = gpu::div(head.smoothing, (float)classes);
  if (d) {
    const float scale = counts ? gpu::div(p.run->head_weight[head.index] * p.run->grad_scale, (float)counted) : 0;
    const float inverse = counts ? gpu::div(1.0f, sum) : 0;
    const float warm = u && counts ? gpu::div(share * head.temperature, warm_sum) : 0, taught = u && counts ? gpu::div(share * head.temperature, teacher_sum) : 0;
    const auto third_pass = [&](gpu::Pack<T> v, int pack) {
      gpu::Pack<T> w{};
      if (u && counts) w = gpu::load(u + pack * N, count_of(pack), wu);
      UNROLL for (int i = 0; i < N; i++) {
        const float target = off + (pack * N + i == label ? on : 0), z = v.v[i] - top;
        float g = gpu::exp2(z * log2e) * inverse - target;
        if (u) g = (1 - share) * g + warm * gpu::exp2(z * heat) - taught * gpu::exp2((w.v[i] - teacher_top) * heat);
        v.v[i] = counts ? scale * g : 0;
      }
      gpu::store(d + pack * N, v, count_of(pack), wd);
    };
    UNROLL for (int k = 0; k < held; k++)
      if (t + k * threads < packs) GPU_INLINE_CALL third_pass(keep[k], t + k * threads);
    for (int pack = t + held * threads; pack < packs; pack += threads)
      GPU_INLINE_CALL third_pass(gpu::load(l + pack * N, count_of(pack), wl), pack);
  }
  if (t == 0) {
    const int at = blockIdx.y * p.rows + row;
    float loss = gpu::fma(gpu::log2(sum), ln2, -on * (own - top) - off * plain);
    if (u) {
      const float kl = gpu::fma(gpu::log2(warm_sum) - gpu::log2(teacher_sum), ln2, gpu::div(apart, teacher_sum * head.temperature));
      loss = (1 - share) * loss + share * head.temperature * head.temperature * kl;
    }
    p.row_loss[at] = counts ? loss : 0;
    p.row_rank[at] = !counts ? -1 : own != own ? classes : rank;
  }
  if (gpu::last_block(p.counter, gridDim.x * gridDim.y)) sum_up(p, counted, by_warp[0]);
}

KERNEL(softmax_cross_entropy_f32, SoftmaxCrossEntropyParams, 256) { softmax_cross_entropy<float>(p); }
KERNEL(softmax_cross_entropy_bf16, SoftmaxCrossEntropyParams, 256) { softmax_cross_entropy<gpu::Bf16>(p); }
