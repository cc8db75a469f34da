package backendtest

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// optimizers runs three steps of every rule and compares parameters, slots and averages with the
// formulas in float64, on the backend's own gradients.
func (s *suite) optimizers(t *testing.T) {
	const lr, ema = 0.05, 0.9
	for name, o := range map[string]graph.Optimizer{
		"sgd":        {Rule: graph.SGD, Momentum: 0.9, WeightDecay: 0.01, EMA: true},
		"nesterov":   {Rule: graph.SGD, Momentum: 0.8, Nesterov: true, WeightDecay: 0.02, DecayAll: true},
		"rmsprop":    {Rule: graph.RMSProp, Momentum: 0.9, Alpha: 0.9, Eps: 0.1, WeightDecay: 0.01, EMA: true},
		"rmsprop_tf": {Rule: graph.RMSPropTF, Momentum: 0.9, Alpha: 0.9, Eps: 1, WeightDecay: 0.01},
		"adamw":      {Rule: graph.AdamW, Beta1: 0.9, Beta2: 0.99, Eps: 1e-3, WeightDecay: 0.1, EMA: true},
		"clipped":    {Rule: graph.SGD, Momentum: 0.9, ClipNorm: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(s.seed, uint64(graph.NodeKey(name))))
			g := network(5)
			bias, err := g.Param("fc/bias/bias")
			require.NoError(t, err)
			bias.LRScale = 2
			f := s.fixture(t, g, 3, rng)
			model := map[*graph.Param]*modelParam{}
			for _, p := range f.layout.Params {
				m := &modelParam{w: f.get(graph.Value, p)}
				m.ema = append([]float64(nil), m.w...)
				f.set(graph.Average, p, narrow(m.w))
				if f.layout.IsTrained(p) {
					for i := range m.slot {
						m.slot[i] = make([]float64, len(m.w))
						for k := range m.slot[i] {
							m.slot[i][k] = o.SlotInit(i)
						}
					}
					f.set(graph.Slot0, p, narrow(m.slot[0]))
					f.set(graph.Slot1, p, narrow(m.slot[1]))
				}
				model[p] = m
			}
			opts := f.options()
			opts.Optimizer = &o
			plan, err := graph.Compile(f.g, f.layout, opts)
			require.NoError(t, err)
			pr, err := s.b.Load(plan, f.state)
			require.NoError(t, err)
			defer pr.Close()
			for step := range 3 {
				feed := f.feed()
				feed.Step, feed.LR, feed.EMADecay = uint64(step), lr, ema
				require.NoError(t, pr.Run(context.Background(), feed))
				m, err := pr.Metrics()
				require.NoError(t, err)
				norm := 0.0
				for _, v := range f.gradients() {
					for _, x := range v {
						norm += x * x
					}
				}
				norm = math.Sqrt(norm)
				require.InEpsilon(t, norm, m.GradNorm, 1e-5)
				clip := 1.0
				if o.ClipNorm > 0 && norm > o.ClipNorm {
					clip = o.ClipNorm / norm
				}
				for p, m := range model {
					if f.layout.IsTrained(p) {
						m.update(o, f.get(graph.Gradient, p), clip, lr*p.LRScale, o.Decay(p), float64(step+1))
					} else {
						m.w = f.get(graph.Value, p)
					}
					for i := range m.ema {
						m.ema[i] = ema*m.ema[i] + (1-ema)*m.w[i]
					}
				}
			}
			for p, m := range model {
				require.LessOrEqual(t, relativeError(f.get(graph.Value, p), m.w), 1e-5, p.Name)
				if o.EMA {
					require.LessOrEqual(t, relativeError(f.get(graph.Average, p), m.ema), 1e-5, "average of %s", p.Name)
				}
				if f.layout.IsTrained(p) {
					require.LessOrEqual(t, relativeError(f.get(graph.Slot0, p), m.slot[0]), 1e-4, "slot 0 of %s", p.Name)
				}
			}

			parts := func() map[graph.Part]map[string][]float64 {
				out := map[graph.Part]map[string][]float64{}
				for _, part := range []graph.Part{graph.Value, graph.Average, graph.Slot0} {
					out[part] = map[string][]float64{}
					for _, p := range f.layout.Params {
						if f.layout.IsTrained(p) {
							out[part][p.Name] = f.get(part, p)
						}
					}
				}
				return out
			}
			before := parts()
			feed := f.feed()
			feed.Images, feed.LR, feed.EMADecay = append([]float32{float32(math.NaN())}, feed.Images[1:]...), lr, ema
			require.NoError(t, pr.Run(context.Background(), feed))
			m, err := pr.Metrics()
			require.NoError(t, err)
			require.False(t, m.GradNorm < math.Inf(1), "the norm is not finite")
			require.Equal(t, before, parts(), "a gradient that is not finite updates nothing")
		})
	}
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

type modelParam struct {
	w, ema []float64
	slot   [2][]float64
}

// update applies the rule as the comments of graph.Rule define it.
func (m *modelParam) update(o graph.Optimizer, grad []float64, clip, lr, decay, t float64) {
	for i := range m.w {
		g, s0, s1 := clip*grad[i], &m.slot[0][i], &m.slot[1][i]
		if o.Rule != graph.AdamW {
			g += decay * m.w[i]
		}
		switch o.Rule {
		case graph.SGD:
			*s0 = o.Momentum**s0 + g
			if o.Nesterov {
				m.w[i] -= lr * (g + o.Momentum**s0)
			} else {
				m.w[i] -= lr * *s0
			}
		case graph.RMSProp:
			*s0 = o.Alpha**s0 + (1-o.Alpha)*g*g
			*s1 = o.Momentum**s1 + g/(math.Sqrt(*s0)+o.Eps)
			m.w[i] -= lr * *s1
		case graph.RMSPropTF:
			*s0 = o.Alpha**s0 + (1-o.Alpha)*g*g
			*s1 = o.Momentum**s1 + lr*g/math.Sqrt(*s0+o.Eps)
			m.w[i] -= *s1
		case graph.AdamW:
			m.w[i] -= lr * decay * m.w[i]
			*s0 = o.Beta1**s0 + (1-o.Beta1)*g
			*s1 = o.Beta2**s1 + (1-o.Beta2)*g*g
			m.w[i] -= lr * (*s0 / (1 - math.Pow(o.Beta1, t))) / (math.Sqrt(*s1/(1-math.Pow(o.Beta2, t))) + o.Eps)
		}
	}
}
