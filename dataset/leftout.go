package dataset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxEndings is the maximum number of file endings with a note of their own.
const maxEndings = 6

// leftOut counts the things beside images that are not read.
type leftOut struct {
	endings map[string]int // number of files by ending, in lower case
	packed  string         // a packed archive that may hold images
	hidden  int

	odd    tally // neither a file nor a folder
	loops  tally // links to folders above them
	deep   tally // folders too far below their class
	beside tally // images that lie in no class folder
	others tally // images of a WebDataset's samples beside the one that is read
}

// tally counts things and names the first.
type tally struct {
	n     int
	first string
}

func (t *tally) add(name string) { t.merge(tally{1, name}) }

func (t *tally) merge(u tally) {
	if t.n == 0 {
		t.first = u.first
	}
	t.n += u.n
}

func (l *leftOut) ending(ext string) {
	if l.endings == nil {
		l.endings = map[string]int{}
	}
	l.endings[ext]++
}

func (l *leftOut) merge(m *leftOut) {
	for ext, n := range m.endings {
		l.ending(ext)
		l.endings[ext] += n - 1
	}
	l.hidden += m.hidden
	l.odd.merge(m.odd)
	l.loops.merge(m.loops)
	l.deep.merge(m.deep)
	l.beside.merge(m.beside)
	l.others.merge(m.others)
}

// byNumber returns the endings, the most frequent first.
func (l *leftOut) byNumber() []string {
	return slices.SortedFunc(maps.Keys(l.endings), func(a, b string) int {
		return cmp.Or(l.endings[b]-l.endings[a], cmp.Compare(a, b))
	})
}

// instead returns text in brackets about the files that exist, or "" if there are none.
func (l *leftOut) instead() string {
	var out []string
	for i, ext := range l.byNumber() {
		if i < maxEndings {
			how := "end in " + ext
			if ext == "" {
				how = "have no ending"
			}
			out = append(out, fmt.Sprintf("%d %s", l.endings[ext], how))
		}
	}
	if out == nil {
		return ""
	}
	return " (of its files, " + strings.Join(out, ", ") + ")"
}

// notes returns one line for each kind of thing that was left out.
func (l *leftOut) notes() []string {
	var out []string
	say := func(n int, one, many string, args ...any) {
		if n == 1 {
			out = append(out, fmt.Sprintf(one, args...))
		} else if n > 1 {
			out = append(out, fmt.Sprintf(many, append([]any{n}, args...)...))
		}
	}
	rest := 0
	for i, ext := range l.byNumber() {
		switch n := l.endings[ext]; {
		case i >= maxEndings:
			rest += n
		case ext == "":
			say(n, "1 file whose name has no ending is left out", "%d files whose names have no ending are left out")
		default:
			say(n, "1 file ends in %s and is left out", "%d files end in %s and are left out", quoteName(ext))
		}
	}
	say(rest, "1 file with another ending is left out", "%d files with other endings are left out")
	say(l.hidden, "1 hidden file or folder is left out", "%d hidden files or folders are left out")
	say(l.beside.n, "1 image lies in no class folder and is left out: %s", "%d images lie in no class folder and are left out, such as %s", l.beside.first)
	say(l.deep.n, "1 folder lies too far below its class folder and is left out: %s", "%d folders lie too far below their class folders and are left out, such as %s", l.deep.first)
	say(l.odd.n, "1 entry is neither a file nor a folder and is left out: %s", "%d entries are neither files nor folders and are left out, such as %s", l.odd.first)
	say(l.loops.n, "1 link leads to a folder above it and is left out: %s", "%d links lead to folders above them and are left out, such as %s", l.loops.first)
	say(l.others.n, "1 image is another one of a sample, such as a mask, and is left out: %s", "%d images are others of a sample, such as masks, and are left out, such as %s", l.others.first)
	for i := range out {
		out[i] = quoteName(out[i])
	}
	return out
}
