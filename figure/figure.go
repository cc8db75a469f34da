// Package figure draws measured curves side by side, as SVG.
package figure

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours are Okabe and Ito's, which colour-blind people tell apart.
var colours = []color.RGBA{{0, 0, 0, 255}, {213, 94, 0, 255}, {0, 114, 178, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}}

// Point is one of a curve.
type Point = plotter.XY

// Curve is a line through points. Those that cannot be drawn are left out: not finite, or not above zero on a logarithmic axis.
type Curve struct {
	Name   string // in the legend, once; empty: not there
	Colour int    // curves of one number have one colour; they repeat
	Points []Point
}

// Panel is one chart.
type Panel struct {
	Title, X, Y string
	Log         bool // the y axis
	Curves      []Curve
}

// SVG draws panels side by side, and below them the legend.
func SVG(panels ...Panel) ([]byte, error) {
	const width, height, entry = 10 * vg.Centimeter, 8 * vg.Centimeter, vg.Centimeter / 2
	legend := newLegend()
	row := make([]*plot.Plot, len(panels))
	for i, panel := range panels {
		p, err := panel.plot(legend)
		if err != nil {
			return nil, fmt.Errorf("drawing %q: %w", panel.Title, err)
		}
		row[i] = p
	}
	below := entry * vg.Length(len(legend.named))
	canvas := vgsvg.New(width*vg.Length(len(panels)), height+below)
	page := draw.New(canvas)
	page.FillPolygon(color.White, []vg.Point{page.Min, {X: page.Max.X, Y: page.Min.Y}, page.Max, {X: page.Min.X, Y: page.Max.Y}})
	const space = 4 * vg.Millimeter
	tiles := draw.Tiles{Rows: 1, Cols: len(row), PadX: space, PadLeft: space / 2, PadRight: space, PadTop: space / 2, PadBottom: space / 2}
	for i, c := range plot.Align([][]*plot.Plot{row}, tiles, draw.Crop(page, 0, 0, below, 0))[0] {
		row[i].Draw(c)
	}
	legend.Draw(draw.Crop(page, space, 0, 0, -height))
	var out bytes.Buffer
	_, err := canvas.WriteTo(&out)
	return out.Bytes(), err
}

// legend has an entry for each name.
type legend struct {
	plot.Legend
	named map[string]bool
}

func newLegend() *legend {
	l := &legend{plot.NewLegend(), map[string]bool{}}
	l.Top, l.Left, l.Padding = true, true, vg.Millimeter
	return l
}

func (l *legend) add(name string, line *plotter.Line) {
	if name != "" && !l.named[name] {
		l.named[name] = true
		l.Add(name, line)
	}
}

func (panel Panel) plot(l *legend) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = panel.Title, panel.X, panel.Y
	p.Add(plotter.NewGrid())
	drawn := false
	for _, c := range panel.Curves {
		points := panel.drawable(c.Points)
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colours[c.Colour%len(colours)], vg.Points(1.2)
		p.Add(line)
		l.add(c.Name, line)
		drawn = true
	}
	if panel.Log && drawn {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	return p, nil
}

func (panel Panel) drawable(points []Point) plotter.XYs {
	var out plotter.XYs
	for _, q := range points {
		if finite(q.X) && finite(q.Y) && !(panel.Log && q.Y <= 0) {
			out = append(out, q)
		}
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
