package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// quoteName returns the name of a file or a folder as UTF-8 text. A name that is UTF-8 is
// unchanged. In other names every byte that is not UTF-8 is written as \xE9, because class names go
// into JSON, YAML and metadata, which hold only UTF-8, and must stay distinct.
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

// few returns the beginning of a list of names, for messages.
func few(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
