package graph

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/internal/nearest"
)

// UnknownError says that a name is not known, and gives the nearest known names.
type UnknownError struct {
	What    string // the kind of name: "network", "head kind", "node or end point of googlenet"
	Name    string
	Means   string // what the name means elsewhere; "" if not known
	Nearest []string
	All     []string // all known names, if there are few and none is near
}

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("unknown %s %q", e.What, e.Name)
	switch {
	case e.Means != "":
		s += "; here it is " + e.Means
	case len(e.Nearest) > 0:
		s += "; the nearest: " + strings.Join(e.Nearest, ", ")
	case len(e.All) > 0:
		s += "; there are " + strings.Join(e.All, ", ")
	}
	return s
}

// Nearest returns up to n known names, in order of edit distance from name. A known name that
// contains name counts as close.
func Nearest(name string, known []string, n int) []string { return nearest.Names(name, known, n) }
