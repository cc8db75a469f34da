package figure

import (
	"encoding/xml"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSVG(t *testing.T) {
	nan := math.NaN()
	curves := []Curve{
		{Name: "with <heads>", Colour: 1, Points: []Point{{X: 0, Y: 1}, {X: 1, Y: nan}, {X: 2, Y: math.Inf(1)}, {X: 3, Y: 10}}},
		{Name: "with <heads>", Colour: 1, Points: []Point{{X: 0, Y: 2}, {X: 3, Y: 0}, {X: 4, Y: 100}}},
		{Colour: 2 + len(colours), Points: []Point{{X: 0, Y: 3}, {X: 3, Y: 4}}},
		{Name: "nothing of it can be drawn", Points: []Point{{X: nan, Y: 1}}},
	}
	text, err := SVG(Panel{Title: "linear", X: "epoch", Curves: curves}, Panel{Title: "logarithmic", Y: "norm", Log: true, Curves: curves}, Panel{Title: "empty", Log: true})
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
