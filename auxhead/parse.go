package auxhead

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// ParseError says what is wrong with a text, and where.
type ParseError struct {
	What string // what the text describes: "heads", "head schedule"
	Text string
	Pos  int // index of the first wrong byte
	Err  error
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%s %q: at position %d: %v", e.What, e.Text, e.Pos+1, e.Err)
}

// Unwrap returns the underlying error.
func (e *ParseError) Unwrap() error { return e.Err }

// ParseSpecs parses a user's text for heads:
//
//	default                       the network's own heads
//	none                          no heads
//	where[:weight[:kind]],...     where is an end point, a node or a pattern over them, or every:N for a head on every N-th
//	                              module; an empty weight is the default one
//
// Examples: "inception4a", "inception3b:0.1:gap,inception4?:0.3", "Mixed_6e::gap",
// "every:2:0.1:gap", and "inception4a/*" for every tower of a module. ParseSpecs checks kinds;
// Attach checks places. Errors are of type *ParseError, and wrap a *graph.UnknownError if a kind is
// unknown.
func ParseSpecs(text string, d Defaults) ([]Spec, error) {
	specs, err := parse(text, d)
	if err == nil && len(specs) == 1 && specs[0].At == Auto {
		return nil, &ParseError{"heads", text, 0, fmt.Errorf("the places of %s heads come from a short run: only train, gradflow and ablate look for them", Auto)}
	}
	return specs, err
}

// Auto is the place of heads, on the command line, whose places a short run's gradient flow
// determines.
const Auto = "auto"

// ParseAuto parses auto[:weight[:kind]], heads whose places a short run determines
// (gradflow.Choose). spec is the spec of each of them, except that its place is Auto; its kind is
// empty if the text has none. ok is false if the text describes other heads.
func ParseAuto(text string, d Defaults) (spec Spec, ok bool, err error) {
	specs, err := parse(text, d)
	if err != nil || len(specs) != 1 || specs[0].At != Auto {
		return Spec{}, false, err
	}
	return specs[0], true, nil
}

func parse(text string, d Defaults) ([]Spec, error) {
	switch strings.TrimSpace(text) {
	case "default":
		return d.Complete(d.Specs), nil
	case "none":
		return []Spec{}, nil
	}
	fail := func(pos int, format string, args ...any) ([]Spec, error) {
		return nil, &ParseError{"heads", text, pos, fmt.Errorf(format, args...)}
	}
	var specs []Spec
	pos := 0
	for item := range strings.SplitSeq(text, ",") {
		s := Spec{Weight: d.Weight}
		at := pos
		fields, place := strings.Split(item, ":"), ""
		if strings.TrimSpace(fields[0]) == every { // the number after it is part of the place
			_, rest, _ := strings.Cut(item, ":")
			number, _, _ := strings.Cut(rest, ":")
			n, err := parseEvery(strings.TrimSpace(number))
			if err != nil {
				return fail(min(len(text), at+len(fields[0])+1), "%w", err)
			}
			place = fmt.Sprintf("%s:%d", every, n)
			fields = slices.Concat([]string{fields[0] + ":" + number}, fields[2:])
		}
		for i, field := range fields {
			from := at + len(field) - len(strings.TrimLeft(field, " \t"))
			at += len(field) + 1
			field = strings.TrimSpace(field)
			switch {
			case i == 0 && field == "":
				return fail(from, "a head needs a place, such as inception4a; write \"default\" for the network's heads, \"none\" for none")
			case i == 0 && (field == "default" || field == "none" || field == Auto && strings.Contains(text, ",")):
				return fail(from, "%q stands alone, not in a list", field)
			case i == 0:
				s.At = cmp.Or(place, field)
			case i == 1 && field == "":
			case i == 1:
				w, err := strconv.ParseFloat(field, 64)
				if err != nil || math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
					return fail(from, "weight %q is not a number of at least 0", field)
				}
				s.Weight = w
			case i == 2 && field == "":
				return fail(from, "no kind after the colon; leave the colon out for the network's kind (%s)", d.Kind)
			case i == 2:
				if _, err := LookupKind(field); err != nil {
					return fail(from, "%w", err)
				}
				s.Kind = field
			default:
				return fail(from, "%q is too much: a head is where[:weight[:kind]]", field)
			}
		}
		specs = append(specs, s)
		pos += len(item) + 1
	}
	return d.Complete(specs), nil
}

// Format writes specs in the form that ParseSpecs reads. With the same defaults the two are inverse
// to each other.
func Format(specs []Spec) string {
	if len(specs) == 0 {
		return "none"
	}
	items := make([]string, len(specs))
	for i, s := range specs {
		items[i] = s.String()
	}
	return strings.Join(items, ",")
}

func formatWeight(w float64) string { return strconv.FormatFloat(w, 'g', -1, 64) }

// ParseWeights parses name=weight,... for existing heads: weights that replace those of the specs.
// Heads that the text leaves out keep their weights. The result is in the order of losses
// (Plan.Losses), as graph.Feed.HeadWeights requires.
func ParseWeights(text string, losses []*graph.Loss) ([]float64, error) {
	weights := make([]float64, len(losses))
	names := make([]string, len(losses))
	for i, l := range losses {
		weights[i], names[i] = l.Weight, l.Name
	}
	if strings.TrimSpace(text) == "" {
		return weights, nil
	}
	pos := 0
	for item := range strings.SplitSeq(text, ",") {
		fail := func(err error) ([]float64, error) { return nil, &ParseError{"head weights", text, pos, err} }
		name, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		w, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
			return fail(fmt.Errorf("%q is not name=weight with a weight of at least 0", item))
		}
		found := false
		for i, n := range names {
			if n == name {
				weights[i], found = w, true
			}
		}
		if !found {
			return fail(&graph.UnknownError{What: "head", Name: name, Nearest: graph.Nearest(name, names, 3)})
		}
		pos += len(item) + 1
	}
	return weights, nil
}
