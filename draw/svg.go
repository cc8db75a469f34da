package draw

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// writer writes elements of SVG.
type writer struct{ bytes.Buffer }

// number returns a coordinate with at most two decimals.
func number(v float64) string {
	s := strconv.FormatFloat(math.Round(100*v)/100, 'f', -1, 64)
	if s == "-0" {
		return "0"
	}
	return s
}

// open begins an element. Attributes are pairs of a name and a string or a number; attributes with
// empty strings are left out.
func (w *writer) open(element string, attributes ...any) {
	w.WriteString("<" + element)
	for i := 0; i < len(attributes); i += 2 {
		value, ok := attributes[i+1].(string)
		if !ok {
			value = number(attributes[i+1].(float64))
		}
		if value == "" {
			continue
		}
		fmt.Fprintf(w, ` %s="`, attributes[i])
		w.escaped(value)
		w.WriteString(`"`)
	}
	w.WriteString(">")
}

func (w *writer) close(element string) { w.WriteString("</" + element + ">\n") }

func (w *writer) element(element string, attributes ...any) {
	w.open(element, attributes...)
	w.Truncate(w.Len() - 1)
	w.WriteString("/>\n")
}

func (w *writer) escaped(s string) { xml.EscapeText(w, []byte(s)) }

// note writes the text that is shown when the pointer is on an element.
func (w *writer) note(s string) {
	if s == "" {
		return
	}
	w.open("title")
	var lines []string
	for l := range strings.SplitSeq(s, "\n") {
		lines = append(lines, printable(l))
	}
	w.escaped(strings.TrimSpace(strings.Join(lines, "\n")))
	w.close("title")
}

func (w *writer) text(t text, at point, anchor string) {
	weight, adjust, length := "", "", any("")
	if t.bold {
		weight = "bold"
	}
	if t.exact {
		length, adjust = t.width, "spacingAndGlyphs"
	}
	w.open("text", "x", at.x, "y", at.y, "font-size", t.size, "font-weight", weight, "fill", t.colour, "text-anchor", anchor,
		"textLength", length, "lengthAdjust", adjust)
	w.escaped(t.words)
	w.close("text")
}

// svg returns the picture as SVG.
func (p *picture) svg() []byte {
	w := &writer{}
	w.open("svg", "xmlns", "http://www.w3.org/2000/svg", "width", p.width, "height", p.height,
		"viewBox", fmt.Sprintf("0 0 %s %s", number(p.width), number(p.height)), "font-family", fontFamily)
	w.WriteString("\n")
	w.note(p.title.words)
	w.element("rect", "width", p.width, "height", p.height, "fill", "#ffffff")
	if p.title.words != "" {
		w.text(p.title, point{margin, margin + 0.8*titleSize}, "")
	}
	for _, i := range p.frames {
		p.drawFrame(w, i)
	}
	drawn := map[string]bool{}
	for k := range p.lines {
		p.lines[k].draw(w, drawn)
	}
	for _, i := range p.boxes {
		i.drawNode(w)
	}
	w.close("svg")
	return w.Bytes()
}

func (p *picture) drawFrame(w *writer, i *item) {
	fill, stroke := "#fbfbfb", "#b5b5b5"
	if i.frame.Lane {
		fill, stroke = "#f1f3f5", ""
	}
	b := i.box
	w.open("g")
	w.note(i.note)
	w.element("rect", "x", b.x0, "y", b.y0, "width", b.x1-b.x0, "height", b.y1-b.y0, "rx", 8.0, "fill", fill, "stroke", stroke)
	for _, t := range i.texts {
		w.text(t, point{b.x0 + lanePad, b.y0 + 4 + t.size}, "")
	}
	w.close("g")
}

func (i *item) drawNode(w *writer) {
	n, b := i.node, i.box
	fill, stroke, width, round := n.Fill, "#8a8a8a", 1.0, 5.0
	if fill == "" {
		fill = "#ffffff"
	}
	if n.Stroke != "" {
		stroke, width = n.Stroke, 2
	}
	if n.Pill {
		round = (b.y1 - b.y0) / 2
	}
	w.open("g")
	w.note(i.note)
	w.element("rect", "x", b.x0, "y", b.y0, "width", b.x1-b.x0, "height", b.y1-b.y0, "rx", round, "fill", fill, "stroke", stroke, "stroke-width", width)
	y := b.y0 + padY
	for _, t := range i.texts {
		w.text(t, point{b.centre().x, y + t.size}, "middle")
		y += t.size * lineHeight
	}
	w.close("g")
}

// draw draws a line and its arrow. The arrow is drawn at the origin, pointing down, and then moved,
// so that a script can change its size. A beginning that several lines of the same look share is
// drawn once, unless the lines have IDs.
func (l *line) draw(w *writer, drawn map[string]bool) {
	e := l.edge
	colour, hidden := e.Colour, ""
	if colour == "" {
		colour = "#777777"
	}
	if e.Hidden {
		hidden = "hidden"
	}
	width := max(e.Width, 0.3)
	scale := arrowScale(width)
	tip, from := l.end(), l.before()
	if e.Back {
		tip, from = l.from, l.after()
	}
	back := towards(tip, from, 0.8*arrowLength*scale)
	var d strings.Builder
	put := func(command string, points ...point) {
		d.WriteString(command)
		for i, q := range points {
			if i > 0 {
				d.WriteString(" ")
			}
			d.WriteString(number(q.x) + "," + number(q.y))
		}
	}
	start := l.from
	if e.Back {
		start = back
	}
	put("M", start)
	for i, s := range l.parts {
		to := s.to
		if i == len(l.parts)-1 && !e.Back {
			to = back
		}
		look := fmt.Sprint(start, s, colour, width, e.Hidden)
		if drawn[look] && e.ID == "" {
			d.Reset()
			put("M", to)
		} else if s.straight {
			put("L", to)
		} else {
			put("C", s.a, s.b, to)
		}
		drawn[look] = true
		start = to
	}
	angle := math.Atan2(tip.y-from.y, tip.x-from.x)*180/math.Pi - 90
	w.open("g", "id", e.ID, "visibility", hidden)
	w.note(e.Note)
	w.element("path", "d", d.String(), "fill", "none", "stroke", colour, "stroke-width", width)
	w.element("polygon", "points", fmt.Sprintf("0,0 %s,%s %s,%s", number(-arrowWidth/2), number(-arrowLength), number(arrowWidth/2), number(-arrowLength)),
		"fill", colour, "transform", fmt.Sprintf("translate(%s %s) rotate(%s) scale(%s)", number(tip.x), number(tip.y), number(angle), number(scale)))
	w.close("g")
}

// ThinLine is the width above which the arrow grows with the line.
const ThinLine = 4.0

func arrowScale(width float64) float64 { return max(1, width/ThinLine) }

// before returns a point before the line's end, in its last direction.
func (l *line) before() point {
	last := l.parts[len(l.parts)-1]
	if !last.straight {
		return last.b
	}
	if len(l.parts) > 1 {
		return l.parts[len(l.parts)-2].to
	}
	return l.from
}

// after returns a point after the line's beginning, in its first direction.
func (l *line) after() point {
	if l.parts[0].straight {
		return l.parts[0].to
	}
	return l.parts[0].a
}
