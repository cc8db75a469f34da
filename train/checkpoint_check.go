package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// A file with a correct checksum may still have been written by another program, with arbitrary
// content. These checks find content that would otherwise cause a panic or meaningless numbers.

// checkNormalization verifies a normalisation for images with the given number of channels; 0
// accepts any number.
func checkNormalization(z *graph.Normalization, channels int) error {
	n := len(z.Mean)
	if n != 1 && n != 3 || len(z.Std) != n {
		return fmt.Errorf("it has %d means and %d standard deviations: images have 1 or 3 channels, with one of each", n, len(z.Std))
	}
	if channels != 0 && channels != n {
		return fmt.Errorf("it has means of %d channels, and is of images of %d", n, channels)
	}
	return nil
}

// check verifies what a network must know about its data.
func (d *DataInfo) check() error {
	if n := len(d.Classes); n < 2 {
		return fmt.Errorf("it has %d classes: at least 2 are told apart", n)
	}
	seen := map[string]bool{}
	for _, name := range d.Classes {
		if seen[name] {
			return fmt.Errorf("two of its classes are called %.40q", name)
		}
		seen[name] = true
	}
	if d.Train.Images < 0 || d.Test.Images < 0 {
		return fmt.Errorf("it has %d training and %d test images", d.Train.Images, d.Test.Images)
	}
	return nil
}

// check verifies what can be verified of a position without the network.
func (p *Progress) check(c *Config) error {
	const most = 1 << 40
	switch {
	case p.Step < 0 || p.Step > most || p.Epoch < 0 || p.Batch < 0 || p.Batch > most || p.Epoch > c.Epochs:
		return fmt.Errorf("epoch %d of %d, batch %d, step %d", p.Epoch, c.Epochs, p.Batch, p.Step)
	case p.BestEpoch < 0 || p.BestEpoch > p.Epoch || p.Best < 0 || p.Best > 1:
		return fmt.Errorf("an accuracy of %v, the best, after epoch %d of %d", p.Best, p.BestEpoch, p.Epoch)
	case p.Seconds < 0:
		return fmt.Errorf("it took %v seconds", p.Seconds)
	}
	if u := p.Uncertainty; (u != nil) != (c.HeadBalance == "uncertainty") {
		return fmt.Errorf("head-balance is %s, but what that has learnt does not go with it", c.HeadBalance)
	}
	return nil
}

// checkHeads verifies that the position's measurements of heads belong to the heads of a network.
func (p *Progress) checkHeads(g *graph.Graph) error {
	var names []string
	for _, l := range g.Losses() {
		names = append(names, l.Name)
	}
	for _, t := range []Tally{p.Training, p.Interval} {
		if err := t.check(names); err != nil {
			return err
		}
	}
	if u := p.Uncertainty; u != nil && u.LogVariance != nil && len(u.LogVariance) != len(names) {
		return fmt.Errorf("it has learnt %d variances for %d heads", len(u.LogVariance), len(names))
	}
	return nil
}

func (t *Tally) check(names []string) error {
	if t.Rows == 0 && t.Heads == nil {
		return nil
	}
	if t.Rows < 0 {
		return fmt.Errorf("it has measured %d images", t.Rows)
	}
	var have []string
	for _, h := range t.Heads {
		have = append(have, h.Name)
	}
	if !slices.Equal(have, names) {
		return fmt.Errorf("it has measured the heads %.80q, the network has %q", have, names)
	}
	return nil
}

// fits returns a *MismatchError if the checkpoint lacks the tensor of a key, has it in other
// dimensions, or has tensors of parameters that are not in params.
func (c *Checkpoint) fits(keys []stateKey, params []*graph.Param) error {
	var diff []string
	for _, k := range keys {
		switch e, ok := c.tensors[k.name()]; {
		case !ok:
			diff = append(diff, fmt.Sprintf("%s: missing in the checkpoint", k.name()))
		case !slices.Equal(e.Shape, k.param.Dims):
			diff = append(diff, fmt.Sprintf("%s: dimensions %v in the checkpoint, %v in the network", k.name(), e.Shape, k.param.Dims))
		}
	}
	known := map[string]bool{}
	for _, p := range params {
		known[p.Name] = true
	}
	for _, name := range c.Names() {
		if !known[name] {
			diff = append(diff, fmt.Sprintf("%s: not in the network", name))
		}
	}
	if len(diff) > 0 {
		return &MismatchError{c.Path, diff}
	}
	return nil
}

// Check returns a *CheckpointError if the checkpoint's parameters do not belong to g, the network
// that its configuration describes. It allocates nothing as large as the network.
func (c *Checkpoint) Check(g *graph.Graph) error {
	fail := func(err error) error { return &CheckpointError{c.Path, err, "it was not written as it is: " + damaged} }
	if c.Network != g.Name() {
		return fail(fmt.Errorf("it is of the network %.60q, its configuration of %s", c.Network, g.Name()))
	}
	losses := g.Losses()
	if len(losses) == 0 {
		return fail(errors.New("its network has no classifier"))
	}
	if n := losses[0].Logits.Shape().C; n != len(c.Data.Classes) {
		return fail(fmt.Errorf("its network tells %d classes apart, its data have %d", n, len(c.Data.Classes)))
	}
	parts := []graph.Part{graph.Value}
	if c.Has(graph.Average) {
		parts = append(parts, graph.Average)
	}
	var keys []stateKey
	for _, part := range parts {
		for _, p := range g.Params() {
			keys = append(keys, stateKey{part, p})
		}
	}
	var mismatch *MismatchError
	if err := c.fits(keys, g.Params()); errors.As(err, &mismatch) {
		return fail(fmt.Errorf("its tensors are not those of the network in its configuration: %s", mismatch.Differences[0]))
	}
	if err := c.Progress.checkHeads(g); err != nil {
		return fail(err)
	}
	return nil
}
