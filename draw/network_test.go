package draw_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/draw/drawtest"
)

// A chain is a column; independent nodes are side by side.
func TestNetwork(t *testing.T) {
	n := &draw.Network{
		Title:  "three",
		Frames: []draw.Frame{{Name: "m", Label: "module"}, {Name: "m/a", In: "m", Label: "a", Lane: true}, {Name: "m/b", In: "m", Label: "b", Lane: true}},
		Nodes: []draw.Node{
			{Name: "in", Heading: "in"},
			{Name: "1", In: "m/a", Lines: []string{"3×3 conv"}},
			{Name: "2", In: "m/b", Heading: "reduce", Lines: []string{"1×1 conv"}},
			{Name: "3", In: "m/b", Heading: "last", Lines: []string{"5×5 conv"}},
			{Name: "join", In: "m", Lines: []string{"concat"}},
			{Name: "head", In: "m/b", Beside: "3", Heading: "aux", Lines: []string{"one", "two", "three"}},
			{Name: "other", In: "m/b", Beside: "3", Heading: "aux2"},
			{Name: "loss", Heading: "loss", Pill: true, Stroke: "#ff0000"},
		},
		Edges: []draw.Edge{{From: "in", To: "1", Width: 1}, {From: "in", To: "2", Width: 1}, {From: "2", To: "3", Width: 1}, {From: "1", To: "join", Width: 1},
			{From: "3", To: "join", Width: 1}, {From: "in", To: "join", Width: 1}, {From: "3", To: "head", Width: 1}, {From: "3", To: "other", Width: 1},
			{From: "join", To: "loss", Width: 9, ID: "a"}, {From: "join", To: "loss", Width: 1, Room: 12, ID: "b", Back: true}, {From: "m", To: "loss", Hidden: true}},
	}
	d := drawtest.Check(t, n)
	middle := func(b drawtest.Box) float64 { return (b.X0 + b.X1) / 2 }
	assert.InDelta(t, middle(d.Nodes[0]), middle(d.Nodes[4]), 0.1)
	assert.InDelta(t, middle(d.Nodes[0]), middle(d.Nodes[7]), 0.1)
	assert.Less(t, d.Nodes[1].X1, d.Nodes[2].X0)
	assert.Less(t, d.Nodes[0].Y1, d.Nodes[2].Y0)
	assert.Less(t, d.Nodes[2].Y1, d.Nodes[3].Y0)
	assert.Less(t, d.Nodes[3].Y1, d.Nodes[4].Y0)
	assert.Less(t, d.Nodes[5].Y1, d.Nodes[6].Y0, "two beside one are one above the other")
	assert.Equal(t, d.Frames[1].Y1-d.Frames[1].Y0, d.Frames[2].Y1-d.Frames[2].Y0, "lanes are equally high")
	assert.Greater(t, d.Lines[9].Points[0].X-d.Lines[8].Points[0].X, 4.5+6, "lines side by side have their room")

	n.Up = true
	up := drawtest.Check(t, n)
	assert.Greater(t, up.Nodes[0].Y0, up.Nodes[2].Y1)
	assert.Greater(t, up.Nodes[3].Y0, up.Nodes[4].Y1)
}

// random returns a drawing of modules of towers with everything that a network may have.
func random(r *rand.Rand) *draw.Network {
	n := &draw.Network{Up: r.IntN(4) == 0}
	if r.IntN(2) == 0 {
		n.Title = "a network"
	}
	words := func() string {
		var b strings.Builder
		for range 1 + r.IntN(12) {
			b.WriteString([]string{"conv ", "3×3", "W", "i", "батч", "層", "<&>", `"`}[r.IntN(8)])
		}
		return b.String()
	}
	node := func(name, in string) string {
		x := draw.Node{Name: name, In: in, Pill: r.IntN(9) == 0}
		if r.IntN(3) > 0 {
			x.Heading = words()
		}
		for range r.IntN(4) {
			x.Lines = append(x.Lines, words())
		}
		n.Nodes = append(n.Nodes, x)
		return name
	}
	edge := func(from, to string) {
		for range 1 + r.IntN(3)/2 {
			e := draw.Edge{From: from, To: to, Width: 9 * r.Float64(), Back: r.IntN(5) == 0, Hidden: r.IntN(9) == 0}
			if r.IntN(3) == 0 {
				e.Room = 12
			}
			if r.IntN(2) == 0 {
				e.ID = fmt.Sprint("e", len(n.Edges))
			}
			n.Edges = append(n.Edges, e)
		}
	}
	last := node("input", "")
	for m := range r.IntN(14) {
		module := fmt.Sprint("m", m)
		if r.IntN(3) == 0 {
			edge(last, node(module+"pool", ""))
			last = module + "pool"
			continue
		}
		n.Frames = append(n.Frames, draw.Frame{Name: module, Label: words()})
		var ends []string
		for k := range 1 + r.IntN(4) {
			lane := fmt.Sprint(module, "/", k)
			n.Frames = append(n.Frames, draw.Frame{Name: lane, In: module, Label: fmt.Sprint("tower", k), Lane: true})
			at := last
			var tower []string
			for i := range 1 + r.IntN(5) {
				x := node(fmt.Sprint(lane, "/", i), lane)
				edge(at, x)
				for _, before := range tower {
					if before != at && r.IntN(4) == 0 {
						edge(before, x) // past other nodes
					}
				}
				at = x
				tower = append(tower, x)
			}
			ends = append(ends, at)
			for h := range r.IntN(9) / 6 * (1 + r.IntN(2)) {
				head := fmt.Sprint(lane, "head", h)
				on := tower[r.IntN(len(tower))]
				n.Nodes = append(n.Nodes, draw.Node{Name: head, In: lane, Beside: on, Heading: words(), Lines: []string{words(), words()}})
				edge(on, head)
			}
		}
		join := node(module+"/join", module)
		for _, e := range ends {
			edge(e, join)
		}
		if r.IntN(3) == 0 {
			edge(last, join) // around the towers
		}
		if r.IntN(3) == 0 {
			head := module + "head"
			n.Nodes = append(n.Nodes, draw.Node{Name: head, In: module, Beside: join, Heading: "aux"})
			edge(join, head)
		}
		last = join
		if r.IntN(4) == 0 {
			last = module // lines begin at the frame itself
		}
	}
	edge(last, node("loss", ""))
	return n
}

// Everything in a random network's drawing is visible.
func TestRandomNetworks(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { drawtest.Check(t, random(rand.New(rand.NewPCG(seed, 10)))) })
	}
}

// In a network without modules, any node may read any earlier node.
func TestRandomGraphs(t *testing.T) {
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 11))
		n := &draw.Network{Up: seed%2 == 0}
		for i := range 1 + r.IntN(20) {
			n.Nodes = append(n.Nodes, draw.Node{Name: fmt.Sprint(i), Heading: strings.Repeat("x", 1+r.IntN(30))})
			for range r.IntN(3) {
				if i > 0 {
					n.Edges = append(n.Edges, draw.Edge{From: fmt.Sprint(r.IntN(i)), To: fmt.Sprint(i), Width: 3 * r.Float64()})
				}
			}
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { drawtest.Check(t, n) })
	}
}

// A long chain continues in further columns, so that the drawing is not many times as high as wide.
func TestLongNetwork(t *testing.T) {
	n := &draw.Network{}
	for i := range 200 {
		n.Nodes = append(n.Nodes, draw.Node{Name: fmt.Sprint(i), Heading: "a node"})
		if i > 0 {
			n.Edges = append(n.Edges, draw.Edge{From: fmt.Sprint(i - 1), To: fmt.Sprint(i), Width: 1})
		}
	}
	d := drawtest.Check(t, n)
	assert.Less(t, d.Page.Y1, 3*d.Page.X1)
	assert.Less(t, d.Page.X1, 3*d.Page.Y1)
}

// Texts are shown as they are. Markup stays text. Invisible characters are replaced by a sign. Long
// texts are shortened, and the pointer shows the whole.
func TestTexts(t *testing.T) {
	for _, hostile := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "]]>&amp;<!--", "'\"`&<>", "\x1b[31mred", "\xff\xfe",
		"a\u202ebc", "\x00", strings.Repeat("long ", 10000), "層層層", "ﷺ", "\ufffe\uffff", "</title></svg><svg onload=alert(1)>"} {
		n := &draw.Network{
			Title:  hostile,
			Frames: []draw.Frame{{Name: "f", Label: hostile}, {Name: "l", In: "f", Label: hostile, Lane: true}},
			Nodes: []draw.Node{{Name: hostile, In: "l", Heading: hostile, Lines: []string{hostile, "x"}},
				{Name: "head", In: "l", Beside: hostile, Heading: hostile, Note: hostile, Fill: hostile, Stroke: hostile}},
			Edges: []draw.Edge{{From: hostile, To: "head", ID: hostile, Colour: hostile, Note: hostile, Width: 1}},
		}
		d := drawtest.Check(t, n)
		if utf8.ValidString(hostile) && !strings.ContainsAny(hostile, "\x1b\x00\u202e\ufffe") && len(hostile) < 50 {
			assert.Equal(t, hostile, d.Nodes[0].Texts[0].Text)
			assert.Equal(t, hostile, d.Nodes[1].Note)
		}
		require.Less(t, d.Nodes[0].X1-d.Nodes[0].X0, 400.0)
		if len(hostile) > 50 {
			assert.Contains(t, d.Nodes[0].Texts[0].Text, "…")
			assert.Contains(t, d.Nodes[0].Note, strings.TrimSpace(hostile), "the whole text")
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	a, b := draw.Node{Name: "a"}, draw.Node{Name: "b"}
	for want, n := range map[string]draw.Network{
		`"a" is there twice`:                        {Nodes: []draw.Node{a, a}},
		`"" is there twice, or has no name`:         {Nodes: []draw.Node{{}}},
		`"a" is in "f", which is no earlier frame`:  {Nodes: []draw.Node{{Name: "a", In: "f"}}},
		`"b" is in "a", which is no earlier frame`:  {Nodes: []draw.Node{a, {Name: "b", In: "a"}}},
		`a line goes from "a" to "c"`:               {Nodes: []draw.Node{a}, Edges: []draw.Edge{{From: "a", To: "c"}}},
		`a line goes back from "b" to "a"`:          {Nodes: []draw.Node{a, b}, Edges: []draw.Edge{{From: "b", To: "a"}}},
		`a line goes from "a" to "a", of which one`: {Nodes: []draw.Node{a}, Edges: []draw.Edge{{From: "a", To: "a"}}},
		`a line goes from "f" to "a", of which one`: {Frames: []draw.Frame{{Name: "f"}}, Nodes: []draw.Node{{Name: "a", In: "f"}}, Edges: []draw.Edge{{From: "f", To: "a"}}},
		`"b" is beside "c"`:                         {Nodes: []draw.Node{a, {Name: "b", Beside: "c"}}},
		`"c" is beside "b"`:                         {Nodes: []draw.Node{a, {Name: "b", Beside: "a"}, {Name: "c", Beside: "b"}}},
		`from "c" to "b", which is beside "a"`:      {Nodes: []draw.Node{a, {Name: "b", Beside: "a"}, {Name: "c"}}, Edges: []draw.Edge{{From: "c", To: "b"}}},
		`a line leaves "b"`:                         {Nodes: []draw.Node{a, {Name: "b", Beside: "a"}, {Name: "c"}}, Edges: []draw.Edge{{From: "b", To: "c"}}},
		`back from "b" to "a2"`: {Frames: []draw.Frame{{Name: "f"}}, Nodes: []draw.Node{{Name: "a1", In: "f"}, b, {Name: "a2", In: "f"}},
			Edges: []draw.Edge{{From: "a1", To: "b"}, {From: "b", To: "a2"}}},
	} {
		_, err := n.SVG()
		require.ErrorContains(t, err, want)
	}
	_, err := (&draw.Network{}).SVG()
	require.NoError(t, err)
}
