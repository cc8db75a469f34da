package graph

import (
	"fmt"
	"slices"
	"strings"
)

// UnknownError says that a name is not known, and which known ones are nearest to it.
type UnknownError struct {
	What    string // what was looked for: "network", "head kind", "node or end point of googlenet"
	Name    string
	Nearest []string
}

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("unknown %s %q", e.What, e.Name)
	if len(e.Nearest) > 0 {
		s += "; the nearest: " + strings.Join(e.Nearest, ", ")
	}
	return s
}

// Nearest returns up to n of the known names, those with the least edit distance from name first. A known name that contains
// name counts as close.
func Nearest(name string, known []string, n int) []string {
	type scored struct {
		name string
		d    int
	}
	var all []scored
	seen := map[string]bool{}
	for _, k := range known {
		if seen[k] {
			continue
		}
		seen[k] = true
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if name != "" && strings.Contains(k, name) {
			d = min(d, 1)
		}
		all = append(all, scored{k, d})
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, s := range all[:min(n, len(all))] {
		out = append(out, s.name)
	}
	return out
}

// editDistance is Levenshtein's distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
