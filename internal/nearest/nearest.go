// Package nearest finds the names that a user may have meant by a name that does not exist.
package nearest

import (
	"slices"
	"strings"
)

// Names returns up to n of the known names, those with the smallest edit distance from name first.
// It ignores case. A known name that contains name counts as close.
func Names(name string, known []string, n int) []string { return within(name, known, n, 1<<30) }

// Close is [Names] without names that are too far away to be meant.
func Close(name string, known []string, n int) []string { return within(name, known, n, 1+len(name)/3) }

// within returns up to n of the known names within a maximum distance.
func within(name string, known []string, n, most int) []string {
	type scored struct {
		name string
		d    int
	}
	var all []scored
	seen := map[string]bool{}
	lower := strings.ToLower(name)
	for _, k := range known {
		if seen[k] {
			continue
		}
		seen[k] = true
		other := strings.ToLower(k)
		d := distance(lower, other)
		if name != "" && strings.Contains(other, lower) {
			d = min(d, 1)
		}
		if d <= most {
			all = append(all, scored{k, d})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, s := range all[:min(n, len(all))] {
		out = append(out, s.name)
	}
	return out
}

// distance returns the number of bytes to insert, delete or replace to turn a into b (Levenshtein
// 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // distances from a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
