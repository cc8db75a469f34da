package backendtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// listing is a network and what a test does with it, as text with one statement per line:
//
//	data seed=7 batch=2 image=5x4x3 ignored=1   random values and images; as many rows at the end count for no head
//	a = conv image filters=4 window=3x3 pads=1,1,1,1
//	b = batchnorm a eps=0.1
//	fc = linear b features=3
//	head main fc weight=1 smoothing=0.1         the first head is the main one
//	freeze a/weight
//	keep b
//	probe d(b)                                  of the gradient; without d( ) of the activation
//
// Failures print the failing listing, so that it can be added to the table of networks (known.go).
type listing []statement

// statement is one line: a node, which has a name, or another statement, which has none.
type statement struct {
	name  string
	kind  string   // of the operation, or "data", "head", "freeze", "keep", "probe"
	words []string // the inputs of a node, or the objects of another statement
	args  map[string]string
}

func (s statement) String() string {
	words := append([]string{s.kind}, s.words...)
	if s.name != "" {
		words = append([]string{s.name, "="}, words...)
	}
	for _, k := range slices.Sorted(maps.Keys(s.args)) {
		words = append(words, k+"="+s.args[k])
	}
	return strings.Join(words, " ")
}

func (l listing) String() string {
	var lines []string
	for _, s := range l {
		lines = append(lines, s.String())
	}
	return strings.Join(lines, "\n") + "\n"
}

// parse parses a listing.
func parse(text string) listing {
	var l listing
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s := statement{args: map[string]string{}}
		if len(words) > 2 && words[1] == "=" {
			s.name, words = words[0], words[2:]
		}
		s.kind = words[0]
		for _, w := range words[1:] {
			if k, v, ok := strings.Cut(w, "="); ok {
				s.args[k] = v
			} else {
				s.words = append(s.words, w)
			}
		}
		l = append(l, s)
	}
	return l
}

// set returns the statement with an argument set.
func (s statement) set(key string, value any) statement {
	if s.args = maps.Clone(s.args); s.args == nil {
		s.args = map[string]string{}
	}
	s.args[key] = fmt.Sprint(value)
	return s
}

// numbers returns the numbers of an argument, which commas or x separate. It returns none if the
// argument is missing.
func (s statement) numbers(key string) (out []int) {
	if s.args[key] == "" {
		return nil
	}
	for _, w := range strings.FieldsFunc(s.args[key], func(r rune) bool { return r == ',' || r == 'x' }) {
		n, err := strconv.Atoi(w)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

func (s statement) number(key string, otherwise int) int {
	if n := s.numbers(key); len(n) == 1 {
		return n[0]
	}
	return otherwise
}

func (s statement) float(key string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(s.args[key], 64); err == nil {
		return v
	}
	return otherwise
}

func (s statement) shape(key string) graph.Shape {
	if n := s.numbers(key); len(n) == 3 {
		return graph.Shape{H: n[0], W: n[1], C: n[2]}
	}
	return graph.Shape{H: 4, W: 4, C: 2}
}

func (s statement) window() graph.Window {
	w := graph.Window{H: 1, W: 1, StrideH: 1, StrideW: 1, Same: s.args["pads"] == "same", Ceil: s.args["ceil"] != ""}
	if n := s.numbers("window"); len(n) == 2 {
		w.H, w.W = n[0], n[1]
	}
	if n := s.numbers("stride"); len(n) == 2 {
		w.StrideH, w.StrideW = n[0], n[1]
	}
	if n := s.numbers("pads"); len(n) == 4 {
		w.Pads = graph.Pads{Top: n[0], Bottom: n[1], Left: n[2], Right: n[3]}
	}
	return w
}

// subject is the network of a listing and the rest of its statements.
type subject struct {
	g       *graph.Graph
	layout  *graph.Layout
	seed    uint64
	batch   int
	ignored int // rows at the end without a label
	keep    []string
	probes  []graph.Probe
}

// build makes the network of a listing. It returns an error if graph refuses the network.
func (l listing) build() (*subject, error) {
	n := &subject{g: graph.New("random"), batch: 2}
	nodes := map[string]*graph.Node{}
	var input statement
	if len(l) > 0 && l[0].kind == "data" {
		input = l[0]
		n.seed, n.batch, n.ignored = uint64(input.number("seed", 1)), input.number("batch", 2), input.number("ignored", 0)
	}
	nodes["image"] = n.g.Input("image", input.shape("image"))
	for _, s := range l {
		switch {
		case s.name != "":
			i := slices.IndexFunc(table, func(o operation) bool { return o.kind == s.kind })
			if i < 0 {
				return nil, fmt.Errorf("no operation %q: %s", s.kind, s)
			}
			var in []*graph.Node
			for _, w := range s.words {
				in = append(in, nodes[w])
			}
			nodes[s.name] = n.g.Apply(s.name, table[i].make(s), in...)
		case s.kind == "head" && len(s.words) == 2:
			n.g.AddLoss(graph.Loss{Name: s.words[0], Logits: nodes[s.words[1]], Weight: s.float("weight", 1), Smoothing: s.float("smoothing", 0),
				Distill: s.float("distill", 0), Temperature: s.float("temperature", 2)})
		case s.kind == "freeze" && len(s.words) == 1:
			p, err := n.g.Param(s.words[0])
			if err != nil {
				return nil, err
			}
			p.Trainable = false
		case s.kind == "keep" && len(s.words) == 1:
			n.keep = append(n.keep, s.words[0])
		case s.kind == "probe" && len(s.words) == 1:
			node, gradient := strings.CutPrefix(s.words[0], "d(")
			n.probes = append(n.probes, graph.Probe{Node: strings.TrimSuffix(node, ")"), Gradient: gradient})
		case s.kind == "data":
		default:
			return nil, fmt.Errorf("no statement: %s", s)
		}
		if n.g.Err() != nil {
			return nil, n.g.Err()
		}
	}
	if len(n.g.Losses()) == 0 || n.batch < 1 || n.ignored >= n.batch {
		return nil, fmt.Errorf("%d heads, %d of %d rows ignored", len(n.g.Losses()), n.ignored, n.batch)
	}
	for _, k := range n.keep {
		if _, err := n.g.Find(k); err != nil {
			return nil, err
		}
	}
	for _, p := range n.probes {
		if _, err := n.g.Find(p.Node); err != nil {
			return nil, err
		}
	}
	for _, x := range n.g.Nodes()[1:] {
		if o := operationOf(x.Op().Kind()); o.refuses != nil {
			if err := o.refuses(x, n.batch); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}
