package gradflow

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/draw/drawtest"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

// flowOf returns a measurement of a network whose heads send gradients to everything below them.
func flowOf(m *inception.Model, size float64) *Flow {
	f := &Flow{Step: 3, Images: 2}
	places := map[string][]float64{}
	for i, l := range m.Graph.Losses() {
		f.Heads, f.Weights, f.Losses = append(f.Heads, l.Name), append(f.Weights, l.Weight), append(f.Losses, 2.5)
		below := graph.Ancestors(l.Logits)
		for k, e := range m.Graph.EndPoints() {
			if below[e.Node] {
				if places[e.Name] == nil {
					places[e.Name] = make([]float64, len(m.Graph.Losses()))
				}
				places[e.Name][i] = size * math.Pow10(-(i+k)%5)
			}
		}
	}
	for _, e := range m.Graph.EndPoints() {
		if places[e.Name] != nil {
			f.Places = append(f.Places, Place{Name: e.Name, Gradient: places[e.Name]})
		}
	}
	return f
}

// Gradients flow in the drawing as in the network, and heads are beside the module or the tower
// that they read.
func TestFlowGraph(t *testing.T) {
	for _, c := range []struct {
		model, heads string
		beside, come map[string]string // head to place; edges that carry a head's gradient, from reader to place
	}{
		{"inception_small", "inception3b:0.3:gap", map[string]string{"head aux1": "inception3b"},
			map[string]string{"main head main": "inception5a", "main inception5a": "inception4b", "aux1 head aux1": "inception3b", "aux1 inception3b": "inception3a", "aux1 inception3a": "conv1"}},
		{"googlenet", "inception4b/tower3x3:0.1:gap,inception4b/*5x5:0.1:gap", map[string]string{"head aux1": "inception4b/tower3x3", "head aux2": "inception4b/tower5x5"},
			map[string]string{"main inception4c": "inception4b", "aux1 head aux1": "inception4b/tower3x3", "aux1 frame inception4b": "inception4a", "aux2 frame inception4b": "inception4a",
				"main frame inception4b": "inception4a", "aux1 inception4a": "inception3b"}},
		{"inception_resnet_v2", "default", map[string]string{"head aux": "Block17_20"}, map[string]string{"aux head aux": "Block17_20", "aux Block17_20": "Block17_19", "main Mixed_7a": "Block17_20"}},
	} {
		n, err := inception.Lookup(c.model)
		require.NoError(t, err)
		specs, err := auxhead.ParseSpecs(c.heads, n.Heads)
		require.NoError(t, err)
		m, err := inception.Build(c.model, inception.Config{Heads: specs})
		require.NoError(t, err)
		f := NewNetwork(m.Graph)
		flows := []*Flow{flowOf(m, 1), flowOf(m, 100)}
		d := f.Draw(flows, 0)
		drawtest.Check(t, d)
		for _, x := range d.Nodes {
			require.Equal(t, c.beside[x.Name], x.Beside, x.Name)
		}
		come := map[string][]string{}
		for e, g := range f.gradients(flows[0]) {
			require.Positive(t, g)
			key := f.heads[e.head].name + " " + e.reader
			come[key] = append(come[key], e.place)
		}
		for key, place := range c.come {
			require.Equal(t, []string{place}, come[key], "%s %s", c.model, key)
		}
		if c.model == "googlenet" {
			require.Len(t, come["main inception4b"], 4, "each tower")
			require.Empty(t, come["aux1 inception4b"], "a tower's head is not above its module's end")
			require.Empty(t, come["aux1 inception4c"])
		}
	}
}

// Names are text in the report, neither markup nor script.
func TestFlowReportQuotesNames(t *testing.T) {
	m, err := inception.Build("inception_small", inception.Config{})
	require.NoError(t, err)
	f := NewNetwork(m.Graph)
	flow := flowOf(m, 1)
	const hostile = `</script><img src=x onerror=alert(1)>"'&` + "\u2028\x1b"
	f.heads[1].name, flow.Heads[1] = hostile, hostile
	for i := range f.edges {
		if f.edges[i].head == 1 && strings.HasPrefix(f.edges[i].reader, "head ") {
			f.edges[i].reader = headBox(hostile)
		}
	}
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, WriteReport(path, hostile, f, []*Flow{flow}))
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(page), "<script"))
	require.Equal(t, 1, strings.Count(string(page), "</script"))
	require.False(t, strings.Contains(string(page), "<img"))
	_, script, _ := strings.Cut(string(page), "<script>")
	require.False(t, strings.ContainsAny(script, "\u2028\x1b"))
	require.NotContains(t, page, "innerHTML")
	data := regexp.MustCompile(`const data = (\{.*?\}), flows`).FindSubmatch(page)
	require.NotNil(t, data)
	var report struct{ Flows []Flow }
	require.NoError(t, json.Unmarshal(data[1], &report))
	require.Equal(t, hostile, report.Flows[0].Heads[1], fmt.Sprintf("%q", data[1]))
}

// An edge is as thick as its gradient, half as thick for a hundredth of the largest in all
// measurements.
func TestWidths(t *testing.T) {
	s := newScale([]*Flow{{Places: []Place{{Gradient: []float64{0.5, math.NaN(), math.Inf(1)}}}}, {Places: []Place{{Gradient: []float64{3, 8}}}}})
	for g, want := range map[float64]float64{8: widest, 0.08: widest / 2, 0.8: widest * 3 / 4, 8e-9: 0.3, 0: 0.3} {
		require.InDelta(t, want, s.width(g), 1e-9, "%v", g)
	}
	require.Equal(t, 0.3, newScale(nil).width(1))
}
