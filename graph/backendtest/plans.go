package backendtest

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// network is a small Inception with every kind of sharing: a stem, two modules with merged 1×1
// siblings, a residual block, dropout, a head on a whole module, which also learns from the main
// head, and a head on a single tower.
func network(classes int) *graph.Graph {
	g := graph.New("suite")
	x := g.Input("image", graph.Shape{H: 13, W: 11, C: 3})
	bn := func(name string, x *graph.Node, c int, w graph.Window) *graph.Node {
		return g.ReLU(name+"/relu", g.BatchNorm(name+"/bn", g.Conv(name+"/conv", x, c, w, nil), 1e-3, 0.1))
	}
	bias := func(name string, x *graph.Node, c int, w graph.Window) *graph.Node {
		return g.ReLU(name+"/relu", g.AddBias(name+"/bias", g.Conv(name+"/conv", x, c, w, nil), nil))
	}
	x = bn("stem", x, 12, graph.Square(3, 1, 1))
	module := func(name string, x *graph.Node, layer func(string, *graph.Node, int, graph.Window) *graph.Node) *graph.Node {
		a := layer(name+"/tower1x1", x, 9, graph.Square(1, 1, 0))
		b := layer(name+"/tower3x3", layer(name+"/reduce3x3", x, 6, graph.Square(1, 1, 0)), 10, graph.Square(3, 1, 1))
		c := layer(name+"/tower5x5", layer(name+"/reduce5x5", x, 5, graph.Square(1, 1, 0)), 8, graph.Rect(1, 5, 0, 2))
		d := layer(name+"/towerpool", g.MaxPool(name+"/pool", x, graph.Square(3, 1, 1)), 7, graph.Square(1, 1, 0))
		g.Mark(name+"/tower3x3", b)
		return g.Mark(name, g.Concat(name+"/concat", a, b, c, d))
	}
	x = module("mixed1", x, bn)
	x = g.MaxPool("pool", x, graph.Square(3, 2, 0).CeilMode())
	x = module("mixed2", x, bias)
	x = g.ReLU("residual/relu", g.Add("residual", x, g.Scale("residual/scale", g.Conv("residual/conv", x, x.Shape().C, graph.Square(1, 1, 0), nil), 0.2)))
	x = g.Dropout("dropout", g.GlobalAvgPool("gap", x), 0.3)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.AddBias("fc/bias", g.Linear("fc", x, classes, nil), nil), Weight: 1, Smoothing: 0.1})
	head := func(name, at string, weight, distill float64) {
		n, err := g.Find(at)
		if err != nil {
			g.Fail(err)
			return
		}
		h := bn(name, g.AvgPool(name+"/pool", n, graph.Square(3, 2, 0), true), 6, graph.Square(1, 1, 0))
		g.AddLoss(graph.Loss{Name: name, Logits: g.AddBias(name+"/fc/bias", g.Linear(name+"/fc", h, classes, nil), nil), Weight: weight, At: at,
			Distill: distill, Temperature: 2})
	}
	head("aux1", "mixed1", 0.3, 0.4)
	head("aux2", "mixed2/tower3x3", 0.4, 0)
	return g
}

// plans checks that every way of making a plan gives the same results.
func (s *suite) plans(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 2))
	f := s.fixture(t, network(7), 3, rng)
	f.ref.labels[1] = graph.IgnoreLabel
	all := s.b.Target().Fusions
	without := func(change func(*graph.Fusions)) graph.Fusions {
		u := all
		change(&u)
		return u
	}
	variants := []struct {
		name string
		set  func(*graph.Options)
	}{
		{"fused", func(*graph.Options) {}},
		{"own_memory", func(o *graph.Options) { o.Debug.NoReuse = true }},
		{"no_fusion", func(o *graph.Options) { o.Fusions = graph.Fusions{} }},
		{"no_epilogue", func(o *graph.Options) { o.Fusions = without(func(u *graph.Fusions) { u.Epilogue = false }) }},
		{"no_sums", func(o *graph.Options) { o.Fusions = without(func(u *graph.Fusions) { u.Sums = false }) }},
		{"no_norm_relu", func(o *graph.Options) { o.Fusions = without(func(u *graph.Fusions) { u.NormReLU = false }) }},
		{"no_siblings", func(o *graph.Options) { o.Fusions = without(func(u *graph.Fusions) { u.Siblings = false }) }},
		{"sweep_per_loss", func(o *graph.Options) { o.Debug.SweepPerLoss = true }},
		{"keep", func(o *graph.Options) {
			o.Keep = []string{"mixed1", "mixed2/tower3x3", "stem/conv", "mixed1/tower3x3/bn", "mixed2/tower1x1/relu"}
		}},
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			f.t = t
			o := f.options()
			v.set(&o)
			pr, m := f.run(o, f.feed())
			f.checkHeads(m)
			total := 0.0
			for i, h := range m.Heads {
				total += f.weights[i] * h.Loss
			}
			require.InEpsilon(t, total, m.Total, 1e-12, "the total is the sum of the heads' weighted losses")
			require.Equal(t, 2, m.Rows)
			for _, k := range o.Keep {
				f.checkValues(pr, k)
			}
			f.checkGradients(rng, 2)
		})
	}
	f.t = t
	t.Run("two_plans_share_memory", func(t *testing.T) {
		f.t = t
		p1, _ := f.run(f.options(), f.feed())
		g1 := f.gradients()
		f.run(graph.Options{Batch: 8, Target: s.b.Target()}, &graph.Feed{Images: make([]float32, 8*f.g.InputNode().Shape().Elements()), Labels: make([]int32, 8)})
		require.NoError(t, p1.Run(context.Background(), f.feed()))
		require.Equal(t, g1, f.gradients(), "a run after another plan has grown the scratch memory gives the same bits")
	})
	f.t = t
}

// heads checks that the fused sweep is the sum of separate sweeps, that a change of weights needs
// no new plan, and that runs repeat to the bit.
func (s *suite) heads(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 3))
	f := s.fixture(t, network(5), 4, rng)
	pr, _ := f.run(f.options(), f.feed())
	fused := f.gradients()
	require.NoError(t, pr.Run(context.Background(), f.feed()))
	require.Equal(t, fused, f.gradients(), "two runs give the same bits")

	sum := map[string][]float64{}
	for name, g := range fused {
		sum[name] = make([]float64, len(g))
	}
	for i, l := range f.g.Losses() {
		o := f.options()
		o.Losses = []string{l.Name}
		weights := []float64{f.weights[i]}
		if l.Distill > 0 { // the head needs its teacher
			o.Losses, weights = []string{f.g.MainLoss().Name, l.Name}, []float64{0, f.weights[i]}
		}
		for _, p := range f.layout.Params { // a sweep writes only gradients that its head depends on
			if f.layout.IsTrained(p) {
				f.set(graph.Gradient, p, make([]float32, p.Elements()))
			}
		}
		feed := f.feed()
		feed.HeadWeights = weights
		f.run(o, feed)
		for name, g := range f.gradients() {
			for k, v := range g {
				sum[name][k] += v
			}
		}
	}
	for name := range fused {
		require.LessOrEqual(t, relativeError(fused[name], sum[name]), 10*s.value, "fused sweep against the sum of separate sweeps: %s", name)
	}

	t.Run("weights", func(t *testing.T) {
		f.t = t
		f.weights = []float64{0.5, 0, 2}
		m := f.again(pr, f.feed())
		require.Equal(t, 2.0, m.Heads[2].Weight)
		f.checkGradients(rng, 1)
		p, err := f.g.Param("aux1/fc/weight")
		require.NoError(t, err)
		for _, v := range f.get(graph.Gradient, p) {
			require.Zero(t, v, "a head of weight 0 has no gradient")
		}
	})
	t.Run("accumulate", func(t *testing.T) {
		f.t = t
		require.NoError(t, pr.Run(context.Background(), f.feed()))
		once := f.gradients()
		feed := f.feed()
		feed.Accumulate, feed.GradScale = true, 0.5
		require.NoError(t, pr.Run(context.Background(), feed))
		for name, g := range f.gradients() {
			want := make([]float64, len(g))
			for i, v := range once[name] {
				want[i] = 1.5 * v
			}
			if relativeError(want, make([]float64, len(want))) > 0 {
				require.LessOrEqual(t, relativeError(g, want), 10*s.value, name)
			}
		}
	})
}

// evaluation checks evaluation plans: running statistics, heads left out, padding rows, pixels,
// averages.
func (s *suite) evaluation(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 4))
	f := s.fixture(t, network(7), 5, rng)
	f.ref.training = false
	f.ref.labels[4] = graph.IgnoreLabel
	target := s.b.Target()
	for _, u := range []graph.Fusions{target.Fusions, {}} {
		o := graph.Options{Batch: 5, Target: target}
		o.Fusions = u
		pr, m := f.run(o, f.feed())
		f.checkHeads(m)
		require.Equal(t, 4, m.Rows)
		f.checkValues(pr, "fc/bias")
		f.checkValues(pr, "aux2/fc/bias")
	}
	feed := f.feed()
	feed.HeadWeights = nil
	pr, m := f.run(graph.Options{Batch: 5, Losses: []string{"main"}, Target: target}, feed)
	require.Len(t, m.Heads, 1)
	f.checkValues(pr, "fc/bias")
	for _, s := range pr.Plan().Steps {
		require.NotContains(t, s.NodeName(), "aux", "heads are left out of inference")
	}

	t.Run("averages", func(t *testing.T) {
		f.t = t
		for _, p := range f.g.Params() {
			f.set(graph.Average, p, narrow(f.get(graph.Value, p)))
			f.set(graph.Value, p, make([]float32, p.Elements()))
		}
		feed := f.feed()
		feed.HeadWeights, feed.UseAverages = nil, true
		f.again(pr, feed)
		f.checkValues(pr, "fc/bias")
		for _, p := range f.g.Params() {
			f.set(graph.Value, p, narrow(f.get(graph.Average, p)))
		}
	})
	t.Run("pixels", func(t *testing.T) {
		f.t = t
		z := &graph.Normalization{Mean: []float32{0.4, 0.5, 0.3}, Std: []float32{0.2, 0.25, 0.3}}
		pixels := make([]byte, len(f.images))
		for i := range pixels {
			pixels[i] = byte(rng.IntN(256))
			f.ref.images[i] = (float64(pixels[i])/255 - float64(z.Mean[i%3])) / float64(z.Std[i%3])
		}
		f.ref.run()
		feed := f.feed()
		feed.Pixels, feed.Images = pixels, nil
		pr, _ := f.run(graph.Options{Batch: 5, Normalize: z, Target: target}, feed)
		f.checkValues(pr, "fc/bias")
	})
}

// errors checks that wrong feeds and states give errors, not panics.
func (s *suite) errors(t *testing.T) {
	f := s.fixture(t, network(4), 2, rand.New(rand.NewPCG(1, 1)))
	pr, _ := f.run(f.options(), f.feed())
	for name, spoil := range map[string]func(*graph.Feed){
		"images":       func(x *graph.Feed) { x.Images = x.Images[1:] },
		"labels":       func(x *graph.Feed) { x.Labels = x.Labels[:1] },
		"label":        func(x *graph.Feed) { x.Labels = []int32{0, 4} },
		"head weights": func(x *graph.Feed) { x.HeadWeights = []float64{1} },
	} {
		feed := f.feed()
		spoil(feed)
		require.ErrorContains(t, pr.Run(context.Background(), feed), name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, pr.Run(ctx, f.feed()), context.Canceled)
	_, err := pr.Read("fc/bia")
	var unknown *graph.UnknownError
	require.ErrorAs(t, err, &unknown)
	require.Contains(t, unknown.Nearest, "fc/bias")
	p := f.g.Params()[0]
	_, err = f.state.Get("slot7", p)
	require.Error(t, err)
	other := s.fixture(t, network(4), 2, rand.New(rand.NewPCG(1, 1)))
	_, err = f.state.Get(graph.Value, other.g.Params()[0])
	require.ErrorContains(t, err, "not of this state")
	_, err = s.b.Load(pr.Plan(), other.state)
	require.Error(t, err)
	o := f.options()
	if o.Precision == graph.BF16 {
		o.Precision = graph.FP32
	} else {
		o.Precision = graph.BF16
	}
	p16, err := graph.Compile(f.g, f.layout, o)
	require.NoError(t, err)
	_, err = s.b.Load(p16, f.state)
	require.ErrorContains(t, err, "compile it with the backend's Target")
}
