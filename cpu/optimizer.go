package cpu

import (
	"math"

	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// piece is a range of one parameter that one task updates.
type piece struct {
	param  *graph.Param
	lo, hi int
}

func pieces(params []*graph.Param) []piece {
	var out []piece
	for _, p := range params {
		n := p.Elements()
		for lo := 0; lo < n; lo += pieceElements {
			out = append(out, piece{p, lo, min(n, lo+pieceElements)})
		}
	}
	return out
}

// update runs the optimizer on all parameters: first the global norm of the gradient, then one pass
// over every parameter with its gradient, slots and average.
func (b *binder[T]) update(s *graph.UpdateStep) func(*run) {
	work := pieces(s.Params)
	partial := make([]float64, len(work))
	st := b.state
	arena := func(a []T, w piece) []T {
		if a == nil {
			return nil
		}
		return a[st.layout.Offset(w.param)+w.lo:][: w.hi-w.lo : w.hi-w.lo]
	}
	slot := func(i int, w piece) []T { return arena(st.slots[i], w) }
	var average []T
	if s.EMA {
		average = st.average
	}
	return func(r *run) {
		if r.feed.SkipUpdate {
			return
		}
		b.pool.Run(len(work), func(i, _ int) { partial[i] = vec.SumSquares(arena(st.gradients, work[i])) })
		norm := 0.0
		for _, v := range partial {
			norm += v
		}
		norm = math.Sqrt(norm)
		r.metrics.GradNorm = norm
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			return
		}
		clip := 1.0
		if s.ClipNorm > 0 && norm > s.ClipNorm {
			clip = s.ClipNorm / (norm + 1e-6) // as torch.nn.utils.clip_grad_norm_
		}
		f := r.feed
		t := float64(f.Step + 1)
		b.pool.Run(len(work), func(i, _ int) {
			w := work[i]
			lr, decay := f.LR*w.param.LRScale, s.Decay(w.param)
			v, g, ema := arena(st.values, w), arena(st.gradients, w), arena(average, w)
			switch s.Rule {
			case graph.SGD:
				vec.SGDStep(vec.SGD{LR: lr, Momentum: s.Momentum, WeightDecay: decay, Nesterov: s.Nesterov, GradScale: clip, EMADecay: f.EMADecay},
					v, g, slot(0, w), ema)
			case graph.RMSProp, graph.RMSPropTF:
				vec.RMSPropStep(vec.RMSProp{LR: lr, Decay: s.Alpha, Momentum: s.Momentum, Eps: s.Eps, WeightDecay: decay,
					TensorFlow: s.Rule == graph.RMSPropTF, GradScale: clip, EMADecay: f.EMADecay}, v, g, slot(0, w), slot(1, w), ema)
			case graph.AdamW:
				vec.AdamWStep(vec.AdamW{LR: lr, Beta1: s.Beta1, Beta2: s.Beta2, Eps: s.Eps, WeightDecay: decay,
					Bias1: 1 - math.Pow(s.Beta1, t), Bias2: 1 - math.Pow(s.Beta2, t), GradScale: clip, EMADecay: f.EMADecay},
					v, g, slot(0, w), slot(1, w), ema)
			}
		})
		for _, p := range s.Copies {
			w := piece{p, 0, p.Elements()}
			v, ema := arena(st.values, w), arena(average, w)
			for i := range ema {
				ema[i] += T(1-f.EMADecay) * (v[i] - ema[i])
			}
		}
	}
}
