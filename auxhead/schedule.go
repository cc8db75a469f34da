package auxhead

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// Schedule says how the weights of all heads change during a run: a common factor falls from one to
// zero, or stays at one. Heads matter most early in training. A weight is a scalar of the feed, so
// a schedule needs no new plan.
type Schedule struct {
	Shape string // constant, linear, cosine or until; empty means constant
	// Until is when the weights reach zero. For linear and cosine it is a fraction of the run, in
	// (0,1]. For until it is a whole number of epochs with full weights. constant does not use it.
	Until float64
}

// unit is the unit of Schedule.Until for a shape.
type unit int

const (
	nothing unit = iota
	fraction
	epochs
)

// curve is a shape: the factor at t in [0,1] of its course.
type curve struct {
	name  string
	until unit
	at    func(t float64) float64
}

var curves = []curve{
	{"constant", nothing, func(float64) float64 { return 1 }},
	{"linear", fraction, func(t float64) float64 { return 1 - t }},
	{"cosine", fraction, func(t float64) float64 { return (1 + math.Cos(math.Pi*t)) / 2 }},
	{"until", epochs, func(t float64) float64 { return 1 - math.Floor(t) }},
}

// ScheduleNames returns the names of the shapes.
func ScheduleNames() []string {
	var names []string
	for _, c := range curves {
		names = append(names, c.name)
	}
	return names
}

func lookupCurve(name string) (curve, error) {
	if name == "" {
		name = "constant"
	}
	for _, c := range curves {
		if c.name == name {
			return c, nil
		}
	}
	return curve{}, &graph.UnknownError{What: "head schedule", Name: name, Nearest: graph.Nearest(name, ScheduleNames(), 3)}
}

// Check returns an error unless the schedule has a known shape and Until is in its range.
func (s Schedule) Check() error {
	c, err := lookupCurve(s.Shape)
	switch {
	case err != nil:
		return err
	case c.until == fraction && !(s.Until > 0 && s.Until <= 1):
		return fmt.Errorf("head schedule %s: the weights reach zero after a fraction %v of the run: it must be above 0 and at most 1", s.Shape, s.Until)
	case c.until == epochs && !(s.Until >= 1 && s.Until == math.Floor(s.Until) && !math.IsInf(s.Until, 0)):
		return fmt.Errorf("head schedule %s: the weights are zero after %v epochs: it must be a whole number from 1", s.Shape, s.Until)
	}
	return nil
}

// CheckRun returns an error if the schedule has no effect in a run of n epochs.
func (s Schedule) CheckRun(n int) error {
	if c, err := lookupCurve(s.Shape); err == nil && c.until == epochs && s.Until >= float64(n) {
		return fmt.Errorf("head schedule %s: the run has %d epochs, so the weights never change: name an epoch below, or write constant", s, n)
	}
	return nil
}

// At returns the factor of every head's weight after epoch of total epochs, which may be a
// fraction: 1 at the start. The main head's weight has no schedule. A schedule that does not pass
// Check is constant.
func (s Schedule) At(epoch, total float64) float64 {
	c, err := lookupCurve(s.Shape)
	if err != nil || c.until == nothing || !(s.Until > 0) {
		return 1
	}
	t := epoch / s.Until
	if c.until == fraction {
		t /= total
	}
	return c.at(min(1, max(0, t)))
}

// Weights returns the weights of losses at a point of a run (see At), in their order, for
// graph.Feed.HeadWeights. They are base, or the losses' own weights if base is nil, times the
// schedule's factor for all heads except the main head.
func (s Schedule) Weights(losses []*graph.Loss, base []float64, epoch, total float64) []float64 {
	f := s.At(epoch, total)
	out := make([]float64, len(losses))
	for i, l := range losses {
		out[i] = l.Weight
		if base != nil {
			out[i] = base[i]
		}
		if i > 0 {
			out[i] *= f
		}
	}
	return out
}

// ParseSchedule parses "constant"; "linear" or "cosine", optionally with the fraction of the run
// after which the weights are zero, as in "cosine:0.6"; or "until" with the last epoch of full
// weights, as in "until:3". Errors are of type *ParseError.
func ParseSchedule(text string) (Schedule, error) {
	name, until, has := strings.Cut(strings.TrimSpace(text), ":")
	c, err := lookupCurve(name)
	if err != nil {
		return Schedule{}, &ParseError{"head schedule", text, 0, err}
	}
	s := Schedule{Shape: c.name}
	pos := strings.IndexByte(text, ':') + 1
	fail := func(format string, args ...any) (Schedule, error) {
		return Schedule{}, &ParseError{"head schedule", text, pos, fmt.Errorf(format, args...)}
	}
	switch what := map[unit]string{fraction: "fraction", epochs: "epoch"}[c.until]; {
	case has && c.until == nothing:
		return fail("%s takes no number", c.name)
	case has:
		if s.Until, err = strconv.ParseFloat(until, 64); err != nil {
			return fail("%s %q is not a number", what, until)
		}
	case c.until == fraction:
		s.Until = 1
	case c.until == epochs:
		return fail("%s needs the last epoch in which heads have weight, such as %s:3", c.name, c.name)
	}
	if err := s.Check(); err != nil {
		return fail("%w", err)
	}
	return s, nil
}

// String returns the schedule in the form that ParseSchedule reads.
func (s Schedule) String() string {
	c, err := lookupCurve(s.Shape)
	if err != nil || c.until == nothing {
		return "constant"
	}
	return c.name + ":" + strconv.FormatFloat(s.Until, 'g', -1, 64)
}
