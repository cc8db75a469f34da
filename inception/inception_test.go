package inception

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
)

// The numbers are those of torchvision and timm, and of Caffe's bvlc_googlenet.
func TestParametersAndMACs(t *testing.T) {
	for _, c := range []struct {
		network             string
		parameters          int
		parametersWithHeads int
		macs                int64 // of the trunk
	}{
		{"googlenet2014", 6_998_552, 13_378_280, 1_582_671_872},
		{"googlenet", 6_624_904, 13_004_888, 1_498_376_192},
		{"inception_v3", 23_834_568, 27_161_264, 5_713_216_096},
		{"inception_v4", 42_679_816, 46_039_280, 12_253_974_624},
		{"inception_resnet_v2", 55_843_464, 59_211_120, 13_155_794_016},
		{"inception_small", 212_698, 215_118, 10_239_680},
		{"inception_deep", 312_170, 1_408_126, 16_286_976},
		{"inception_deep_bn", 314_394, 4_556_334, 16_286_976},
	} {
		m, err := Build(c.network, Config{})
		require.NoError(t, err)
		assert.Equal(t, c.parameters, m.Parameters("main"), c.network)
		assert.Equal(t, c.parametersWithHeads, m.Parameters(), c.network)
		assert.Equal(t, c.macs, m.MACs("main"), c.network)

		without, err := Build(c.network, Config{Heads: []auxhead.Spec{}})
		require.NoError(t, err)
		assert.Equal(t, c.parameters, without.Parameters(), c.network)
		assert.Empty(t, without.Heads)
	}
}

// MACs agree with the FLOPs of the compiled plan's convolutions.
func TestMACsAgreeWithPlan(t *testing.T) {
	for _, n := range Networks() {
		m, err := Build(n.Name, Config{})
		require.NoError(t, err)
		layout, err := graph.NewLayout(m.Graph)
		require.NoError(t, err)
		plan, err := graph.Compile(m.Graph, layout, auxhead.Strip(m.Graph, graph.Options{Batch: 1, Target: graph.Target{Fusions: graph.AllFusions}}))
		require.NoError(t, err)
		var flops int64
		for _, s := range plan.Steps {
			if s.Kind() == "conv.forward" {
				flops += s.FLOPs()
			}
		}
		assert.Equal(t, 2*m.MACs("main"), flops, n.Name)
	}
}

// All networks compile for training and evaluation, and the evaluation plan contains nothing of the
// heads.
func TestPlans(t *testing.T) {
	for _, n := range Networks() {
		m, err := Build(n.Name, Config{Smoothing: 0.1})
		require.NoError(t, err)
		layout, err := graph.NewLayout(m.Graph)
		require.NoError(t, err)
		train, err := graph.Compile(m.Graph, layout, graph.Options{Batch: 2, Training: true, Target: graph.Target{Fusions: graph.AllFusions}})
		require.NoError(t, err)
		require.Len(t, train.Losses, 1+len(n.Heads.Specs))
		for i, l := range train.Losses {
			assert.Equal(t, 0.1, l.Smoothing)
			if i > 0 {
				assert.Equal(t, n.Heads.Specs[i-1].Name, l.Name)
				assert.Equal(t, n.Heads.Specs[i-1].At, l.At)
				assert.Equal(t, n.Heads.Specs[i-1].Weight, l.Weight)
			}
		}
		eval, err := graph.Compile(m.Graph, layout, auxhead.Strip(m.Graph, graph.Options{Batch: 2, Target: graph.Target{Fusions: graph.AllFusions}}))
		require.NoError(t, err)
		for _, h := range m.Heads {
			assert.True(t, hasNode(train, h.Name+"/"), "%s: training has %s", n.Name, h.Name)
			assert.False(t, hasNode(eval, h.Name+"/"), "%s: evaluation has no %s", n.Name, h.Name)
		}
	}
}

func hasNode(p *graph.Plan, prefix string) bool {
	for _, s := range p.Steps {
		if strings.HasPrefix(s.NodeName(), prefix) {
			return true
		}
	}
	for _, b := range p.Buffers {
		if strings.HasPrefix(b.Name, prefix) {
			return true
		}
	}
	return false
}

// The trunk of a training step, a longest chain of steps, is entirely in the first stream, which
// has priority on the GPU, with few other steps.
func TestTrunkIsInTheFirstLane(t *testing.T) {
	for _, n := range Networks() {
		m, err := Build(n.Name, Config{})
		require.NoError(t, err)
		layout, err := graph.NewLayout(m.Graph)
		require.NoError(t, err)
		p, err := graph.Compile(m.Graph, layout, graph.Options{Batch: 2, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9},
			Target: graph.Target{Precision: graph.BF16, Fusions: graph.AllFusions, PadInput: true, ReuseDistance: 8}})
		require.NoError(t, err)
		order, places := p.Dependencies(), p.AssignStreams(4)
		chain := make([]int, len(p.Steps)) // for each step, the number of steps in the first stream that wait for one another before it
		longest, all := 0, 0
		for i, list := range order {
			if places[i].Stream != 0 {
				continue
			}
			all++
			for _, j := range list {
				if places[j].Stream == 0 {
					chain[i] = max(chain[i], chain[j])
				}
			}
			chain[i]++
			longest = max(longest, chain[i])
		}
		assert.Equal(t, p.CriticalPath(), longest, n.Name)
		assert.Less(t, all, longest*5/4, n.Name)
		assert.Zero(t, places[len(places)-1].Stream, "%s: the update", n.Name)
	}
}

// Activations have the sizes of the papers' tables.
func TestShapes(t *testing.T) {
	for _, c := range []struct{ network, node, shape string }{
		{"googlenet2014", "maxpool2", "28x28x192"}, {"googlenet2014", "inception3a", "28x28x256"},
		{"googlenet2014", "inception4a", "14x14x512"}, {"googlenet2014", "inception4d", "14x14x528"},
		{"googlenet2014", "inception5b", "7x7x1024"}, {"googlenet2014", "aux1/pool", "4x4x512"},
		{"googlenet", "inception4a/tower3x3", "14x14x208"}, {"googlenet", "inception5b/towerpool", "7x7x128"},
		{"googlenet", "aux2/conv/relu", "4x4x128"},
		{"inception_v3", "Conv2d_2b_3x3", "147x147x64"}, {"inception_v3", "Mixed_5b", "35x35x256"},
		{"inception_v3", "Mixed_6a", "17x17x768"}, {"inception_v3", "Mixed_6e/tower7x7", "17x17x192"},
		{"inception_v3", "Mixed_7a", "8x8x1280"}, {"inception_v3", "Mixed_7c", "8x8x2048"},
		{"inception_v3", "Mixed_7c/tower3x3dbl", "8x8x768"}, {"inception_v3", "aux/conv1/relu", "1x1x768"},
		{"inception_v4", "Mixed_3a", "73x73x160"}, {"inception_v4", "Mixed_4a", "71x71x192"}, {"inception_v4", "Mixed_5e", "35x35x384"},
		{"inception_v4", "Mixed_6h", "17x17x1024"}, {"inception_v4", "Mixed_7d/tower3x3dbl", "8x8x512"}, {"inception_v4", "aux/conv1/relu", "1x1x768"},
		{"inception_resnet_v2", "Block35_10", "35x35x320"}, {"inception_resnet_v2", "Block17_20", "17x17x1088"},
		{"inception_resnet_v2", "Block17_1/tower7x7", "17x17x192"}, {"inception_resnet_v2", "Block8_10", "8x8x2080"},
		{"inception_small", "inception3a", "14x14x80"}, {"inception_small", "inception5a", "3x3x224"},
		{"inception_deep", "inception4g", "8x8x96"}, {"inception_deep", "inception5d", "4x4x128"}, {"inception_deep", "aux2/pool", "2x2x96"},
	} {
		m, err := Build(c.network, Config{})
		require.NoError(t, err)
		n, err := m.Graph.Find(c.node)
		require.NoError(t, err)
		assert.Equal(t, c.shape, n.Shape().String(), "%s %s", c.network, c.node)
	}
}

// Every module and each of its towers is an end point.
func TestEndPoints(t *testing.T) {
	for network, want := range map[string][2]int{ // modules, towers
		"googlenet2014": {9, 36}, "googlenet": {9, 36}, "inception_v3": {11, 9*4 + 2*3}, "inception_small": {5, 20},
		"inception_v4": {3 + 4 + 1 + 7 + 1 + 3, 3*2 + 4*4 + 3 + 7*4 + 3 + 3*4}, "inception_resnet_v2": {3 + 40, 4 + 10*3 + 3 + 20*2 + 4 + 10*2},
		"inception_deep": {14, 56}, "inception_deep_bn": {14, 56},
	} {
		m, err := Build(network, Config{})
		require.NoError(t, err)
		var modules, towers int
		for _, e := range m.Graph.EndPoints() {
			switch {
			case strings.Contains(e.Name, "/tower"):
				towers++
			case strings.HasPrefix(e.Name, "inception") || strings.HasPrefix(e.Name, "Mixed") || strings.HasPrefix(e.Name, "Block"):
				modules++
			}
		}
		assert.Equal(t, want, [2]int{modules, towers}, network)
	}
	m, err := Build("googlenet", Config{})
	require.NoError(t, err)
	for _, p := range []string{"inception4a/tower3x3/reduce/conv/weight", "inception4a/tower1x1/bn/gamma", "aux1/fc1/bias/bias"} {
		_, err := m.Graph.Param(p)
		assert.NoError(t, err)
	}
}

// The smallest images in the table are the smallest that build, at every size below and above.
func TestSmallestImages(t *testing.T) {
	for _, n := range Networks() {
		for heads, want := range map[string]int{"none": n.Smallest, "default": n.SmallestWithHeads} {
			specs, err := auxhead.ParseSpecs(heads, n.Heads)
			require.NoError(t, err)
			for side := 1; side <= want+8; side++ {
				cfg, err := Config{Height: side, Width: side, Heads: specs}.resolve(n)
				require.NoError(t, err)
				_, err = n.try(cfg)
				assert.Equal(t, side < want, tooSmall(err), "%s %s %d: %v", n.Name, heads, side, err)
			}
			_, err = Build(n.Name, Config{Height: want, Width: want, Heads: specs})
			require.NoError(t, err)
			_, err = Build(n.Name, Config{Height: want - 1, Width: want + 9, Heads: specs})
			var small *TooSmallError
			require.ErrorAs(t, err, &small)
			assert.Equal(t, want, small.Smallest, n.Name)
			assert.Equal(t, n.Smallest, small.WithoutHeads, n.Name)
		}
	}
	_, err := Build("inception_v3", Config{Height: 224, Width: 224})
	assert.ErrorContains(t, err, "inception_v3: images of 224x224 are too small: the smallest that works is 299x299 (75x75 without heads): ")
	_, err = Build("inception_v3", Config{Height: 224, Width: 400, Heads: []auxhead.Spec{{At: "Mixed_6e", Kind: "gap", Weight: 1}}})
	assert.NoError(t, err)
}

// Some places of heads stand for several: every:N counts modules, not the stem's units, and NAME/*
// are a module's towers.
func TestHeadPlaces(t *testing.T) {
	for _, c := range []struct {
		network, heads string
		want           []string
	}{
		{"googlenet2014", "every:3", []string{"inception4a", "inception4d"}}, // the paper's own places
		{"googlenet", "every:4", []string{"inception4b", "inception5a"}},
		{"inception_v3", "every:5::gap", []string{"Mixed_6b", "Mixed_7b"}},
		{"inception_resnet_v2", "every:10::gap", []string{"Block35_9", "Block17_8", "Block17_18", "Block8_7"}},
		{"inception_small", "every:1", []string{"inception3a", "inception3b", "inception4a", "inception4b"}},
		{"googlenet", "inception4a/*::gap", []string{"inception4a/tower1x1", "inception4a/tower3x3", "inception4a/tower5x5", "inception4a/towerpool"}},
		{"inception_v3", "Mixed_7c/*::gap", []string{"Mixed_7c/tower1x1", "Mixed_7c/tower3x3", "Mixed_7c/tower3x3dbl", "Mixed_7c/towerpool"}},
	} {
		n, err := Lookup(c.network)
		require.NoError(t, err)
		specs, err := auxhead.ParseSpecs(c.heads, n.Heads)
		require.NoError(t, err)
		m, err := Build(c.network, Config{Heads: specs})
		require.NoError(t, err)
		var got []string
		for _, h := range m.Heads {
			got = append(got, h.At)
		}
		assert.Equal(t, c.want, got, "%s %s", c.network, c.heads)
	}
}

func TestErrors(t *testing.T) {
	_, err := Build("inception_v33", Config{})
	var unknown *graph.UnknownError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "inception_v3", unknown.Nearest[0])
	for want, build := range map[string]func() error{
		"a classifier has at least 2": func() error { _, err := Build("googlenet", Config{Classes: 1}); return err },
		"must be at least 1":          func() error { _, err := Build("googlenet", Config{Height: -1}); return err },
		"inception_small scales":      func() error { _, err := Build("googlenet", Config{WidthMultiplier: 2}); return err },
		"is not in [0.25,16]": func() error {
			_, err := Build("inception_small", Config{WidthMultiplier: math.NaN()})
			return err
		},
		"label smoothing 1": func() error { _, err := Build("googlenet", Config{Smoothing: 1}); return err },
		`the nearest: inception4a`: func() error {
			_, err := Build("googlenet", Config{Heads: []auxhead.Spec{{At: "inception4aa"}}})
			return err
		},
		`the nearest: gap`: func() error {
			_, err := Build("googlenet", Config{Heads: []auxhead.Spec{{At: "inception4a", Kind: "gaap"}}})
			return err
		},
	} {
		assert.ErrorContains(t, build(), want)
	}
}

// The configurations have grey and large images, other classes and other widths.
func TestConfigs(t *testing.T) {
	m, err := Build("inception_small", Config{Height: 32, Width: 32, Channels: 3, WidthMultiplier: 3, Classes: 100})
	require.NoError(t, err)
	assert.Equal(t, graph.Shape{H: 1, W: 1, C: 100}, m.Graph.MainLoss().Logits.Shape())
	n, err := m.Graph.Find("inception3a")
	require.NoError(t, err)
	assert.Equal(t, "16x16x240", n.Shape().String())
	for _, c := range []Config{{Height: 256, Width: 192}, {Channels: 1}, {Classes: 2}} {
		for _, network := range []string{"googlenet2014", "googlenet"} {
			_, err := Build(network, c)
			assert.NoError(t, err)
		}
	}
}

// The initial values are torchvision's, with its quirks, and Caffe's.
func TestInitialValues(t *testing.T) {
	std := func(network, param string) (std, most float64) {
		m, err := Build(network, Config{})
		require.NoError(t, err)
		p, err := m.Graph.Param(param)
		require.NoError(t, err)
		v := make([]float32, 8192)
		p.Init(graph.NewRandom(1, param), p.Dims, v)
		var sum, sq float64
		for _, x := range v {
			sum, sq = sum+float64(x), sq+float64(x)*float64(x)
			most = max(most, math.Abs(float64(x)))
		}
		mean := sum / float64(len(v))
		return math.Sqrt(sq/float64(len(v)) - mean*mean), most
	}
	for _, c := range []struct {
		network, param string
		std            float64
	}{
		{"googlenet", "inception4a/tower3x3/3x3/conv/weight", 0.01},
		{"googlenet", "aux1/conv/conv/weight", 0.01},
		{"googlenet", "aux1/fc1/bias/bias", 1 / math.Sqrt(3*2048)}, // the default of nn.Linear
		{"inception_v3", "Mixed_5c/tower1x1/conv/weight", 0.1},
		{"inception_v3", "aux/conv1/conv/weight", 0.1}, // torchvision's setting of 0.01 has no effect
		{"inception_v3", "aux/fc/linear/weight", 0.001},
		{"googlenet2014", "inception4a/tower3x3/3x3/conv/weight", 1 / math.Sqrt(9*96)},
		{"inception_v4", "Mixed_5b/tower3x3/3x3/conv/weight", math.Sqrt(2. / (9 * 64))}, // TF-slim's variance scaling
		{"inception_v4", "fc/linear/weight", math.Sqrt(2. / (1536 + 1000))},
		{"inception_resnet_v2", "aux/fc/linear/weight", math.Sqrt(2. / (768 + 1000))},
		{"inception_resnet_v2", "Block17_3/conv2d/weight", math.Sqrt(2. / 384)},
		{"inception_small", "inception4b/tower3x3/3x3/conv/weight", math.Sqrt(2. / (9 * 32))},
		{"inception_deep", "inception4b/tower3x3/3x3/conv/weight", 1 / math.Sqrt(9*16)},
		{"inception_deep_bn", "inception4b/tower3x3/3x3/conv/weight", math.Sqrt(2. / (9 * 16))},
	} {
		s, most := std(c.network, c.param)
		assert.InEpsilon(t, c.std, s, 0.05, "%s %s", c.network, c.param)
		if c.std == 0.1 {
			assert.Greater(t, most, 0.3, "cut at ±2, not at ±2σ")
		}
	}
	m, err := Build("googlenet2014", Config{})
	require.NoError(t, err)
	for name, want := range map[string]float32{"conv1/bias/bias": 0.2, "aux1/fc1/bias/bias": 0.2, "aux1/fc2/bias/bias": 0, "fc/bias/bias": 0} {
		p, err := m.Graph.Param(name)
		require.NoError(t, err)
		assert.Equal(t, want, p.Initial(1)[0], name)
		assert.Equal(t, 2.0, p.LRScale, name)
	}
}

func TestTooSmallErrorUnwraps(t *testing.T) {
	_, err := Build("googlenet", Config{Height: 4, Width: 4})
	var window *graph.TooSmallError
	assert.True(t, errors.As(err, &window))
	_, err = Build("inception_v3", Config{Height: 200, Width: 200})
	var head *auxhead.TooSmallError
	assert.True(t, errors.As(err, &head))
}
