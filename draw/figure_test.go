package draw

import (
	"encoding/xml"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFigure(t *testing.T) {
	nan := math.NaN()
	curves := []Curve{
		{Name: "with <heads>", Colour: 1, Points: []Point{{X: 0, Y: 1}, {X: 1, Y: nan}, {X: 2, Y: math.Inf(1)}, {X: 3, Y: 10}}},
		{Name: "with <heads>", Colour: 1, Points: []Point{{X: 0, Y: 2}, {X: 3, Y: 0}, {X: 4, Y: 100}}},
		{Colour: 2 + len(colours), Points: []Point{{X: 0, Y: 3}, {X: 3, Y: 4}}},
		{Name: "nothing of it can be drawn", Points: []Point{{X: nan, Y: 1}}},
	}
	text, err := Figure(Panel{Title: "linear", X: "epoch", Curves: curves}, Panel{Title: "logarithmic", Y: "norm", Log: true, Curves: curves}, Panel{Title: "empty", Log: true})
	require.NoError(t, err)
	var paths []string
	var words strings.Builder
	for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
		token, err := d.Token()
		if err != nil {
			require.EqualError(t, err, "EOF")
			break
		}
		switch x := token.(type) {
		case xml.StartElement:
			for _, a := range x.Attr {
				if a.Name.Local == "d" {
					paths = append(paths, a.Value)
				}
			}
		case xml.CharData:
			words.Write(x)
		}
	}
	for _, want := range []string{"linear", "logarithmic", "empty", "epoch", "norm", "with <heads>"} {
		assert.Contains(t, words.String(), want)
	}
	assert.Equal(t, 1, strings.Count(words.String(), "with <heads>"), "a name stands once")
	assert.NotContains(t, words.String(), "nothing of it")
	assert.NotContains(t, string(text), "NaN")
	colour := func(c int) int {
		r, g, b := colours[c].R, colours[c].G, colours[c].B
		return strings.Count(strings.ToLower(string(text)), strings.ToLower("#"+hex(r)+hex(g)+hex(b)))
	}
	assert.Equal(t, 2*2+1, colour(1), "two lines in two panels, and the legend")
	assert.Equal(t, 2, colour(2), "colours repeat")
	assert.Greater(t, len(paths), 6)
}

func hex(v uint8) string { const d = "0123456789abcdef"; return string(d[v>>4]) + string(d[v&15]) }

// Few points, equal points and points that an axis cannot show do not prevent a drawing: whatever
// is finite is inside its panel.
func TestFigureOfAnyPoints(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, values := range [][]float64{
		nil, {0.5}, {1}, {3, 3, 3}, {0}, {0, 0}, {-1}, {-2, -2}, {nan}, {inf, -inf}, {nan, 0.25, inf}, {0.1, 0.1 + 1e-17}, {1, 1 + 1e-12},
		{math.MaxFloat64, -math.MaxFloat64}, {5e-324, 1}, {5e-324}, {1e-300, 1e300}, {1e-99, 1e99}, {-1e99, 1e99}, {1e99, 1.0000000001e99}, {0, 1e-90},
		{0.999, 1.001}, {10, 10}, {1e-7, 3e-7},
	} {
		for _, log := range []bool{false, true} {
			name := fmt.Sprint(values, log)
			var points []Point
			for i, v := range values {
				points = append(points, Point{X: float64(i), Y: v})
			}
			text, err := Figure(Panel{Title: name, Log: log, Curves: []Curve{{Name: "one", Colour: 1, Points: points}}})
			require.NoError(t, err, name)
			requireInside(t, name, string(text))
			drawable := slices.ContainsFunc(values, func(v float64) bool { return math.Abs(v) <= largest && (!log || v >= smallest) })
			require.Equal(t, drawable, strings.Contains(strings.ToLower(string(text)), "#d55e00"), "%s: what can be drawn is, in its colour", name)
		}
	}
	points := func(v ...float64) (out []Point) {
		for i := 0; i+1 < len(v); i += 2 {
			out = append(out, Point{X: v[i], Y: v[i+1]})
		}
		return out
	}
	r := rand.New(rand.NewPCG(1, 2))
	special := []float64{0, 1, -1, nan, inf, -inf, math.MaxFloat64, 5e-324, 1e-100, 1e100}
	for i := range 200 {
		var v []float64
		for range 2 * r.IntN(5) {
			x := special[r.IntN(len(special))]
			if r.IntN(2) == 0 {
				x = r.NormFloat64() * math.Pow10(r.IntN(240)-120)
			}
			v = append(v, x)
		}
		name := fmt.Sprint(v)
		text, err := Figure(Panel{Title: "random", Log: i%2 == 0, Curves: []Curve{{Points: points(v...)}}})
		require.NoError(t, err, name)
		requireInside(t, name, string(text))
	}
}

// requireInside requires that all coordinates of a picture are numbers inside its page.
func requireInside(t *testing.T, name, text string) {
	t.Helper()
	require.NotRegexp(t, `NaN|Inf`, strings.ReplaceAll(text, name, ""), name)
	for _, d := range regexp.MustCompile(` d="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		for _, n := range regexp.MustCompile(`-?[0-9.]+(e[+-]?[0-9]+)?`).FindAllString(d[1], -1) {
			v, err := strconv.ParseFloat(n, 64)
			require.NoError(t, err)
			require.True(t, v > -100 && v < 1000, "%s: %s in %s", name, n, d[1])
		}
	}
}

// Equal values are in the middle of an axis, and a logarithmic axis names the powers of ten around
// its values.
func TestFigureLabels(t *testing.T) {
	text, err := Figure(Panel{Log: true, Curves: []Curve{{Points: []Point{{X: 1, Y: 0.5}}}}})
	require.NoError(t, err)
	for _, want := range []string{">0.1<", ">1<"} {
		require.Contains(t, string(text), want)
	}
	low, high := span{3, 3}.linear()
	require.InDelta(t, 3, (low+high)/2, 1e-12)
	require.Less(t, low, high)
	for _, r := range [][2]float64{{1.3435, 1.3439}, {0, 1}, {-1, 1}, {0.25, 1}, {1e9, 1e9 + 100}, {1e-9, 3e-9}, {-1e-12, 1e-12}, {0, 1e30}, {2.7, 3.3}, {98, 101}} {
		seen := map[string]bool{}
		for _, tick := range (linearTicks{}).Ticks(r[0], r[1]) {
			if tick.Label == "" {
				continue
			}
			require.False(t, seen[tick.Label], "the label %s stands twice in %v", tick.Label, r)
			seen[tick.Label] = true
			v, err := strconv.ParseFloat(tick.Label, 64)
			require.NoError(t, err)
			require.InDelta(t, tick.Value, v, (r[1]-r[0])/100, "%v", r)
			require.Less(t, len(tick.Label), 16, tick.Label)
		}
		require.Greater(t, len(seen), 1, "%v", r)
	}
	labels := 0
	for _, k := range decadeTicks(-99, 99) {
		if k.Label != "" {
			labels++
		}
	}
	require.True(t, labels > 2 && labels < 12, labels)
}

// A panic of the plotting library becomes an error.
func TestFigureFails(t *testing.T) {
	_, err := Figure()
	require.ErrorContains(t, err, "drawing: ")
}
