package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
)

// setBatch makes a batch the input of a run.
func setBatch(f *graph.Feed, b *dataset.Batch) {
	f.Pixels, f.Regions, f.Recipes, f.Labels = b.Pixels, b.Regions, b.Recipes, b.Labels
}

// step makes one update from Config.Accumulate batches and counts it. The gradient is the mean over
// the batches. It equals the gradient of one batch with all their images, except that batch
// normalisation and dropout see each batch by itself.
func (t *Trainer) step(ctx context.Context, next func() (*dataset.Batch, error, bool)) (Stepped, error) {
	k := t.Config.Accumulate
	f := graph.Feed{
		Step:        uint64(t.progress.Step),
		HeadWeights: t.heads.Weights(t.train.Plan().Losses, nil, float64(t.position())/float64(t.perEpoch), float64(t.Config.Epochs)),
		GradScale:   1 / float64(k),
		LR:          t.rate.at(t.position()),
		EMADecay:    emaDecay(t.Config.EMA, t.progress.Step),
	}
	base := f.HeadWeights
	if u := t.progress.Uncertainty; u != nil {
		f.HeadWeights = u.Weights(base)
	}
	own := f.HeadWeights
	var sum Tally
	var norm float64
	var flow *gradflow.Flow
	for i := range k {
		b, err, ok := next()
		if err != nil {
			return Stepped{}, dataError{err}
		}
		if !ok {
			return Stepped{}, fmt.Errorf("epoch %d ended after batch %d of %d", t.progress.Epoch+1, t.progress.Batch+i, k*t.perEpoch)
		}
		for _, err := range b.Skipped {
			t.warn("skipped_image", "%v", err)
		}
		setBatch(&f, b)
		f.Seed = dropoutSeed(t.Config.Seed, i)
		f.Accumulate, f.SkipUpdate = i > 0, i < k-1
		if i == 0 {
			if flow, err = t.flow.before(ctx, &f); err != nil {
				b.Release()
				return Stepped{}, err
			}
		}
		if t.conflicts != nil {
			f.HeadWeights = own
			if f.HeadWeights, err = t.conflicts.Weights(ctx, &f, t.Config.Seed); err != nil {
				b.Release()
				return Stepped{}, err
			}
		}
		m, err := run(ctx, t.train, &f)
		if err != nil {
			b.Release()
			return Stepped{}, err
		}
		if heads, bad := diverged(m); bad {
			e := t.divergedError(heads, f.LR)
			e.Where, err = firstNonFinite(ctx, t.Backend, t.state, t.options, &f)
			b.Release()
			return Stepped{}, errors.Join(e, err)
		}
		b.Release()
		sum.add(m)
		norm = m.GradNorm
	}
	if flow != nil {
		if err := t.flowed(flow); err != nil {
			return Stepped{}, err
		}
	}
	if u := t.progress.Uncertainty; u != nil {
		var losses []float64
		for _, h := range sum.Result().Heads {
			losses = append(losses, h.Loss)
		}
		u.Learn(base, losses, f.LR)
	}
	t.progress.Step++
	t.progress.Batch += k
	t.progress.Training.merge(&sum)
	t.progress.Interval.merge(&sum)
	return Stepped{
		Step: t.progress.Step, Steps: t.rate.total + t.offset, Epoch: t.progress.Epoch + 1, EpochStep: t.progress.Batch / k, EpochSteps: t.perEpoch,
		LR: f.LR, GradNorm: norm, Result: sum.Result(), Weights: f.HeadWeights,
	}, nil
}

// dropoutSeed returns the seed of the dropout masks for batch i of an update. Batch 0 uses seed
// itself.
func dropoutSeed(seed uint64, i int) uint64 { return seed ^ uint64(i)*0x9E3779B97F4A7C15 }

func (t *Trainer) divergedError(heads []string, lr float64) *DivergedError {
	e := &DivergedError{Step: t.progress.Step, Heads: heads, LR: lr, ClipNorm: t.Config.ClipNorm}
	if t.saved >= 0 {
		e.Checkpoint, e.LastStep = t.folder.Last(), t.saved
	}
	return e
}
