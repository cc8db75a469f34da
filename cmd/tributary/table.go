package main

import (
	"slices"
	"strings"
)

// cell is a column's two lines of heading and what stands in it in one row.
type cell struct {
	above, name string
	text        string
	width       int // at least
}

func (c cell) columns() int { return max(c.width, columns(c.above), columns(c.name)) }

// table writes rows below a heading. Where a row is wider than the terminal, its columns go on in the next line, and the heading's
// with them.
type table struct {
	layout []int // of the heading on the screen: the first column of each line; nil before there is one
}

// row writes cells as a row in lines of at most width columns, 0 for any number, below a heading where that is another than the last.
func (t *table) row(cells []cell, width int) string {
	layout := lay(cells, width)
	var out strings.Builder
	if !slices.Equal(layout, t.layout) {
		t.layout = layout
		out.WriteByte('\n')
		for i, from := range layout {
			line := cells[from:end(layout, i, len(cells))]
			writeCells(&out, line, i, func(c cell) string { return c.above })
			writeCells(&out, line, i, func(c cell) string { return c.name })
		}
	}
	for i, from := range layout {
		writeCells(&out, cells[from:end(layout, i, len(cells))], i, func(c cell) string { return c.text })
	}
	return out.String()
}

// continued is what the second line of a row and those that follow begin with.
const continued = "       "

// lay says which columns begin a line.
func lay(cells []cell, width int) []int {
	layout := []int{0}
	used := 0
	for i, c := range cells {
		n := c.columns()
		if i > 0 {
			n++ // the space before it
		}
		if width > 0 && i > 0 && used+n > width {
			layout = append(layout, i)
			used = len(continued)
		}
		used += n
	}
	return layout
}

// end is the column behind the last one of a line.
func end(layout []int, i, n int) int {
	if i+1 < len(layout) {
		return layout[i+1]
	}
	return n
}

// writeCells writes one line of a row, unless it is empty.
func writeCells(out *strings.Builder, cells []cell, line int, text func(cell) string) {
	var b strings.Builder
	if line > 0 {
		b.WriteString(continued)
	}
	for i, c := range cells {
		if i > 0 || line > 0 {
			b.WriteByte(' ')
		}
		s := text(c)
		b.WriteString(strings.Repeat(" ", max(0, c.columns()-columns(s))) + s)
	}
	if s := strings.TrimRight(b.String(), " "); s != "" {
		out.WriteString(s + "\n")
	}
}
