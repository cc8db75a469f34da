package auxhead

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// Schedule says how the weights of all heads change during a run: their factor falls from one to zero over the first Until of
// the run, or stays. Heads matter most while the trunk is young. A weight is a scalar of the feed, so a schedule needs no new
// plan.
type Schedule struct {
	Shape string  // constant, linear or cosine; empty means constant
	Until float64 // fraction of the run after which the weights are zero, in (0,1]; unused by constant
}

// curve is a shape: the factor at t in [0,1] of its way.
type curve struct {
	name   string
	decays bool
	at     func(t float64) float64
}

var curves = []curve{
	{"constant", false, func(float64) float64 { return 1 }},
	{"linear", true, func(t float64) float64 { return 1 - t }},
	{"cosine", true, func(t float64) float64 { return (1 + math.Cos(math.Pi*t)) / 2 }},
}

func lookupCurve(name string) (curve, error) {
	if name == "" {
		name = "constant"
	}
	var known []string
	for _, c := range curves {
		if c.name == name {
			return c, nil
		}
		known = append(known, c.name)
	}
	return curve{}, &graph.UnknownError{What: "head schedule", Name: name, Nearest: graph.Nearest(name, known, 3)}
}

// Check says whether the schedule makes sense: a known shape, and Until in (0,1] where the shape decays.
func (s Schedule) Check() error {
	c, err := lookupCurve(s.Shape)
	if err != nil {
		return err
	}
	if c.decays && !(s.Until > 0 && s.Until <= 1) {
		return fmt.Errorf("head schedule %s: the weights reach zero after a fraction %v of the run: it must be above 0 and at most 1", s.Shape, s.Until)
	}
	return nil
}

// At is the factor of every head's weight when a fraction progress of the run is over: 1 at the start. The main head's weight
// has no schedule. A schedule that does not pass Check is constant.
func (s Schedule) At(progress float64) float64 {
	c, err := lookupCurve(s.Shape)
	if err != nil || !c.decays || !(s.Until > 0) {
		return 1
	}
	return c.at(min(1, max(0, progress/s.Until)))
}

// Weights are the weights of losses at a progress, in their order, for graph.Feed.HeadWeights: base (the losses' own weights
// where base is nil) times the schedule's factor for all but the main head.
func (s Schedule) Weights(losses []*graph.Loss, base []float64, progress float64) []float64 {
	f := s.At(progress)
	out := make([]float64, len(losses))
	for i, l := range losses {
		out[i] = l.Weight
		if base != nil {
			out[i] = base[i]
		}
		if l.Name != Main {
			out[i] *= f
		}
	}
	return out
}

// ParseSchedule reads "constant", "linear" or "cosine", the latter two with an optional fraction of the run after which the
// weights are zero: "cosine:0.6". Errors are of type *ParseError.
func ParseSchedule(text string) (Schedule, error) {
	name, frac, has := strings.Cut(strings.TrimSpace(text), ":")
	c, err := lookupCurve(name)
	if err != nil {
		return Schedule{}, &ParseError{"head schedule", text, 0, err}
	}
	s := Schedule{Shape: c.name}
	pos := strings.IndexByte(text, ':') + 1
	switch {
	case has && !c.decays:
		return Schedule{}, &ParseError{"head schedule", text, pos, fmt.Errorf("%s takes no fraction", c.name)}
	case has:
		if s.Until, err = strconv.ParseFloat(frac, 64); err != nil {
			return Schedule{}, &ParseError{"head schedule", text, pos, fmt.Errorf("fraction %q is not a number", frac)}
		}
	case c.decays:
		s.Until = 1
	}
	if err := s.Check(); err != nil {
		return Schedule{}, &ParseError{"head schedule", text, pos, err}
	}
	return s, nil
}

// String writes the schedule as ParseSchedule reads it.
func (s Schedule) String() string {
	c, err := lookupCurve(s.Shape)
	if err != nil || !c.decays {
		return "constant"
	}
	return c.name + ":" + strconv.FormatFloat(s.Until, 'g', -1, 64)
}
