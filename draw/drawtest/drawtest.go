// Package drawtest checks drawings of networks from their SVG: everything in them must be visible.
package drawtest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"

	"github.com/tributary-ml/tributary/draw"
)

// Box is a rectangle of a drawing with its texts.
type Box struct {
	X0, Y0, X1, Y1 float64
	Note           string
	Texts          []Text
}

// Text is a line of text of a drawing.
type Text struct {
	X, Y, Size, Length   float64
	Weight, Anchor, Text string
}

// typeface returns a function that measures texts in a font of the drawings' font family.
func typeface(t *testing.T, data []byte) func(Text) float64 {
	t.Helper()
	f, err := opentype.Parse(data)
	require.NoError(t, err)
	const em = 1000
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: em, DPI: 72})
	require.NoError(t, err)
	return func(x Text) float64 { return x.Size * float64(font.MeasureString(face, x.Text)) / 64 / em }
}

// Line is a line of a drawing: points along it, and the tip of its arrow.
type Line struct {
	Points []Point
	Tip    Point
	Width  float64
	Hidden bool
}

// Point is a place in a drawing.
type Point struct{ X, Y float64 }

// Drawing is the content of a drawing, in the order of its network's description.
type Drawing struct {
	Page   Box
	Frames []Box
	Nodes  []Box
	Lines  []Line
}

// Read reads a network's drawing.
func Read(t *testing.T, n *draw.Network) *Drawing {
	t.Helper()
	svg, err := n.SVG()
	require.NoError(t, err)
	var root struct {
		ViewBox string `xml:"viewBox,attr"`
		Groups  []struct {
			Visibility string `xml:"visibility,attr"`
			Title      string `xml:"title"`
			Rect       *struct {
				X      float64 `xml:"x,attr"`
				Y      float64 `xml:"y,attr"`
				Width  float64 `xml:"width,attr"`
				Height float64 `xml:"height,attr"`
			} `xml:"rect"`
			Texts []struct {
				X      float64 `xml:"x,attr"`
				Y      float64 `xml:"y,attr"`
				Size   float64 `xml:"font-size,attr"`
				Length float64 `xml:"textLength,attr"`
				Weight string  `xml:"font-weight,attr"`
				Anchor string  `xml:"text-anchor,attr"`
				Text   string  `xml:",chardata"`
			} `xml:"text"`
			Path *struct {
				D     string  `xml:"d,attr"`
				Width float64 `xml:"stroke-width,attr"`
			} `xml:"path"`
			Polygon *struct {
				Transform string `xml:"transform,attr"`
			} `xml:"polygon"`
		} `xml:"g"`
	}
	require.NoError(t, xml.Unmarshal(svg, &root))
	RequireInert(t, svg)
	require.Len(t, root.Groups, len(n.Frames)+len(n.Edges)+len(n.Nodes))
	d := &Drawing{}
	_, err = fmt.Sscanf(root.ViewBox, "0 0 %f %f", &d.Page.X1, &d.Page.Y1)
	require.NoError(t, err)
	for i, g := range root.Groups {
		if g.Path != nil {
			l := Line{Width: g.Path.Width, Hidden: g.Visibility == "hidden", Points: points(t, g.Path.D)}
			_, err := fmt.Sscanf(g.Polygon.Transform, "translate(%f %f)", &l.Tip.X, &l.Tip.Y)
			require.NoError(t, err)
			d.Lines = append(d.Lines, l)
			continue
		}
		b := Box{X0: g.Rect.X, Y0: g.Rect.Y, X1: g.Rect.X + g.Rect.Width, Y1: g.Rect.Y + g.Rect.Height, Note: g.Title}
		for _, x := range g.Texts {
			b.Texts = append(b.Texts, Text(x))
		}
		if i < len(n.Frames) {
			d.Frames = append(d.Frames, b)
		} else {
			d.Nodes = append(d.Nodes, b)
		}
	}
	return d
}

// RequireInert requires that SVG is well-formed and has only the elements and attributes that
// drawings consist of: no script, no link, no style.
func RequireInert(t *testing.T, svg []byte) {
	t.Helper()
	elements := []string{"svg", "title", "rect", "g", "text", "path", "polygon"}
	attributes := []string{"xmlns", "width", "height", "viewBox", "font-family", "x", "y", "rx", "fill", "stroke", "stroke-width", "font-size", "font-weight",
		"text-anchor", "textLength", "lengthAdjust", "id", "visibility", "d", "points", "transform"}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		switch x := token.(type) {
		case xml.StartElement:
			require.Contains(t, elements, x.Name.Local)
			for _, a := range x.Attr {
				require.Contains(t, attributes, a.Name.Local)
				require.NotContains(t, a.Value, "NaN")
			}
		case xml.CharData, xml.EndElement:
		default:
			require.Fail(t, "an unexpected part", "%T", token)
		}
	}
}

// points returns points along a path of M, L and C.
func points(t *testing.T, d string) (out []Point) {
	t.Helper()
	numbers := func(s string) (v []float64) {
		for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
			x, err := strconv.ParseFloat(f, 64)
			require.NoError(t, err, d)
			v = append(v, x)
		}
		return v
	}
	for d != "" {
		end := strings.IndexAny(d[1:], "MLC") + 1
		if end == 0 {
			end = len(d)
		}
		v := numbers(d[1:end])
		switch d[0] {
		case 'M':
			out = append(out, Point{v[0], v[1]})
		case 'L':
			a := out[len(out)-1]
			for i := range 20 {
				s := float64(i+1) / 20
				out = append(out, Point{a.X + s*(v[0]-a.X), a.Y + s*(v[1]-a.Y)})
			}
		case 'C':
			a := out[len(out)-1]
			for i := range 20 {
				s := float64(i+1) / 20
				mix := func(p, q, r, z float64) float64 {
					return (1-s)*(1-s)*(1-s)*p + 3*(1-s)*(1-s)*s*q + 3*(1-s)*s*s*r + s*s*s*z
				}
				out = append(out, Point{mix(a.X, v[0], v[2], v[4]), mix(a.Y, v[1], v[3], v[5])})
			}
		default:
			require.Fail(t, "an unexpected command", d)
		}
		d = d[end:]
	}
	return out
}

// slack is the allowed error of coordinates, which have two decimals.
const slack = 0.1

func (b Box) overlaps(o Box) bool {
	return b.X0 < o.X1-slack && o.X0 < b.X1-slack && b.Y0 < o.Y1-slack && o.Y0 < b.Y1-slack
}

func (b Box) contains(o Box) bool {
	return b.X0 <= o.X0+slack && o.X1 <= b.X1+slack && b.Y0 <= o.Y0+slack && o.Y1 <= b.Y1+slack
}

func (b Box) has(p Point) bool {
	return b.X0+slack < p.X && p.X < b.X1-slack && b.Y0+slack < p.Y && p.Y < b.Y1-slack
}

// from returns the distance of a point from the box's border.
func (b Box) from(p Point) float64 {
	dx, dy := max(b.X0-p.X, 0, p.X-b.X1), max(b.Y0-p.Y, 0, p.Y-b.Y1)
	if dx == 0 && dy == 0 {
		return min(p.X-b.X0, b.X1-p.X, p.Y-b.Y0, b.Y1-p.Y)
	}
	return math.Hypot(dx, dy)
}

// Check requires that everything in a network's drawing is visible. No box overlaps another one or
// leaves its frame. No text leaves its box. No line runs through a box or a frame in which it does
// not end. Every line's ends are at its boxes. A node beside another one is right of it, and near.
// The same network must give the same bytes.
func Check(t *testing.T, n *draw.Network) *Drawing {
	t.Helper()
	d := Read(t, n)
	one, err := n.SVG()
	require.NoError(t, err)
	two, err := n.SVG()
	require.NoError(t, err)
	require.Equal(t, one, two)

	faces := map[string]func(Text) float64{"": typeface(t, liberationsansregular.TTF), "bold": typeface(t, liberationsansbold.TTF)}
	parents := map[string]string{}
	boxes := map[string]Box{}
	var names []string
	for i, f := range n.Frames {
		parents[f.Name], boxes[f.Name] = f.In, d.Frames[i]
		names = append(names, f.Name)
	}
	for i, x := range n.Nodes {
		parents[x.Name], boxes[x.Name] = x.In, d.Nodes[i]
		names = append(names, x.Name)
	}
	inside := func(a, b string) bool { // reports whether b is a or a frame around it
		for ; a != ""; a = parents[a] {
			if a == b {
				return true
			}
		}
		return false
	}
	for i, a := range names {
		require.True(t, d.Page.contains(boxes[a]), "%s is on the page", a)
		if in := parents[a]; in != "" {
			require.True(t, boxes[in].contains(boxes[a]), "%s is in %s", a, in)
		}
		for _, b := range names[i+1:] {
			if boxes[a].overlaps(boxes[b]) && !inside(a, b) && !inside(b, a) {
				require.Fail(t, "boxes overlap", "%s and %s", a, b)
			}
		}
		b := boxes[a]
		for k, x := range b.Texts {
			require.True(t, x.Y-0.7*x.Size >= b.Y0-slack && x.Y+0.2*x.Size <= b.Y1+slack, "%q is in %s", x.Text, a)
			left, width := x.X, x.Length
			if width == 0 {
				width = faces[x.Weight](x)
			}
			if x.Anchor == "middle" {
				left -= width / 2
			}
			require.True(t, left >= b.X0 && left+width <= b.X1, "%q is in %s", x.Text, a)
			if k > 0 {
				require.Greater(t, x.Y-b.Texts[k-1].Y, 0.9*x.Size, "lines of %s", a)
			}
		}
	}
	for i, x := range n.Nodes {
		if x.Beside != "" {
			a, b := boxes[x.Beside], d.Nodes[i]
			require.True(t, b.X0 > a.X1 && b.X0-a.X1 < 40, "%s is beside %s", x.Name, x.Beside)
			require.True(t, b.Y0 < a.Y1+60 && a.Y0 < b.Y1+60, "%s is at the height of %s", x.Name, x.Beside)
		}
	}
	for i, e := range n.Edges {
		l := d.Lines[i]
		name := fmt.Sprintf("the line from %s to %s", e.From, e.To)
		require.Equal(t, e.Hidden, l.Hidden, name)
		from, to := boxes[e.From], boxes[e.To]
		first, last := l.Points[0], l.Points[len(l.Points)-1]
		arrow := 7.5 * max(1, l.Width/draw.ThinLine)
		if e.Back {
			require.Less(t, from.from(l.Tip), slack, name)
			require.Less(t, to.from(last), slack, name)
			require.Less(t, math.Hypot(first.X-l.Tip.X, first.Y-l.Tip.Y), arrow, name)
		} else {
			require.Less(t, to.from(l.Tip), slack, name)
			require.Less(t, math.Hypot(last.X-l.Tip.X, last.Y-l.Tip.Y), arrow, name)
			if from.from(first) > slack { // it begins like an earlier line
				shared := false
				for k, o := range n.Edges[:i] {
					shared = shared || o.From == e.From && slices.Contains(d.Lines[k].Points, first)
				}
				require.True(t, shared, name)
			}
		}
		for _, b := range names {
			if inside(e.From, b) || inside(e.To, b) {
				if b != e.From && b != e.To {
					continue
				}
			}
			box := boxes[b]
			for _, p := range l.Points {
				if box.has(p) {
					require.Fail(t, "a line runs through a box", "%s runs through %s at %v", name, b, p)
				}
			}
		}
	}
	return d
}
