package train

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// rule describes an update rule: its settings, and their values if the user leaves them open.
type rule struct {
	rule                 graph.Rule
	lr, weightDecay      float64
	momentum, alpha, eps Number // auto: the rule does not have this setting
	beta1, beta2         Number
}

// rules are the update rules. The defaults of SGD are those of PyTorch's recipes for small images.
// RMSProp and AdamW have PyTorch's defaults with learning rates that suit classifiers. RMSPropTF is
// set as TF-slim trained Inception v3 (Szegedy et al. 2016, section 8).
var rules = []rule{
	{rule: graph.SGD, lr: 0.05, weightDecay: 5e-4, momentum: Num(0.9)},
	{rule: graph.RMSProp, lr: 1e-3, weightDecay: 4e-5, momentum: Num(0), alpha: Num(0.99), eps: Num(1e-8)},
	{rule: graph.RMSPropTF, lr: 0.01, weightDecay: 4e-5, momentum: Num(0.9), alpha: Num(0.9), eps: Num(1)},
	{rule: graph.AdamW, lr: 1e-3, weightDecay: 1e-2, eps: Num(1e-8), beta1: Num(0.9), beta2: Num(0.999)},
}

func ruleNames() []string {
	var names []string
	for _, r := range rules {
		names = append(names, string(r.rule))
	}
	return names
}

// Resolve fills in the open settings that depend on the optimizer's rule, so that the written
// configuration is complete. Settings that the rule does not have stay auto.
func (c *Config) Resolve() {
	for _, r := range rules {
		if string(r.rule) != c.Optimizer {
			continue
		}
		for _, s := range r.settings(c) {
			if !s.def.IsAuto() {
				*s.value = Num(s.value.Or(s.def.value))
			}
		}
	}
}

// ruleSetting is a setting with its default under a rule; auto if the rule does not have the
// setting.
type ruleSetting struct {
	key   string
	value *Number
	def   Number
}

// settings returns the settings that depend on the rule.
func (r rule) settings(c *Config) []ruleSetting {
	return []ruleSetting{
		{"lr", &c.LR, Num(r.lr)}, {"weight-decay", &c.WeightDecay, Num(r.weightDecay)},
		{"momentum", &c.Momentum, r.momentum}, {"alpha", &c.Alpha, r.alpha}, {"eps", &c.Eps, r.eps},
		{"beta1", &c.Beta1, r.beta1}, {"beta2", &c.Beta2, r.beta2},
	}
}

// Update returns the update step that the configuration describes. It returns an error for a
// setting that the rule does not use, so that no flag is without effect.
func (c *Config) Update() (graph.Optimizer, error) {
	for _, r := range rules {
		if string(r.rule) != c.Optimizer {
			continue
		}
		for _, s := range r.settings(c) {
			if s.def.IsAuto() && !s.value.IsAuto() {
				return graph.Optimizer{}, fmt.Errorf("%s: %s has none: leave it out, or choose an optimizer that has (%s)", s.key, r.rule, strings.Join(rulesWith(s.key), ", "))
			}
		}
		full := *c
		full.Resolve()
		o := graph.Optimizer{
			Rule:        r.rule,
			Momentum:    full.Momentum.Or(0),
			Nesterov:    c.Nesterov,
			Alpha:       full.Alpha.Or(0),
			Beta1:       full.Beta1.Or(0),
			Beta2:       full.Beta2.Or(0),
			Eps:         full.Eps.Or(0),
			WeightDecay: full.WeightDecay.Or(0),
			DecayAll:    c.DecayAll,
			ClipNorm:    c.ClipNorm,
			EMA:         c.EMA > 0,
		}
		return o, o.Check()
	}
	return graph.Optimizer{}, &ValueError{"optimizer", c.Optimizer, "it is one of " + joinOr(ruleNames()), graph.Nearest(c.Optimizer, ruleNames(), 1)}
}

// rulesWith returns the rules that have a setting.
func rulesWith(key string) []string {
	var names []string
	for _, r := range rules {
		for _, s := range r.settings(&Config{}) {
			if s.key == key && !s.def.IsAuto() {
				names = append(names, string(r.rule))
			}
		}
	}
	return names
}

// autoHelp returns help that lists each rule's default for a setting.
func autoHelp(key string) string {
	var all []string
	for _, r := range rules {
		for _, s := range r.settings(&Config{}) {
			if s.key == key && !s.def.IsAuto() {
				all = append(all, fmt.Sprintf("%s %s", r.rule, s.def))
			}
		}
	}
	return "; auto: " + strings.Join(all, ", ")
}

// emaDecay returns the decay of the moving average at an update, counted from 0: min(decay,
// (1+t)/(10+t)). The first values are noise, and this decay forgets them quickly (TensorFlow's
// ExponentialMovingAverage with num_updates).
func emaDecay(decay float64, step int) float64 {
	t := float64(step)
	return min(decay, (1+t)/(10+t))
}
