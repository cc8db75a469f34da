package train

import (
	"math"
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// Tally adds up the measurements of programs, over an interval, an epoch or an evaluation. It is
// part of a checkpoint, so that an interrupted epoch yields the same means.
type Tally struct {
	Rows  int         `json:"rows"`
	Heads []HeadTally `json:"heads,omitempty"`
	Total float64     `json:"total"` // Σ rows·Σ weight·loss
}

// HeadTally is one head's part of a Tally.
type HeadTally struct {
	Name     string  `json:"name"`
	Loss     float64 `json:"loss"` // Σ rows·loss
	Correct1 int     `json:"top1"`
	Correct5 int     `json:"top5"`
}

func (t *Tally) add(m *graph.Metrics) {
	if t.Heads == nil {
		for _, h := range m.Heads {
			t.Heads = append(t.Heads, HeadTally{Name: h.Name})
		}
	}
	rows := float64(m.Rows)
	t.Rows += m.Rows
	t.Total += rows * m.Total
	for i, h := range m.Heads {
		t.Heads[i].Loss += rows * h.Loss
		t.Heads[i].Correct1 += h.Correct1
		t.Heads[i].Correct5 += h.Correct5
	}
}

// merge adds another tally of the same heads.
func (t *Tally) merge(o *Tally) {
	if t.Heads == nil {
		*t = Tally{o.Rows, slices.Clone(o.Heads), o.Total}
		return
	}
	t.Rows += o.Rows
	t.Total += o.Total
	for i, h := range o.Heads {
		t.Heads[i].Loss += h.Loss
		t.Heads[i].Correct1 += h.Correct1
		t.Heads[i].Correct5 += h.Correct5
	}
}

// Result returns the mean of a Tally.
func (t *Tally) Result() Result {
	n := max(1, float64(t.Rows))
	r := Result{Images: t.Rows, Total: t.Total / n}
	for _, h := range t.Heads {
		r.Heads = append(r.Heads, HeadResult{h.Name, h.Loss / n, float64(h.Correct1) / n, float64(h.Correct5) / n, h.Correct1, h.Correct5})
	}
	return r
}

// Result is a measurement on a number of images.
type Result struct {
	Images int          `json:"images"`
	Heads  []HeadResult `json:"heads"` // in the order of the network's losses, the main head first
	Total  float64      `json:"total"` // weighted sum of the losses
}

// HeadResult is one head's part of a Result.
type HeadResult struct {
	Name     string  `json:"name"`
	Loss     float64 `json:"loss"`
	Top1     float64 `json:"top1"` // share of images whose label is the first guess
	Top5     float64 `json:"top5"` // share of images whose label is among the first five guesses
	Correct1 int     `json:"hits1"`
	Correct5 int     `json:"hits5"`
}

// Head returns the result of a head, and whether there is a head of that name.
func (r Result) Head(name string) (HeadResult, bool) {
	i := slices.IndexFunc(r.Heads, func(h HeadResult) bool { return h.Name == name })
	if i < 0 {
		return HeadResult{}, false
	}
	return r.Heads[i], true
}

// Main returns the result of the main head, which graph puts first.
func (r Result) Main() HeadResult {
	if len(r.Heads) == 0 {
		return HeadResult{Loss: math.NaN()}
	}
	return r.Heads[0]
}
