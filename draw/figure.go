package draw

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours are Okabe and Ito's, which colour-blind people can tell apart.
var colours = []color.RGBA{{0, 0, 0, 255}, {213, 94, 0, 255}, {0, 114, 178, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}}

// Point is a point of a curve.
type Point = plotter.XY

// Curve is a line through points. Points that cannot be drawn are left out: not finite, beyond
// ±1e100, or, on a logarithmic axis, not above 1e-100. A curve of one point is a dot.
type Curve struct {
	Name   string // in the legend, once for each name; empty: not in the legend
	Colour int    // curves with the same number have the same colour; colours repeat
	Points []Point
}

// Panel is one chart.
type Panel struct {
	Title, X, Y string
	Log         bool // the y axis
	Curves      []Curve
}

// Figure draws panels side by side and the legend below them. For any points it returns a drawing
// or an error.
func Figure(panels ...Panel) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // the plotting library panics if it cannot draw
			text, err = nil, fmt.Errorf("drawing: %v", r)
		}
	}()
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
	_, err = canvas.WriteTo(&out)
	return out.Bytes(), err
}

// legend has one entry for each name.
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
	var drawn plotter.XYs
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
		if len(points) == 1 {
			dot, err := plotter.NewScatter(points)
			if err != nil {
				return nil, err
			}
			dot.Color, dot.Shape, dot.Radius = line.Color, draw.CircleGlyph{}, vg.Points(2)
			p.Add(dot)
		}
		l.add(c.Name, line)
		drawn = append(drawn, points...)
	}
	// The ranges are chosen here, because the library's range for equal values is ±1, which a
	// logarithmic axis cannot have.
	x, y := rangeOf(drawn, func(q Point) float64 { return q.X }), rangeOf(drawn, func(q Point) float64 { return q.Y })
	p.X.Tick.Marker, p.Y.Tick.Marker = linearTicks{}, linearTicks{}
	p.X.Min, p.X.Max = x.linear()
	p.Y.Min, p.Y.Max = y.linear()
	if panel.Log && len(drawn) > 0 {
		low, high := y.decades()
		p.Y.Min, p.Y.Max = math.Pow10(low), math.Pow10(high)
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decadeTicks(low, high)
	}
	return p, nil
}

// largest and smallest bound the values that are drawn, because the library's axes fail near the
// ends of float64.
const largest, smallest = 1e100, 1e-100

func (panel Panel) drawable(points []Point) plotter.XYs {
	var out plotter.XYs
	for _, q := range points {
		if math.Abs(q.X) <= largest && math.Abs(q.Y) <= largest && !(panel.Log && q.Y < smallest) { // NaN fails the comparisons
			out = append(out, q)
		}
	}
	return out
}

// span is the range of some values.
type span struct{ low, high float64 }

func rangeOf(points plotter.XYs, value func(Point) float64) span {
	s := span{math.Inf(1), math.Inf(-1)}
	for _, q := range points {
		s.low, s.high = min(s.low, value(q)), max(s.high, value(q))
	}
	if s.low > s.high {
		return span{0, 1}
	}
	return s
}

// linear returns the span, widened if its values are equal up to rounding.
func (s span) linear() (low, high float64) {
	size := max(math.Abs(s.low), math.Abs(s.high))
	switch {
	case size < smallest:
		return -1, 1
	case s.high-s.low < 1e-6*size:
		return s.low - size/10, s.high + size/10
	}
	return s.low, s.high
}

// decades returns the powers of ten that enclose a span above zero.
func (s span) decades() (low, high int) {
	low, high = int(math.Floor(math.Log10(s.low))), int(math.Ceil(math.Log10(s.high)))
	return low, max(high, low+1)
}

// linearTicks are the library's ticks, with labels that have enough digits to differ.
type linearTicks struct{}

// Ticks implements plot.Ticker.
func (linearTicks) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	var labelled []*plot.Tick
	for i := range ticks {
		if ticks[i].Label != "" {
			labelled = append(labelled, &ticks[i])
		}
	}
	if len(labelled) < 2 {
		return ticks
	}
	step := math.Abs(labelled[1].Value - labelled[0].Value)
	decimals := max(0, -int(math.Floor(math.Log10(step))))
	if rest := step * math.Pow10(decimals); math.Abs(rest-math.Round(rest)) > 0.01 {
		decimals++ // 0.25
	}
	size := max(math.Abs(low), math.Abs(high))
	for _, t := range labelled {
		if decimals <= 6 && size < 1e7 {
			t.Label = strconv.FormatFloat(t.Value, 'f', decimals, 64)
		} else if t.Label = "0"; math.Abs(t.Value) > step/1000 {
			t.Label = strconv.FormatFloat(t.Value, 'g', min(17, 2+int(math.Log10(size/step))), 64)
		}
	}
	return ticks
}

// decadeTicks labels up to about eight powers of ten, and adds marks between them if there is room.
func decadeTicks(low, high int) (ticks plot.ConstantTicks) {
	step := 1 + (high-low)/8
	for e := low; e <= high; e++ {
		t := plot.Tick{Value: math.Pow10(e)}
		if (e-low)%step == 0 {
			t.Label = strconv.FormatFloat(t.Value, 'g', -1, 64)
		}
		ticks = append(ticks, t)
		for i := 2; i < 10 && step == 1 && e < high; i++ {
			ticks = append(ticks, plot.Tick{Value: float64(i) * t.Value})
		}
	}
	return ticks
}
