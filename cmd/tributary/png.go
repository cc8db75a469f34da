package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"strings"

	"github.com/fogleman/gg"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// Graphviz's own PNG renderer in its WebAssembly build draws no outlines. So a PNG is drawn here, from the drawing operations that
// Graphviz writes as JSON once it has laid a graph out (https://graphviz.org/docs/outputs/canon/#xdot).

const pixelsPerPoint = 2

// xdotOp is one drawing operation: of a pen (c, C, S, F), a shape (E, e, P, p, B, b, L) or a text (T).
type xdotOp struct {
	Op     string
	Color  string
	Points [][2]float64
	Rect   [4]float64 // centre and radii
	Style  string
	Size   float64
	Pt     [2]float64
	Align  string
	Text   string
}

// xdotThing is a node or an edge.
type xdotThing struct {
	Draw   []xdotOp `json:"_draw_"`
	Arrow  []xdotOp `json:"_tdraw_"`
	Arrow2 []xdotOp `json:"_hdraw_"`
	Label  []xdotOp `json:"_ldraw_"`
}

type xdotGraph struct {
	xdotThing
	Box     string `json:"bb"`
	Objects []xdotThing
	Edges   []xdotThing
}

// drawPNG draws a graph that Graphviz has laid out.
func drawPNG(layout []byte) ([]byte, error) {
	var g xdotGraph
	if err := json.Unmarshal(layout, &g); err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	var x0, y0, x1, y1 float64
	if _, err := fmt.Sscanf(g.Box, "%g,%g,%g,%g", &x0, &y0, &x1, &y1); err != nil {
		return nil, fmt.Errorf("drawing: box %q: %w", g.Box, err)
	}
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	const margin = 4
	c := gg.NewContext(int(pixelsPerPoint*(x1-x0+2*margin)), int(pixelsPerPoint*(y1-y0+2*margin)))
	c.SetColor(color.White)
	c.Clear()
	p := &pen{c: c, font: regular, at: func(x, y float64) (float64, float64) {
		return pixelsPerPoint * (x - x0 + margin), pixelsPerPoint * (y1 - y + margin) // Graphviz's y grows upwards
	}}
	for _, t := range append(append([]xdotThing{}, g.Edges...), g.Objects...) {
		for _, ops := range [][]xdotOp{t.Draw, t.Arrow, t.Arrow2, t.Label} {
			if err := p.draw(ops); err != nil {
				return nil, err
			}
		}
	}
	var b bytes.Buffer
	err = c.EncodePNG(&b)
	return b.Bytes(), err
}

// pen is what operations set for those that follow.
type pen struct {
	c           *gg.Context
	font        *opentype.Font
	at          func(x, y float64) (float64, float64)
	line, fill  string
	width, size float64
	face        font.Face
	faceSize    float64
	dashed      bool
}

func (p *pen) draw(ops []xdotOp) error {
	p.line, p.fill, p.width, p.dashed = "#000000", "#ffffff", 1, false
	for _, o := range ops {
		switch o.Op {
		case "c":
			p.line = o.Color
		case "C":
			p.fill = o.Color
		case "S":
			if _, err := fmt.Sscanf(o.Style, "setlinewidth(%g)", &p.width); err != nil {
				p.dashed = o.Style == "dashed"
			}
		case "F":
			p.size = o.Size
		case "E", "e":
			x, y := p.at(o.Rect[0], o.Rect[1])
			p.c.DrawEllipse(x, y, pixelsPerPoint*o.Rect[2], pixelsPerPoint*o.Rect[3])
			p.finish(o.Op == "E")
		case "P", "p", "L":
			for i, q := range o.Points {
				p.to(i, q)
			}
			if o.Op != "L" {
				p.c.ClosePath()
			}
			p.finish(o.Op == "P")
		case "B", "b":
			for i := 0; i+2 < len(o.Points); i += 3 {
				if i == 0 {
					p.to(0, o.Points[0])
				}
				if i+3 < len(o.Points) {
					ax, ay := p.at(o.Points[i+1][0], o.Points[i+1][1])
					bx, by := p.at(o.Points[i+2][0], o.Points[i+2][1])
					x, y := p.at(o.Points[i+3][0], o.Points[i+3][1])
					p.c.CubicTo(ax, ay, bx, by, x, y)
				}
			}
			p.finish(strings.EqualFold(o.Op, "b") && len(o.Points) > 0 && o.Points[0] == o.Points[len(o.Points)-1])
		case "T":
			if err := p.text(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pen) to(i int, q [2]float64) {
	x, y := p.at(q[0], q[1])
	if i == 0 {
		p.c.MoveTo(x, y)
	} else {
		p.c.LineTo(x, y)
	}
}

func (p *pen) finish(filled bool) {
	if filled {
		p.c.SetHexColor(p.fill)
		p.c.FillPreserve()
	}
	p.c.SetHexColor(p.line)
	p.c.SetLineWidth(pixelsPerPoint * p.width)
	p.c.SetDash()
	if p.dashed {
		p.c.SetDash(6, 4)
	}
	p.c.Stroke()
}

func (p *pen) text(o xdotOp) (err error) {
	if p.face == nil || p.faceSize != p.size {
		p.faceSize = p.size
		if p.face, err = opentype.NewFace(p.font, &opentype.FaceOptions{Size: p.size, DPI: 72 * pixelsPerPoint}); err != nil {
			return fmt.Errorf("drawing: %w", err)
		}
		p.c.SetFontFace(p.face)
	}
	x, y := p.at(o.Pt[0], o.Pt[1])
	p.c.SetHexColor(p.line)
	p.c.DrawStringAnchored(o.Text, x, y, map[string]float64{"l": 0, "c": 0.5, "r": 1}[o.Align], 0)
	return nil
}
