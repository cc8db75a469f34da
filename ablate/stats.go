package ablate

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Sample summarises measurements of one kind.
type Sample struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"` // 0 if N is 0
	SD   float64 `json:"sd"`   // standard deviation, with N-1; 0 if N is below 2
}

func sample(v []float64) Sample {
	s := Sample{N: len(v)}
	for _, x := range v {
		s.Mean += x / float64(len(v))
	}
	if s.N < 2 {
		return s
	}
	for _, x := range v {
		s.SD += (x - s.Mean) * (x - s.Mean) / float64(s.N-1)
	}
	s.SD = math.Sqrt(s.SD)
	return s
}

// Difference is a variant's accuracy minus the baseline's, in shares of one, over the seeds at
// which both have finished.
type Difference struct {
	Sample
	SE   float64 `json:"se"`   // standard error of the mean; 0 if N is below 2
	Half float64 `json:"half"` // half of the mean's 95 % confidence interval, by Student's t with N-1 degrees of freedom; 0 if N is below 2
}

// confidence is the level of the intervals behind verdicts. Each interval is of one variant alone:
// of many variants that make no difference, one in twenty falls outside its interval.
const confidence = 0.95

func difference(v []float64) Difference {
	d := Difference{Sample: sample(v)}
	if d.N < 2 {
		return d
	}
	d.SE = d.SD / math.Sqrt(float64(d.N))
	d.Half = d.SE * distuv.StudentsT{Sigma: 1, Nu: float64(d.N - 1)}.Quantile((1+confidence)/2)
	return d
}

// Verdict is the conclusion about a variant from the seeds so far.
type Verdict string

// The verdicts.
const (
	Keep         Verdict = "keep"              // the whole interval is above zero
	Drop         Verdict = "drop"              // the whole interval is below zero, or a run diverged where the baseline did not
	NoDifference Verdict = "no difference"     // the whole interval is within negligible
	MoreSeeds    Verdict = "more seeds needed" // anything else
)

// negligible is the difference in accuracy that counts as no difference: half a point.
const negligible = 0.005

// verdict judges a difference. diverged is the number of seeds at which the variant diverged and
// the baseline did not; rescued is the number of seeds at which the baseline diverged and the
// variant did not.
func (d Difference) verdict(diverged, rescued int) Verdict {
	low, high := d.Mean-d.Half, d.Mean+d.Half
	switch {
	case diverged > 0:
		return Drop
	case d.N < 2 && rescued > 1:
		return Keep
	case d.N < 2:
		return MoreSeeds
	case low > 0:
		return Keep
	case high < 0:
		return Drop
	case low >= -negligible && high <= negligible:
		return NoDifference
	}
	return MoreSeeds
}
