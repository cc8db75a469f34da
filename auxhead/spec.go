package auxhead

import (
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// Builder adds a head's nodes, with names below name (name+"/conv", …), that read x. It returns the
// logits, of shape (1, 1, classes). The graph keeps errors. Package layers has units to build from.
type Builder func(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node

// Spec describes one head or, if At is a pattern or every:N, one head for each place that At stands
// for.
type Spec struct {
	At     string  // end point (module or tower), node, pattern of path.Match over them, or every:N for every N-th module
	Kind   string  // one of Kinds; empty means the network's own kind
	Weight float64 // weight of the head's loss in the total; at least 0
	Name   string  // the head's name; empty means auxN, numbered by depth
	Build  Builder // a custom head; then Kind is only a label (empty means "custom")
}

// String returns the spec in the form that ParseSpecs reads: where:weight:kind, or where:weight if
// it has no kind.
func (s Spec) String() string {
	out := s.At + ":" + formatWeight(s.Weight)
	if s.Kind != "" {
		out += ":" + s.Kind
	}
	return out
}

func (s Spec) check() error {
	switch {
	case s.At == "":
		return fmt.Errorf("a head needs a place: the name of an end point such as inception4a")
	case math.IsNaN(s.Weight) || math.IsInf(s.Weight, 0) || s.Weight < 0:
		return fmt.Errorf("head at %s: weight %v: must be a finite number of at least 0", s.At, s.Weight)
	}
	return nil
}

// Defaults are a network's own heads, and the values of settings that a spec leaves out.
type Defaults struct {
	Specs  []Spec  // the paper's heads, by depth, with their names
	Kind   string  // kind of heads that the user puts elsewhere
	Weight float64 // weight of heads without one
}

// Complete fills in what specs leave out: the kind, and the name if a spec is one of the network's
// own heads. So the head on GoogLeNet's 4d is called aux2, and finds its weights in a file, whether
// 4a has a head or not.
func (d Defaults) Complete(specs []Spec) []Spec {
	out := make([]Spec, len(specs))
	for i, s := range specs {
		if s.Kind == "" && s.Build == nil && s.At != Auto {
			s.Kind = d.Kind
		}
		for _, own := range d.Specs {
			if s.Name == "" && s.Build == nil && s.At == own.At && s.Kind == own.Kind {
				s.Name = own.Name
			}
		}
		out[i] = s
	}
	return out
}
