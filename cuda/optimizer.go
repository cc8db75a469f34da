//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

var rules = map[graph.Rule]int32{
	graph.SGD:       kernels.RuleSGD,
	graph.RMSProp:   kernels.RuleRMSProp,
	graph.RMSPropTF: kernels.RuleRMSPropTF,
	graph.AdamW:     kernels.RuleAdamW,
}

// update makes two launches: one computes the norm of the gradient, one updates all parameters.
func (b *binder) update(s *graph.UpdateStep) error {
	parts := b.state.parts
	var all []kernels.Chunk
	cut := func(list []*graph.Param, trained bool) {
		for _, p := range list {
			all = kernels.CutChunks(all, b.state.layout.Offset(p), p.Elements(), float32(p.LRScale), float32(s.Decay(p)), trained)
		}
	}
	cut(s.Params, true)
	trained := len(all) // the chunks with a gradient come first
	cut(s.Copies, false)
	if len(all) == 0 {
		return nil
	}
	table := b.table(memoryOf(all))
	scalars := b.work.take(8)
	if trained == 0 {
		scalars = b.table(make([]byte, 8)) // no launch computes a norm
	}
	norm := 0 // bytes
	if trained > 0 {
		err := b.launch("gradient_norm", driver.Dim{X: trained, Y: 1, Z: 1}, kernels.GradientNormParams{
			Gradient: parts[graph.Gradient].Address, Chunks: table, Partial: b.work.take(8 * int64(trained)), Counter: b.counters.take(4),
			Run: b.run, Metrics: b.metrics, Scalars: scalars, MaxNorm: s.ClipNorm})
		if err != nil {
			return err
		}
		for _, q := range s.Params {
			norm += 4 * q.Elements()
		}
		b.moves(norm)
	}
	p := kernels.UpdateParams{
		Value: parts[graph.Value].Address, Gradient: parts[graph.Gradient].Address, Slot0: parts[graph.Slot0].Address,
		Chunks: table, Run: b.run, Scalars: scalars, Rule: rules[s.Rule], Nesterov: flag(s.Nesterov), Momentum: float32(s.Momentum),
		AlphaMix: float32(1 - s.Alpha), Beta1Mix: float32(1 - s.Beta1), Beta2Mix: float32(1 - s.Beta2), Eps: float32(s.Eps)}
	if s.Slots() > 1 {
		p.Slot1 = parts[graph.Slot1].Address
	}
	p.BF16 = b.state.operands[graph.Value].bf16.Address
	if s.EMA {
		p.Average = parts[graph.Average].Address
	}
	if err := b.launch("update", driver.Dim{X: len(all), Y: 1, Z: 1}, p); err != nil {
		return err
	}
	b.moves(int(graph.StepBytes(s)) - norm)
	return nil
}
