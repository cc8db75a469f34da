package exits

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
)

// Request is a user's request for early exits: a rule, or a way to choose one.
type Request struct {
	Rule   Rule    // without thresholds if Curve or Budget is set
	Curve  bool    // measure all thresholds
	Budget float64 // choose the best threshold within this share of the network's multiply-accumulates; 0: choose none
}

// Forms are the beginnings of texts for Parse.
var Forms = []string{"entropy=", "confidence=", "curve", "budget="}

// Parse parses a user's text for early exits:
//
//	entropy=T[/T...]          leave at the first head whose entropy is below T, in nats
//	confidence=T[/T...]       leave at the first head whose largest probability is above T
//	curve[:MEASURE]           accuracy and computation for all thresholds of entropy (or of confidence)
//	budget=SHARE[:MEASURE]    the best threshold within SHARE of the network's computation
//
// A single threshold is for all heads; a list has one for each head, in order of depth. Rule.Check
// checks whether thresholds are possible. Errors are of type *ParseError, and wrap a
// *graph.UnknownError if a rule is unknown.
func Parse(text string) (Request, error) {
	fail := func(pos int, err error) (Request, error) {
		return Request{}, &auxhead.ParseError{What: "early exit", Text: text, Pos: pos, Err: err}
	}
	head, of, hasMeasure := strings.Cut(text, ":")
	name, value, hasValue := strings.Cut(head, "=")
	if name == "curve" || name == "budget" {
		e := Request{Rule: Rule{Criterion: Entropy}, Curve: name == "curve"}
		if hasMeasure {
			m, err := lookupCriterion(of)
			if err != nil {
				return fail(len(head)+1, err)
			}
			e.Rule.Criterion = m.name
		}
		if e.Curve {
			if hasValue {
				return fail(len(name), fmt.Errorf("curve takes no value: all thresholds are measured"))
			}
			return e, nil
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v > 0 && v <= 1) {
			return fail(min(len(name)+1, len(text)), fmt.Errorf("budget %q is not a share of the network's computation, a number above 0 and at most 1 such as budget=0.6", value))
		}
		e.Budget = v
		return e, nil
	}
	m, err := lookupCriterion(name)
	if err != nil {
		known := append(Criteria(), "curve", "budget")
		return fail(0, fmt.Errorf("%w; there are %s=T, curve and budget=SHARE", &graph.UnknownError{What: "rule of early exits", Name: name,
			Nearest: graph.Nearest(name, known, 1)}, strings.Join(Criteria(), "=T, ")))
	}
	if hasMeasure {
		return fail(len(head), fmt.Errorf("%q is too much: thresholds have / between them", text[len(head):]))
	}
	e := Request{Rule: Rule{Criterion: m.name}}
	pos := len(name) + 1
	for item := range strings.SplitSeq(value, "/") {
		t, err := strconv.ParseFloat(item, 64)
		if err != nil || !(t >= 0 && t <= math.MaxFloat64) {
			return fail(min(pos, len(text)), fmt.Errorf("threshold %q is not a number from 0 (%s)", item, m.unit))
		}
		e.Rule.Thresholds = append(e.Rule.Thresholds, t)
		pos += len(item) + 1
	}
	return e, nil
}
