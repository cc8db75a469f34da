package main

import (
	"slices"
	"strings"
)

// cell is a column's heading of two lines, and its text in one row.
type cell struct {
	above, name string
	text        string
	width       int // minimum width
}

func (c cell) columns() int { return max(c.width, columns(c.above), columns(c.name)) }

// table writes rows below a heading. If a row is wider than the terminal, it continues in further
// lines, and so does the heading.
type table struct {
	layout []int // of the heading on the screen: the first column of each line; nil before the first heading
}

// row returns cells as a row in lines of at most width columns (0: any number). It begins with a
// heading if that differs from the last one.
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

// continued is the beginning of each further line of a row.
const continued = "       "

// lay returns the columns that begin a line.
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

// end returns the column after the last one of a line.
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
