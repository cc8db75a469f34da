package auxhead

import (
	"math"
	"testing"

	"github.com/tributary-ml/tributary/layers/layerstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

func attachAll(t *testing.T, g *graph.Graph, specs ...Spec) []Head {
	heads, err := Attach(g, specs, Options{Classes: 5})
	require.NoError(t, err)
	return heads
}

func names(heads []Head) (out []string) {
	for _, h := range heads {
		out = append(out, h.Name+"@"+h.At)
	}
	return out
}

func TestAttachNumbersByDepth(t *testing.T) {
	g := layerstest.Trunk(t, 8)
	heads := attachAll(t, g, Spec{At: "m3", Kind: "gap", Weight: 0.1}, Spec{At: "m1/tower3x3", Kind: "gap"}, Spec{At: "m2", Kind: "torchvision", Weight: 0.3})
	assert.Equal(t, []string{"aux1@m1/tower3x3", "aux2@m2", "aux3@m3"}, names(heads))
	require.Len(t, g.Losses(), 4)
	for i, l := range g.AuxLosses() {
		assert.Equal(t, heads[i].Name, l.Name)
		assert.Equal(t, heads[i].Weight, l.Weight)
		assert.Equal(t, heads[i].At, l.At)
		assert.Same(t, heads[i].Logits, l.Logits)
	}
	assert.Equal(t, 0.1, g.Losses()[3].Weight)
}

func TestAttachPlaces(t *testing.T) {
	for at, want := range map[string][]string{
		"m?":                {"aux1@m1", "aux2@m2", "aux3@m3"},
		"m[12]/tower1x1":    {"aux1@m1/tower1x1", "aux2@m2/tower1x1"},
		"m2/tower3x3/bn":    {"aux1@m2/tower3x3/bn"}, // a node
		"m2/tower*/conv":    {"aux1@m2/tower1x1/conv", "aux2@m2/tower3x3/conv"},
		"avgpool":           {"aux1@avgpool"},
		"m3/tower1x1/relu":  {"aux1@m3/tower1x1/relu"},
		"m2/*":              {"aux1@m2/tower1x1", "aux2@m2/tower3x3"}, // every tower of the module
		"every:1":           {"aux1@m1", "aux2@m2"},
		"every:2":           {"aux1@m2"},
		"m1/tower[^1]*/bn*": {"aux1@m1/tower3x3/bn"},
	} {
		assert.Equal(t, want, names(attachAll(t, layerstest.Trunk(t, 8), Spec{At: at, Kind: "gap"})), at)
	}
}

func TestAttachNames(t *testing.T) {
	heads := attachAll(t, layerstest.Trunk(t, 8), Spec{At: "m3", Kind: "gap"}, Spec{At: "m2", Kind: "gap", Name: "aux1"}, Spec{At: "m1", Kind: "gap"})
	assert.Equal(t, []string{"aux2@m1", "aux1@m2", "aux3@m3"}, names(heads))
}

func TestOwnBuilder(t *testing.T) {
	g := layerstest.Trunk(t, 8)
	build := func(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
		return layers.FC(g, name+"/fc", x, classes, nil, layers.Bias{})
	}
	heads := attachAll(t, g, Spec{At: "m1", Build: build, Weight: 0.5}, Spec{At: "m1", Kind: "flat", Build: build}, Spec{At: "m1", Kind: "gap"})
	assert.Equal(t, []string{"custom", "flat", "gap"}, []string{heads[0].Kind, heads[1].Kind, heads[2].Kind})
	_, err := g.Param("aux1/fc/linear/weight")
	assert.NoError(t, err)

	bad := func(g *graph.Graph, name string, x *graph.Node, _ int) *graph.Node { return g.ReLU(name+"/relu", x) }
	_, err = Attach(layerstest.Trunk(t, 8), []Spec{{At: "m1", Build: bad}}, Options{Classes: 5})
	assert.ErrorContains(t, err, "head aux1 at m1: ")
	assert.ErrorContains(t, err, "logits have shape 8x8x8")
}

func TestAttachErrors(t *testing.T) {
	for want, specs := range map[string][]Spec{
		`head at m4: unknown node or end point of trunk "m4"; the nearest: m1`:                     {{At: "m4", Kind: "gap"}},
		`unknown node or end point of trunk "q*"`:                                                  {{At: "q*", Kind: "gap"}},
		`unknown kind of head "incepton_v3"; the nearest: inception_v3`:                            {{At: "m1", Kind: "incepton_v3"}},
		"trunk has 3 modules, of which the last one feeds the main classifier: every:3 means none": {{At: "every:3", Kind: "gap"}},
		"head at every:0: a head on every N-th module needs a whole number from 1":                 {{At: "every:0", Kind: "gap"}},
		"needs a kind or a builder":                                                                {{At: "m1"}},
		"a head needs a place":                                                                     {{Kind: "gap"}},
		"weight -1: must be a finite number of at least 0":                                         {{At: "m1", Kind: "gap", Weight: -1}},
		"weight NaN":  {{At: "m1", Kind: "gap", Weight: math.NaN()}},
		"weight +Inf": {{At: "m1", Kind: "gap", Weight: math.Inf(1)}},
		"two heads of kind gap at m2 (m2 and m2 are one node)": {{At: "m2", Kind: "gap"}, {At: "m2", Kind: "gap", Weight: 1}},
		"two heads of kind gap at m2 (m2/concat and m2":        {{At: "m2/concat", Kind: "gap"}, {At: "m?", Kind: "gap"}},
		"two heads called x":                          {{At: "m1", Kind: "gap", Name: "x"}, {At: "m2", Kind: "gap", Name: "x"}},
		"two heads called main":                       {{At: "m1", Kind: "gap", Name: Main}},
		"pattern m? matches 3 places":                 {{At: "m?", Kind: "gap", Name: "x"}},
		"head m1: the network has nodes of this name": {{At: "m2", Kind: "gap", Name: "m1"}},
		"a head of kind inception_v3 needs a feature map of at least 17x17, this one is 8x8x8": {{At: "m1", Kind: "inception_v3"}},
	} {
		g := layerstest.Trunk(t, 8)
		_, err := Attach(g, specs, Options{Classes: 5})
		require.ErrorContains(t, err, want)
		assert.ErrorIs(t, g.Err(), err, "the graph remembers")
	}
}

// The smallest feature maps in the table are the smallest at which heads build.
func TestSmallestFeatureMaps(t *testing.T) {
	for _, k := range Kinds() {
		for side := 1; side <= k.Smallest+6; side++ {
			_, err := Attach(layerstest.Trunk(t, side), []Spec{{At: "m1", Kind: k.Name}}, Options{Classes: 5})
			if side >= k.Smallest {
				assert.NoError(t, err, "%s at %d", k.Name, side)
				continue
			}
			var small *TooSmallError
			assert.ErrorAs(t, err, &small, "%s at %d", k.Name, side)
			g := layerstest.Trunk(t, side) // without the check against the table the window itself does not fit
			x, _ := g.Find("m1")
			k.Build(g, "aux1", x, 5)
			var window *graph.TooSmallError
			assert.ErrorAs(t, g.Err(), &window, "%s at %d", k.Name, side)
		}
	}
}

func TestStripAndOwn(t *testing.T) {
	g := layerstest.Trunk(t, 8)
	attachAll(t, g, Spec{At: "m1", Kind: "torchvision", Weight: 0.3}, Spec{At: "m3", Kind: "gap"})
	layout, err := graph.NewLayout(g)
	require.NoError(t, err)
	plan, err := graph.Compile(g, layout, Strip(g, graph.Options{Batch: 2}))
	require.NoError(t, err)
	own, err := g.Own("aux1")
	require.NoError(t, err)
	var params int
	for _, n := range own {
		assert.Contains(t, n.Name(), "aux1/")
		params += len(n.Params())
		for _, s := range plan.Steps {
			assert.NotEqual(t, n.Name(), s.NodeName())
		}
	}
	assert.Equal(t, 1+4+2+2, params)
	_, err = g.Own("aux9")
	assert.ErrorContains(t, err, "the nearest: aux1")
	main, err := g.Own(Main)
	require.NoError(t, err)
	assert.Equal(t, "avgpool", main[0].Name(), "m3 is a head's as well")
}

func TestSchedules(t *testing.T) {
	const total = 8
	for _, c := range []struct {
		text, full string
		at         map[float64]float64 // by epoch
	}{
		{"constant", "constant", map[float64]float64{-1: 1, 0: 1, 4: 1, 8: 1}},
		{"linear", "linear:1", map[float64]float64{0: 1, 2: 0.75, 8: 0, 16: 0}},
		{"linear:0.5", "linear:0.5", map[float64]float64{0: 1, 2: 0.5, 4: 0, 8: 0}},
		{" cosine:0.75", "cosine:0.75", map[float64]float64{0: 1, 3: 0.5, 6: 0, 7: 0}},
		{"until:3", "until:3", map[float64]float64{0: 1, 1: 1, 2.999: 1, 3: 0, 3.001: 0, 8: 0}},
	} {
		s, err := ParseSchedule(c.text)
		require.NoError(t, err)
		assert.Equal(t, c.full, s.String())
		again, err := ParseSchedule(s.String())
		require.NoError(t, err)
		assert.Equal(t, s, again)
		for epoch, want := range c.at {
			assert.InDelta(t, want, s.At(epoch, total), 1e-15, "%s at %v", c.text, epoch)
		}
	}
	for text, want := range map[string]string{
		"cosin":      `head schedule "cosin": at position 1: unknown head schedule "cosin"; the nearest: cosine`,
		"linear:x":   `head schedule "linear:x": at position 8: fraction "x" is not a number`,
		"linear:0":   "at position 8: head schedule linear: the weights reach zero after a fraction 0 of the run",
		"linear:1.5": "it must be above 0 and at most 1", "linear:NaN": "it must be above 0 and at most 1",
		"constant:1": "constant takes no number",
		"until":      "until needs the last epoch in which heads have weight, such as until:3",
		"until:x":    `at position 7: epoch "x" is not a number`,
		"until:0":    "it must be a whole number from 1", "until:2.5": "whole number", "until:NaN": "whole number", "until:Inf": "whole number",
	} {
		_, err := ParseSchedule(text)
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, 1.0, Schedule{}.At(6, total))
	losses := []*graph.Loss{{Name: Main, Weight: 1}, {Name: "aux1", Weight: 0.4}}
	half := Schedule{"linear", 1}
	assert.Equal(t, []float64{1, 0.2}, half.Weights(losses, nil, 4, total))
	assert.Equal(t, []float64{2, 0.5}, half.Weights(losses, []float64{2, 1}, 4, total))
}

// An epoch ends with its last update, for any number of updates: the weights are full in the
// epoch's last update, and zero in the next update.
func TestUntilEndsWithTheEpoch(t *testing.T) {
	for updates := 1; updates < 2000; updates += 7 {
		for epoch := 1; epoch < 40; epoch += 3 {
			s := Schedule{"until", float64(epoch)}
			first := epoch * updates // first update of the next epoch
			at := func(step int) float64 { return s.At(float64(step)/float64(updates), 100) }
			require.Equal(t, []float64{1, 0}, []float64{at(first - 1), at(first)}, "%d epochs of %d", epoch, updates)
		}
	}
	assert.NoError(t, Schedule{"until", 3}.CheckRun(4))
	assert.ErrorContains(t, Schedule{"until", 3}.CheckRun(3), "head schedule until:3: the run has 3 epochs, so the weights never change")
	assert.NoError(t, Schedule{"linear", 1}.CheckRun(1))
}
