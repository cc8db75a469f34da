package auxhead

import (
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// Builder adds a head's nodes below name (name+"/conv", …), reading x, and returns the logits of shape (1, 1, classes).
// Errors are left in the graph. Package inception/layers has units to build from.
type Builder func(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node

// Spec is one head, or, where At is a pattern or every:N, one head for each place that it means.
type Spec struct {
	At     string  // end point (module or tower), node, a pattern of path.Match over them, or every:N for every N-th module
	Kind   string  // one of Kinds; empty means the network's own kind
	Weight float64 // of the head's loss in the total; at least 0
	Name   string  // the head's name; empty means auxN, numbered by depth
	Build  Builder // a head of your own; then Kind is only a label (empty means "custom")
}

// String writes the spec as ParseSpecs reads it: where:weight:kind, or where:weight where it has no kind.
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

// Defaults are what a network says about its heads: those of its paper, and what a spec that leaves something out means.
type Defaults struct {
	Specs  []Spec  // the paper's heads, by depth, with their names
	Kind   string  // of heads that the user puts elsewhere
	Weight float64 // of heads for which the user gives none
}

// Complete fills in what specs leave out: the kind, and the name where a spec is one of the network's own heads, so that the
// head on GoogLeNet's 4d is called aux2 and finds its weights in a file whether or not 4a has one as well.
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
