package exits

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/draw"
)

// Report is a curve and what it was measured on.
type Report struct {
	Checkpoint, Network, Data string
	Criterion                 Criterion
	Cascade                   *Cascade
	Points                    []Point // from Curve: the first lets no image leave
}

// formats are the formats of a report, by the ending of a file's name.
var formats = map[string]func(*Report) ([]byte, error){".csv": (*Report).CSV, ".json": (*Report).JSON, ".svg": (*Report).SVG}

// FileEndings returns the endings of names that Report.File knows.
func FileEndings() []string { return slices.Sorted(maps.Keys(formats)) }

// File returns the report in the format of a file name's ending: .csv, .json or .svg.
func (r *Report) File(name string) ([]byte, error) {
	if len(r.Points) == 0 {
		return nil, errors.New("a curve of early exits without points")
	}
	f, ok := formats[strings.ToLower(filepath.Ext(name))]
	if !ok {
		return nil, fmt.Errorf("%s: the points of a curve are written to a file that ends in %s", name, strings.Join(FileEndings(), ", "))
	}
	return f(r)
}

// SVG returns a drawing of accuracy against computation.
func (r *Report) SVG() ([]byte, error) {
	var early []draw.Point
	for _, p := range r.Points {
		early = append(early, draw.Point{X: 100 * p.Share(r.Cascade), Y: 100 * p.Accuracy()})
	}
	alone := 100 * r.Points[0].Accuracy() // at the threshold that lets no image leave
	return draw.Figure(draw.Panel{Title: fmt.Sprintf("early exits by %s, %s", r.Criterion, r.Network),
		X: "multiply-accumulates (% of the network's)", Y: "accuracy (%)", Curves: []draw.Curve{
			{Name: "main head alone", Colour: 0, Points: []draw.Point{{X: 100, Y: alone}, {X: early[len(early)-1].X, Y: alone}}},
			{Name: "early exits", Colour: 2, Points: early},
		}})
}

// CSV returns a line with the names of the columns, and a line for each point.
func (r *Report) CSV() ([]byte, error) {
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	header := []string{string(r.Criterion), "images", "hits", "accuracy", "macs", "share"}
	for _, n := range r.Cascade.Names() {
		header = append(header, "left_"+n)
	}
	out.Write(header)
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, p := range r.Points {
		row := []string{float(p.Threshold), strconv.Itoa(p.Images), strconv.Itoa(p.Correct), float(p.Accuracy()), float(p.MACs(r.Cascade)), float(p.Share(r.Cascade))}
		for _, n := range p.Exits {
			row = append(row, strconv.Itoa(n.Images))
		}
		out.Write(row)
	}
	out.Flush()
	return text.Bytes(), out.Error()
}

// JSON returns the whole report as JSON.
func (r *Report) JSON() ([]byte, error) {
	type exit struct {
		Name string `json:"name"`
		At   string `json:"at,omitempty"`
		MACs int64  `json:"macs"`
	}
	type point struct {
		Threshold float64 `json:"threshold"`
		Hits      int     `json:"hits"`
		Accuracy  float64 `json:"accuracy"`
		MACs      float64 `json:"macs"`
		Share     float64 `json:"share"`
		Left      []int   `json:"left"` // at each exit
	}
	all := struct {
		Checkpoint string  `json:"checkpoint"`
		Network    string  `json:"network"`
		Data       string  `json:"data"`
		Images     int     `json:"images"`
		Measure    string  `json:"measure"`
		WholeMACs  int64   `json:"whole_macs"`
		Exits      []exit  `json:"exits"`
		Points     []point `json:"points"`
	}{r.Checkpoint, r.Network, r.Data, r.Points[0].Images, string(r.Criterion), r.Cascade.Whole, nil, nil}
	for _, x := range r.Cascade.Exits {
		all.Exits = append(all.Exits, exit{x.Name, x.At, x.MACs})
	}
	for _, p := range r.Points {
		y := point{p.Threshold, p.Correct, p.Accuracy(), p.MACs(r.Cascade), p.Share(r.Cascade), nil}
		for _, n := range p.Exits {
			y.Left = append(y.Left, n.Images)
		}
		all.Points = append(all.Points, y)
	}
	text, err := json.Marshal(all)
	return append(text, '\n'), err
}
