package graph

import (
	"fmt"
	"sort"
)

// MemoryError says that plans do not fit a backend's memory. Nothing is allocated for them.
type MemoryError struct {
	Network     string
	Batch       int    // 0 where the parameters alone do not fit
	Device      string // Backend.Name
	Needs, Free int64  // bytes
	Largest     int    // the largest batch that fits, 0 if none does
}

// Error gives the largest batch that fits.
func (e *MemoryError) Error() string {
	what := fmt.Sprintf("%s at a batch of %d needs", e.Network, e.Batch)
	if e.Batch == 0 {
		what = fmt.Sprintf("the parameters of %s need", e.Network)
	}
	s := fmt.Sprintf("%s %s of memory, and %s has %s free: ", what, bytesText(e.Needs), e.Device, bytesText(e.Free))
	if e.Largest == 0 {
		return s + "not even a batch of 1 fits; use smaller images, a smaller network or a device with more memory"
	}
	return s + fmt.Sprintf("the largest batch that fits is %d", e.Largest)
}

func bytesText(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// Fit returns a [*MemoryError] if a new state of a layout and the programs of plans with the given
// options do not fit the backend's free memory together. All plans must have the same batch size.
// Fit allocates nothing, so call it before Backend.NewState.
func Fit(b Backend, l *Layout, o StateOptions, plans ...Options) error {
	at := func(batch int) (needs, free int64, err error) {
		compiled := make([]*Plan, len(plans))
		for i, p := range plans {
			if compiled[i], err = Compile(l.Graph, l, p.WithBatch(batch)); err != nil {
				return 0, 0, err
			}
		}
		return b.Memory(l, o, compiled...)
	}
	return FitBatch(b.Name(), l.Graph, plans[0].Batch, at)
}

// FitPlan returns a [*MemoryError] if a plan needs more than the free memory. It calls at for the
// plan, and for the same plan with other batch sizes.
func FitPlan(device string, p *Plan, at func(q *Plan) (needs, free int64, err error)) error {
	return FitBatch(device, p.Graph, p.Options.Batch, func(batch int) (needs, free int64, err error) {
		q := p
		if batch != p.Options.Batch {
			if q, err = Compile(p.Graph, p.Layout, p.Options.WithBatch(batch)); err != nil {
				return 0, 0, err
			}
		}
		return at(q)
	})
}

// FitBatch returns a [*MemoryError] if a batch needs more than the free memory. The error has the
// largest batch that fits. A batch for which at returns an error does not fit.
func FitBatch(device string, g *Graph, batch int, at func(batch int) (needs, free int64, err error)) error {
	needs, free, err := at(batch)
	if err != nil || needs <= free {
		return err
	}
	largest := sort.Search(batch, func(i int) bool {
		needs, free, err := at(i + 1)
		return err != nil || needs > free
	})
	return &MemoryError{Network: g.Name(), Batch: batch, Device: device, Needs: needs, Free: free, Largest: largest}
}

// WithBatch returns the options for another batch size. Regions changes in proportion.
func (o Options) WithBatch(n int) Options {
	o.Regions = o.Regions / max(o.Batch, 1) * n
	o.Batch = n
	return o
}
