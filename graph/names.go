package graph

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/internal/nearest"
)

// UnknownError says that a name is not known, and which known ones are nearest to it.
type UnknownError struct {
	What    string // what was looked for: "network", "head kind", "node or end point of googlenet"
	Name    string
	Means   string // what others call by this name, "" if nobody is known to
	Nearest []string
	All     []string // all known names, where they are few and none of them is near
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

// Nearest returns up to n of the known names, those with the least edit distance from name first. A known name that contains
// name counts as close.
func Nearest(name string, known []string, n int) []string { return nearest.Names(name, known, n) }
