package auxhead

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

var defaults = Defaults{
	Kind: "torchvision", Weight: 0.3,
	Specs: []Spec{
		{Name: "aux1", At: "inception4a", Kind: "torchvision", Weight: 0.3},
		{Name: "aux2", At: "inception4d", Kind: "torchvision", Weight: 0.3},
	},
}

func TestParseSpecs(t *testing.T) {
	for text, want := range map[string][]Spec{
		"default":                             defaults.Specs,
		" none ":                              {},
		"inception3b":                         {{At: "inception3b", Kind: "torchvision", Weight: 0.3}},
		"inception3b:0.1":                     {{At: "inception3b", Kind: "torchvision", Weight: 0.1}},
		"inception3b:0:gap":                   {{At: "inception3b", Kind: "gap"}},
		"inception3b::gap":                    {{At: "inception3b", Kind: "gap", Weight: 0.3}},
		"inception4d:1":                       {{Name: "aux2", At: "inception4d", Kind: "torchvision", Weight: 1}}, // one of the network's own heads
		"inception4d::gap":                    {{At: "inception4d", Kind: "gap", Weight: 0.3}},
		"every:3":                             {{At: "every:3", Kind: "torchvision", Weight: 0.3}},
		" every : 02 : 0.1:gap,inception4d":   {{At: "every:2", Kind: "gap", Weight: 0.1}, defaults.Specs[1]},
		"inception4?/tower3x3 , inception5b ": {{At: "inception4?/tower3x3", Kind: "torchvision", Weight: 0.3}, {At: "inception5b", Kind: "torchvision", Weight: 0.3}},
	} {
		got, err := ParseSpecs(text, defaults)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := ParseSpecs(Format(got), defaults)
		require.NoError(t, err, Format(got))
		assert.Equal(t, got, again)
	}
}

func TestParseAuto(t *testing.T) {
	for text, want := range map[string]Spec{
		" auto ":             {At: Auto, Weight: 0.3},
		"auto:0.1":           {At: Auto, Weight: 0.1},
		"auto::gap":          {At: Auto, Weight: 0.3, Kind: "gap"},
		"auto:1:torchvision": {At: Auto, Weight: 1, Kind: "torchvision"},
	} {
		got, ok, err := ParseAuto(text, defaults)
		require.NoError(t, err, text)
		require.True(t, ok, text)
		assert.Equal(t, want, got)
		again, _, err := ParseAuto(got.String(), defaults)
		require.NoError(t, err, text)
		assert.Equal(t, got, again)
	}
	for _, text := range []string{"default", "none", "inception4a", "autos"} {
		_, ok, err := ParseAuto(text, defaults)
		require.NoError(t, err, text)
		require.False(t, ok, text)
	}
	_, ok, err := ParseAuto("auto:x", defaults)
	require.ErrorContains(t, err, `at position 6: weight "x"`)
	require.False(t, ok)
}

func TestParseSpecsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                      `heads "": at position 1: a head needs a place`,
		"a,":                    `at position 3: a head needs a place`,
		"a,,b":                  `at position 3: a head needs a place`,
		"a:x":                   `heads "a:x": at position 3: weight "x" is not a number of at least 0`,
		"abc, d : -1":           `at position 10: weight "-1" is not a number of at least 0`,
		"a:NaN":                 `at position 3: weight "NaN"`,
		"a:1e999":               `at position 3: weight "1e999"`,
		"a:1:":                  `at position 5: no kind after the colon; leave the colon out for the network's kind (torchvision)`,
		"a:1:gapp":              `at position 5: unknown kind of head "gapp"; the nearest: gap`,
		"a:1:gap:2":             `at position 9: "2" is too much: a head is where[:weight[:kind]]`,
		" auto:0.1":             `the places of auto heads come from a short run: only train, gradflow and ablate look for them`,
		"inception4a,auto":      `at position 13: "auto" stands alone, not in a list`,
		"inception4a, default":  `at position 14: "default" stands alone, not in a list`,
		"none:0.3":              `at position 1: "none" stands alone`,
		"every":                 `heads "every": at position 6: a head on every N-th module needs a whole number from 1, such as every:2`,
		"a, every:0":            `at position 10: a head on every N-th module`,
		"every:x:0.3":           `at position 7: a head on every N-th module`,
		"every:2:x":             `at position 9: weight "x"`,
		"every:2:0.3:gap:1":     `at position 17: "1" is too much`,
		"inception4a:0.3:gap,:": `at position 21: a head needs a place`,
	} {
		_, err := ParseSpecs(text, defaults)
		assert.ErrorContains(t, err, want)
		var p *ParseError
		assert.ErrorAs(t, err, &p)
	}
}

func FuzzParseSpecs(f *testing.F) {
	for _, s := range []string{"default", "none", "a", "a:1:gap,b::gap", "x[a-c]*:0.25", ":", ",,", "a:0x1p-2", " a :1", "é:1", "every:2:1:gap", " every :"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		specs, err := ParseSpecs(text, defaults)
		if err != nil {
			var p *ParseError
			require.ErrorAs(t, err, &p)
			require.True(t, p.Pos >= 0 && p.Pos <= len(text), "position %d of %q", p.Pos, text)
			return
		}
		again, err := ParseSpecs(Format(specs), defaults)
		require.NoError(t, err)
		require.Equal(t, specs, again)
	})
}

func TestParseWeights(t *testing.T) {
	losses := []*graph.Loss{{Name: Main, Weight: 1}, {Name: "aux1", Weight: 0.3}, {Name: "aux2", Weight: 0.3}}
	for text, want := range map[string][]float64{
		"": {1, 0.3, 0.3}, "aux2=0": {1, 0.3, 0}, "main=0.5, aux1=1": {0.5, 1, 0.3},
	} {
		got, err := ParseWeights(text, losses)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for text, want := range map[string]string{
		"aux3=1":       `head weights "aux3=1": at position 1: unknown head "aux3"; the nearest: aux1`,
		"aux1=1,aux2":  `at position 8: "aux2" is not name=weight`,
		"aux1=-1":      "weight of at least 0",
		"aux1=1,aux2=": "at position 8",
	} {
		_, err := ParseWeights(text, losses)
		assert.ErrorContains(t, err, want)
	}
}
