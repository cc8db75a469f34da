package dataset

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// quoteName is a name of a file or a folder as text. A name that is UTF-8 is itself. In others every byte that is not UTF-8 is written
// as \xE9: class names go into JSON, YAML and metadata, which hold nothing but UTF-8, and must be told apart when they come back.
func quoteName(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var s strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&s, `\x%02X`, name[0])
		} else {
			s.WriteString(name[:n])
		}
		name = name[n:]
	}
	return s.String()
}

// nearest lists the names that are not far from one, the nearest first.
func nearest(name string, names []string) []string {
	distance := func(n string) int { return editDistance(strings.ToLower(name), strings.ToLower(n)) }
	near := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return distance(n) > 1+len(n)/3 && !strings.HasPrefix(n, name+"-")
	})
	slices.SortStableFunc(near, func(a, b string) int { return distance(a) - distance(b) })
	return near[:min(3, len(near))]
}

// few is the beginning of a list of names, for messages.
func few(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// editDistance is the number of bytes to insert, delete or replace to make b of
// a (Levenshtein, 1966).
func editDistance(a, b string) int {
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
