//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// softmaxCrossEntropy makes one launch for all heads.
func (b *binder) softmaxCrossEntropy(s *graph.SoftmaxCrossEntropy) error {
	rows := s.Labels.Rows()
	p := kernels.SoftmaxCrossEntropyParams{
		Labels: b.vector(s.Labels), RowLoss: b.work.take(4 * int64(rows*len(s.Heads))), RowRank: b.work.take(4 * int64(rows*len(s.Heads))),
		Counter: b.counters.take(4), Run: b.run, Metrics: b.metrics, Count: int32(len(s.Heads)), Rows: int32(rows), Ignore: graph.IgnoreLabel}
	for i, h := range s.Heads {
		p.Heads[i] = kernels.LossHead{Logits: b.view(h.Logits), Dlogits: b.view(h.DLogits), Teacher: b.view(h.Teacher),
			Distill: float32(h.Distill), Temperature: float32(h.Temperature), Classes: int32(h.Logits.Shape.C),
			Smoothing: float32(h.Smoothing), Index: int32(h.Index)}
	}
	return b.launchOver("softmax_cross_entropy", driver.Dim{X: rows, Y: len(s.Heads), Z: 1}, p)
}
