package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) softmaxCrossEntropy(s *graph.SoftmaxCrossEntropy) func(*run) {
	type head struct {
		graph.LossHead
		logits, dlogits, teacher vec.Mat[T]
	}
	var heads []head
	for _, h := range s.Heads {
		x := head{LossHead: h, logits: b.mat(h.Logits)}
		if h.DLogits.Valid() {
			x.dlogits = b.mat(h.DLogits)
		}
		if h.Teacher.Valid() {
			x.teacher = b.mat(h.Teacher)
		}
		heads = append(heads, x)
	}
	return func(r *run) {
		rows := 0
		for _, l := range r.feed.Labels {
			if l != graph.IgnoreLabel {
				rows++
			}
		}
		r.metrics.Rows = rows
		scale := 1.0
		if r.feed.GradScale != 0 {
			scale = r.feed.GradScale
		}
		n := float64(max(rows, 1))
		b.pool.Run(len(heads), func(i, _ int) {
			h := heads[i]
			w := r.feed.Weight(b.plan, h.Index)
			st := vec.SoftmaxCrossEntropy(vec.CrossEntropy{Ignore: graph.IgnoreLabel, Smoothing: h.Smoothing, GradScale: scale * w / n,
				Distill: h.Distill, Temperature: h.Temperature}, h.dlogits, h.logits, h.teacher, r.feed.Labels)
			r.metrics.Heads[h.Index] = graph.HeadMetrics{Name: h.Name, Weight: w, Loss: st.Loss / n, Correct1: st.Correct1, Correct5: st.Correct5}
		})
		r.metrics.Total = 0
		for _, h := range r.metrics.Heads {
			if h.Name != "" {
				r.metrics.Total += h.Weight * h.Loss
			}
		}
	}
}
