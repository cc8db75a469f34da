package auxhead

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// Options are common to all heads of a network.
type Options struct {
	Classes   int
	Smoothing float64 // label smoothing of the heads' losses
	// Distill and Temperature let every head also learn from the main head (graph.Loss).
	Distill, Temperature float64
}

// Head is an attached head.
type Head struct {
	Name   string
	At     string // as the user wrote it, or the end point that a pattern matched
	Kind   string
	Weight float64
	Node   *graph.Node // the node that the head reads
	Logits *graph.Node
	Build  Builder // of a head of the program's own; nil for one of Kinds
}

// TooSmallError says that a feature map is too small for a kind of head.
type TooSmallError struct {
	Head, At, Kind string
	Have           graph.Shape // of the feature map
	Need           int         // minimum height and width
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("head %s at %s: a head of kind %s needs a feature map of at least %dx%d, this one is %s; use larger images, another place or another kind (gap works at any size)",
		e.Head, e.At, e.Kind, e.Need, e.Need, e.Have)
}

// Attach adds heads and their losses to a graph whose trunk is complete, in order of depth, which
// is the order in which the trunk's nodes were made. Heads without a name are called aux1, aux2, …
// in that order; numbers that are taken are skipped.
//
// Errors: *graph.UnknownError for a place or a kind that does not exist, *TooSmallError, a weight
// that is negative or not a number, two heads with the same name, and two heads of the same kind on
// one node. The graph also keeps the error, so that a network that lacks a head never runs by
// accident.
func Attach(g *graph.Graph, specs []Spec, o Options) ([]Head, error) {
	heads, err := attach(g, specs, o)
	if err != nil {
		g.Fail(err)
	}
	return heads, err
}

type site struct {
	spec  Spec
	kind  Kind
	node  *graph.Node
	depth int
}

func attach(g *graph.Graph, specs []Spec, o Options) ([]Head, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	sites, err := resolve(g, specs)
	if err != nil {
		return nil, err
	}
	if err := name(g, sites); err != nil {
		return nil, err
	}
	heads := make([]Head, 0, len(sites))
	for _, s := range sites {
		shape, name := s.node.Shape(), s.spec.Name
		if shape.H < s.kind.Smallest || shape.W < s.kind.Smallest {
			return nil, &TooSmallError{name, s.spec.At, s.kind.Name, shape, s.kind.Smallest}
		}
		logits := s.kind.Build(g, name, s.node, o.Classes)
		if err := g.Err(); err != nil {
			return nil, fmt.Errorf("head %s at %s: %w", name, s.spec.At, err)
		}
		g.AddLoss(graph.Loss{Name: name, Logits: logits, Weight: s.spec.Weight, Smoothing: o.Smoothing, At: s.spec.At,
			Distill: o.Distill, Temperature: o.Temperature})
		if err := g.Err(); err != nil {
			return nil, fmt.Errorf("head %s at %s: %w", name, s.spec.At, err)
		}
		heads = append(heads, Head{name, s.spec.At, s.kind.Name, s.spec.Weight, s.node, logits, s.spec.Build})
	}
	return heads, nil
}

// resolve finds the kind and the nodes of every spec, sorted by depth.
func resolve(g *graph.Graph, specs []Spec) ([]site, error) {
	depth := map[*graph.Node]int{}
	for i, n := range g.Nodes() {
		depth[n] = i
	}
	var sites []site
	for _, s := range specs {
		if err := s.check(); err != nil {
			return nil, err
		}
		kind, err := s.kind()
		if err != nil {
			return nil, fmt.Errorf("head at %s: %w", s.At, err)
		}
		found, err := places(g, s.At)
		if err != nil {
			return nil, fmt.Errorf("head at %s: %w", s.At, err)
		}
		if s.Name != "" && len(found) > 1 {
			return nil, fmt.Errorf("head %s: pattern %s matches %d places: leave the name out, or name one place", s.Name, s.At, len(found))
		}
		for _, p := range found {
			for _, o := range sites {
				if o.node == p.Node && o.kind.Name == kind.Name {
					return nil, fmt.Errorf("two heads of kind %s at %s (%s and %s are one node): leave one out", kind.Name, p.Name, o.spec.At, p.Name)
				}
			}
			one := s
			one.At = p.Name
			sites = append(sites, site{one, kind, p.Node, depth[p.Node]})
		}
	}
	slices.SortStableFunc(sites, func(a, b site) int { return a.depth - b.depth })
	return sites, nil
}

func (s Spec) kind() (Kind, error) {
	if s.Build != nil {
		label := s.Kind
		if label == "" {
			label = "custom"
		}
		return Kind{Name: label, Build: s.Build}, nil
	}
	if s.Kind == "" {
		return Kind{}, errors.New("a head needs a kind or a builder; Defaults.Complete fills in the network's kind")
	}
	return LookupKind(s.Kind)
}

// name gives every site a name that the graph does not use yet.
func name(g *graph.Graph, sites []site) error {
	taken := map[string]bool{}
	for _, l := range g.Losses() {
		taken[l.Name] = true
	}
	for _, s := range sites {
		if s.spec.Name == "" {
			continue
		}
		if taken[s.spec.Name] {
			return fmt.Errorf("two heads called %s: rename one", s.spec.Name)
		}
		for _, n := range g.Nodes() {
			if strings.HasPrefix(n.Name()+"/", s.spec.Name+"/") {
				return fmt.Errorf("head %s: the network has nodes of this name (%s): rename the head", s.spec.Name, n.Name())
			}
		}
		taken[s.spec.Name] = true
	}
	next := 1
	for i := range sites {
		for sites[i].spec.Name == "" {
			if n := fmt.Sprintf("aux%d", next); !taken[n] {
				sites[i].spec.Name = n
				taken[n] = true
			}
			next++
		}
	}
	return nil
}
