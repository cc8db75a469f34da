package gradflow

import (
	"context"
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// Balances returns the ways in which the weights of heads adapt during training, in addition to
// their schedule:
//
//   - none: they do not adapt
//   - uncertainty: every head's weight is divided by a variance that is learnt with the network
//     (Kendall, Gal and Cipolla 2018)
//   - pcgrad: if the gradients of two heads conflict, each loses its part along the other (Yu et
//     al. 2020); it costs a forward pass and a reverse sweep for each head and update
func Balances() []string { return []string{"none", "uncertainty", "pcgrad"} }

// mostUncertain bounds the logarithm of a variance, so that one bad loss does not switch a head
// off.
const mostUncertain = 5.0

// Uncertainty learns the weights of losses. With s = log σ² of each head, the total is Σ
// w·(exp(-s)·loss + s/2), as Kendall, Gal and Cipolla (2018) derive it for classification. It
// settles at exp(-s) = 1/(2·loss), where each head counts by the same amount.
type Uncertainty struct {
	LogVariance []float64 `json:"log_variance"` // by head; nil: all are zero
}

// Weights returns the base weights multiplied by exp(-s).
func (u *Uncertainty) Weights(base []float64) []float64 {
	out := make([]float64, len(base))
	for i, w := range base {
		out[i] = w
		if u.LogVariance != nil {
			out[i] *= math.Exp(-u.LogVariance[i])
		}
	}
	return out
}

// Learn makes a step of gradient descent on s, with the losses and the learning rate of an update.
func (u *Uncertainty) Learn(base, losses []float64, lr float64) {
	if u.LogVariance == nil {
		u.LogVariance = make([]float64, len(losses))
	}
	for i, l := range losses {
		s := &u.LogVariance[i]
		*s -= lr * base[i] * (0.5 - math.Exp(-*s)*l)
		*s = min(max(*s, -mostUncertain), mostUncertain)
	}
}

// PCGrad is gradient surgery (Yu et al. 2020, algorithm 1) on gradients of which only the inner
// products are known: gram[i][j] = g_i·g_j. Each gradient loses its component along any other that
// it conflicts with, in random order. The sum of the remaining gradients is Σ c_i·g_i, and PCGrad
// returns c. Without conflicts c is all ones.
func PCGrad(gram [][]float64, random *graph.Random) []float64 {
	n := len(gram)
	c := make([]float64, n)
	for i := range n {
		own := make([]float64, n) // what remains of g_i, as a combination of all gradients
		own[i] = 1
		for _, j := range permutation(n, random) {
			if j == i || gram[j][j] == 0 {
				continue
			}
			dot := 0.0
			for k, v := range own {
				dot += v * gram[k][j]
			}
			if dot < 0 {
				own[j] -= dot / gram[j][j]
			}
		}
		for k, v := range own {
			c[k] += v
		}
	}
	return c
}

// permutation draws a random order (Fisher and Yates).
func permutation(n int, random *graph.Random) []int {
	p := make([]int, n)
	for i := range p {
		j := int(uint64(random.Uint32()) * uint64(i+1) >> 32)
		p[i], p[j] = p[j], i
	}
	return p
}

// Conflicts finds the weights with which the fused training step has the effect of PCGrad. The
// projected gradients are combinations of the heads' own gradients, so their sum is the gradient of
// a weighted sum of losses. Inner products are taken over the parameters that at least two heads
// reach. The parameters of a single head get its gradient with the same factor.
type Conflicts struct{ sweeps }

// NewConflicts prepares the heads' sweeps over whole batches of a run. o has the options of the
// run's training plan.
func NewConflicts(b graph.Backend, s graph.State, o graph.Options) (*Conflicts, error) {
	c := &Conflicts{sweeps{state: s, images: o.Batch}}
	plans, err := c.plans(o, func(int) []graph.Probe { return nil })
	if err != nil {
		return nil, err
	}
	return c, c.load(b, plans)
}

// Weights returns the weights for a batch. The feed has the heads' own weights. seed determines the
// order of projections.
func (c *Conflicts) Weights(ctx context.Context, feed *graph.Feed, seed uint64) ([]float64, error) {
	n := len(c.programs)
	for i := range n {
		if _, err := c.run(ctx, i, feed); err != nil {
			return nil, err
		}
	}
	products, err := c.products()
	if err != nil {
		return nil, err
	}
	gram := make([][]float64, n)
	for i := range gram {
		gram[i] = make([]float64, n)
	}
	layout := c.state.Layout()
	for i := range n {
		for j := i; j < n; j++ {
			for k, p := range layout.Params {
				if c.reached[i][p] && c.reached[j][p] && c.shared(p) {
					gram[i][j] += products[i][j][k].Dot
				}
			}
			gram[j][i] = gram[i][j]
		}
	}
	factors := PCGrad(gram, graph.NewRandom(seed, fmt.Sprintf("pcgrad %d", feed.Step)))
	for i := range factors {
		factors[i] *= c.weight(i, feed)
	}
	return factors, nil
}

// shared reports whether more than one head reaches a parameter.
func (c *Conflicts) shared(p *graph.Param) bool {
	k := 0
	for _, r := range c.reached {
		if r[p] {
			k++
		}
	}
	return k > 1
}
