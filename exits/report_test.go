package exits

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/draw"
)

// A report's files have each point's numbers where their names say.
func TestReport(t *testing.T) {
	counts := [][3]Counts{{{0, 0}, {0, 0}, {10, 7}}, {{2, 1}, {3, 3}, {5, 4}}, {{9, 5}, {1, 0}, {0, 0}}}
	r := &Report{Checkpoint: "run/last", Network: "net", Data: "set", Criterion: Entropy, Cascade: three}
	for i, c := range counts {
		p := Point{Threshold: 0.25 * float64(i), Outcome: Outcome{Images: 10, Exits: c[:]}}
		for _, x := range c {
			p.Correct += x.Correct
		}
		r.Points = append(r.Points, p)
	}
	macs := []float64{5, (2*1 + 3*2 + 5*5) / 10.0, (9*1 + 1*2) / 10.0} // of an image; the network without heads has 4
	correct := []int{7, 8, 5}

	text, err := r.File("curve.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"entropy", "images", "hits", "accuracy", "macs", "share", "left_aux1", "left_aux2", "left_main"}, rows[0])
	require.Len(t, rows, 4)
	for i, row := range rows[1:] {
		var got []float64
		for _, cell := range row {
			v, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			got = append(got, v)
		}
		want := []float64{0.25 * float64(i), 10, float64(correct[i]), float64(correct[i]) / 10, macs[i], macs[i] / 4}
		for _, x := range counts[i] {
			want = append(want, float64(x.Images))
		}
		require.InDeltaSlice(t, want, got, 1e-12, "line %d", i)
	}

	text, err = r.File("curve.json")
	require.NoError(t, err)
	var want strings.Builder
	for i, c := range counts {
		fmt.Fprintf(&want, `,{"threshold":%v,"hits":%d,"accuracy":%v,"macs":%v,"share":%v,"left":[%d,%d,%d]}`, 0.25*float64(i), correct[i],
			float64(correct[i])/10, macs[i], macs[i]/4, c[0].Images, c[1].Images, c[2].Images)
	}
	require.JSONEq(t, `{"checkpoint":"run/last","network":"net","data":"set","images":10,"measure":"entropy","whole_macs":4,
		"exits":[{"name":"aux1","macs":1},{"name":"aux2","macs":2},{"name":"main","macs":5}],"points":[`+want.String()[1:]+`]}`, string(text))
	require.True(t, json.Valid(text))

	text, err = r.File("curve.svg")
	require.NoError(t, err)
	figure, err := draw.Figure(draw.Panel{Title: "early exits by entropy, net", X: "multiply-accumulates (% of the network's)", Y: "accuracy (%)",
		Curves: []draw.Curve{
			{Name: "main head alone", Colour: 0, Points: []draw.Point{{X: 100, Y: 70}, {X: 27.5, Y: 70}}},
			{Name: "early exits", Colour: 2, Points: []draw.Point{{X: 125, Y: 70}, {X: 82.5, Y: 80}, {X: 27.5, Y: 50}}},
		}})
	require.NoError(t, err)
	require.Equal(t, string(figure), string(text))

	_, err = r.File("curve.png")
	require.ErrorContains(t, err, ".csv, .json, .svg")
}
