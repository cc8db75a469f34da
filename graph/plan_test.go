package graph

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/augment"
)

type layer func(g *Graph, name string, x *Node, c int, w Window) *Node

func convBN(g *Graph, name string, x *Node, c int, w Window) *Node {
	return g.ReLU(name+"/relu", g.BatchNorm(name+"/bn", g.Conv(name+"/conv", x, c, w, nil), 1e-3, 0.1))
}

func convBias(g *Graph, name string, x *Node, c int, w Window) *Node {
	return g.ReLU(name+"/relu", g.AddBias(name+"/bias", g.Conv(name+"/conv", x, c, w, nil), nil))
}

func module(g *Graph, l layer, name string, x *Node) *Node {
	a := l(g, name+"/tower1x1", x, 8, Square(1, 1, 0))
	b := l(g, name+"/tower3x3", l(g, name+"/reduce3x3", x, 6, Square(1, 1, 0)), 10, Square(3, 1, 1))
	c := l(g, name+"/tower5x5", l(g, name+"/reduce5x5", x, 4, Square(1, 1, 0)), 12, Square(5, 1, 2))
	d := l(g, name+"/towerpool", g.MaxPool(name+"/pool", x, Square(3, 1, 1)), 6, Square(1, 1, 0))
	g.Mark(name+"/tower3x3", b)
	return g.Mark(name, g.Concat(name+"/concat", a, b, c, d))
}

// inception is a stem and three modules, with a head on the first module and one on a tower of the
// second.
func inception(l layer) *Graph {
	g := New("test")
	x := l(g, "stem", g.Input("image", Shape{16, 16, 3}), 8, Square(3, 1, 1))
	m1 := module(g, l, "mixed1", x)
	m2 := module(g, l, "mixed2", m1)
	x = module(g, l, "mixed3", g.MaxPool("pool", m2, Square(3, 2, 1)))
	x = g.Dropout("dropout", g.GlobalAvgPool("gap", x), 0.4)
	g.AddLoss(Loss{Name: "main", Logits: g.AddBias("fc/bias", g.Linear("fc", x, 10, nil), nil), Weight: 1})
	for i, at := range []string{"mixed1", "mixed2/tower3x3"} {
		name := fmt.Sprintf("aux%d", i+1)
		n, err := g.Find(at)
		if err != nil {
			g.Fail(err)
			return g
		}
		h := l(g, name+"/reduce", g.AdaptiveAvgPool(name+"/pool", n, 4, 4), 5, Square(1, 1, 0))
		g.AddLoss(Loss{Name: name, Logits: g.AddBias(name+"/fc/bias", g.Linear(name+"/fc", h, 10, nil), nil), Weight: 0.3, At: at})
	}
	return g
}

func mustCompile(t *testing.T, g *Graph, o Options) *Plan {
	t.Helper()
	l, err := NewLayout(g)
	require.NoError(t, err)
	p, err := Compile(g, l, o)
	require.NoError(t, err)
	verify(t, p)
	return p
}

func training() Options {
	return Options{Batch: 4, Training: true, Target: Target{Fusions: AllFusions}, Optimizer: &Optimizer{Rule: SGD, Momentum: 0.9}}
}

// verify runs a plan symbolically and checks three rules: nothing is read before it is written, a
// first write is never an accumulation, and no two buffers share memory while both live.
func verify(t *testing.T, p *Plan) {
	t.Helper()
	written := map[*Buffer][]bool{}
	each := func(v View, f func(e *bool)) {
		if written[v.Buffer] == nil {
			written[v.Buffer] = make([]bool, v.Buffer.Elements)
		}
		for r := range v.Rows() {
			row := written[v.Buffer][v.Offset+r*v.Stride:][:v.Shape.C]
			for c := range row {
				f(&row[c])
			}
		}
	}
	for i, s := range p.Steps {
		s.Views(func(v View, a Access) {
			if !v.Buffer.External && a&Read != 0 {
				whole := true
				each(v, func(e *bool) { whole = whole && *e })
				require.True(t, whole, "step %d, %s of %s, reads of %s what nobody has written", i, s.Kind(), s.NodeName(), v.Buffer.Name)
			}
		})
		s.Views(func(v View, a Access) {
			if a&Write != 0 {
				each(v, func(e *bool) { *e = true })
			}
		})
	}
	for i, a := range p.Buffers {
		for _, b := range p.Buffers[:i] {
			if a.External || b.External || a.Elem != b.Elem || a.First > b.Last || b.First > a.Last {
				continue
			}
			apart := a.Offset+a.Elements <= b.Offset || b.Offset+b.Elements <= a.Offset
			require.True(t, apart, "buffers %s and %s live together and overlap", a.Name, b.Name)
		}
	}
}

func stepsOf[S Step](p *Plan) []S {
	var out []S
	for _, s := range p.Steps {
		if x, ok := s.(S); ok {
			out = append(out, x)
		}
	}
	return out
}

func TestOneLossStepForAllHeads(t *testing.T) {
	for _, l := range []layer{convBN, convBias} {
		p := mustCompile(t, inception(l), training())
		losses := stepsOf[*SoftmaxCrossEntropy](p)
		require.Len(t, losses, 1)
		require.Len(t, losses[0].Heads, 3)
		require.Equal(t, 1, p.Count("update"))
	}
}

func TestOneReverseSweepVisitsEveryNodeOnce(t *testing.T) {
	for _, l := range []layer{convBN, convBias} {
		g := inception(l)
		p := mustCompile(t, g, training())
		seen := map[string]int{}
		for _, s := range stepsOf[*ConvBackwardFilter](p) {
			for _, seg := range s.Segments {
				seen["filter "+seg.Node]++
			}
		}
		for _, s := range stepsOf[*ConvBackwardData](p) {
			for _, seg := range s.Segments {
				seen["data "+seg.Node]++
			}
		}
		convs := 0
		for _, n := range g.Nodes() {
			switch n.Op().(type) {
			case Conv, Linear:
				convs++
				require.Equal(t, 1, seen["filter "+n.Name()], n.Name())
				if n.Name() != "stem/conv" {
					require.Equal(t, 1, seen["data "+n.Name()], n.Name())
				}
			}
		}
		require.Len(t, seen, 2*convs-1, "all but the first convolution have a data gradient")
		require.Zero(t, p.Count("copy"), "no launch only adds or moves gradients")
		for _, s := range p.Steps {
			for _, q := range s.Gradients() {
				seen[q.Name]++
				require.Equal(t, 1, seen[q.Name], "the gradient of %s is finished once", q.Name)
			}
		}
	}
}

// The first gradient that reaches a shared node stores. Later ones accumulate in their own step's
// epilogue.
func TestFirstWriterStoresLaterOnesAccumulate(t *testing.T) {
	p := mustCompile(t, inception(convBN), training())
	kinds := map[string][]string{}
	for i, s := range p.Steps {
		if p.Phases[i] != Backward {
			continue
		}
		s.Views(func(v View, a Access) {
			if a&Write != 0 && strings.HasPrefix(v.Buffer.Name, "d(mixed1/concat)") && v.Shape.C == 36 {
				kinds[v.Buffer.Name] = append(kinds[v.Buffer.Name], fmt.Sprintf("%s %v", s.Kind(), a == Update))
			}
		})
	}
	require.Equal(t, []string{"maxpool.backward false", "conv.backward_data true", "adaptive_avgpool.backward true"}, kinds["d(mixed1/concat)"])
}

func TestConcatHasNoStep(t *testing.T) {
	g := inception(convBias)
	p := mustCompile(t, g, training())
	out := map[string]View{}
	for _, s := range stepsOf[*ConvForward](p) {
		for _, seg := range s.Segments {
			out[seg.Node] = seg.Y
		}
	}
	for _, s := range p.Steps {
		require.NotContains(t, s.Kind(), "concat")
	}
	buf := out["mixed1/tower1x1/conv"].Buffer
	require.Equal(t, "mixed1/concat", buf.Name)
	for node, from := range map[string]int{"mixed1/tower1x1/conv": 0, "mixed1/tower3x3/conv": 8, "mixed1/tower5x5/conv": 18, "mixed1/towerpool/conv": 30} {
		require.Same(t, buf, out[node].Buffer, node)
		require.Equal(t, from, out[node].Offset, node)
		require.Equal(t, 36, out[node].Stride, node)
	}
}

func TestSiblingsAreOneProductEachWay(t *testing.T) {
	for _, l := range []layer{convBN, convBias} {
		p := mustCompile(t, inception(l), training())
		for _, m := range []string{"mixed1", "mixed2", "mixed3"} {
			want := []string{m + "/tower1x1/conv", m + "/reduce3x3/conv", m + "/reduce5x5/conv"}
			n := 0
			check := func(segs []ConvSegment) {
				if segs[0].Node != want[0] {
					return
				}
				n++
				for i, s := range segs {
					require.Equal(t, want[i], s.Node)
				}
				require.Len(t, segs, 3)
			}
			for _, s := range stepsOf[*ConvForward](p) {
				check(s.Segments)
			}
			for _, s := range stepsOf[*ConvBackwardData](p) {
				check(s.Segments)
			}
			for _, s := range stepsOf[*ConvBackwardFilter](p) {
				check(s.Segments)
			}
			require.Equal(t, 3, n, "forward, data gradient and filter gradient of %s", m)
		}
	}
}

func TestBiasNormAndReLUAreFused(t *testing.T) {
	p := mustCompile(t, inception(convBias), training())
	require.Zero(t, p.Count("affine")+p.Count("relu.forward")+p.Count("bias.backward"))
	p = mustCompile(t, inception(convBN), training())
	require.Zero(t, p.Count("affine")+p.Count("relu.forward")+p.Count("relu.backward"))
	for _, s := range stepsOf[*BatchNormForward](p) {
		require.True(t, s.Sums.Valid(), "%s takes its sums from the convolution", s.NodeName())
		require.True(t, s.ReLU)
	}
	for _, s := range stepsOf[*BatchNormBackward](p) {
		require.Equal(t, s.DY, s.DX, "%s works in place", s.NodeName())
	}
	e := mustCompile(t, inception(convBN), Options{Batch: 4, Target: Target{Fusions: AllFusions}})
	require.Equal(t, 1, e.Count("batchnorm.fold"), "evaluation folds every batch normalisation in one step")
	require.Zero(t, e.Count("affine")+e.Count("batchnorm.forward")+e.Count("dropout")+e.Count("relu.forward"))
}

func TestUnfusedPlansAreWhole(t *testing.T) {
	for _, l := range []layer{convBN, convBias} {
		for i := range 32 {
			f := Fusions{i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0, i&16 != 0}
			o := training()
			o.Fusions = f
			mustCompile(t, inception(l), o)
			o.Debug.SweepPerLoss = true
			p := mustCompile(t, inception(l), o)
			require.Equal(t, 3, p.Count("softmax_cross_entropy"))
			mustCompile(t, inception(l), Options{Batch: 3, Target: Target{Fusions: f}})
		}
	}
}

// A residual block ends in one step each way, with the factor of the branch, the sum and the ReLU.
// The branch's gradient shares the memory of the block's gradient; the step also adds the trunk's
// gradient.
func TestResidualBlockIsFused(t *testing.T) {
	build := func() *Graph {
		g := New("residual")
		x := g.Input("image", Shape{8, 8, 3})
		x = convBN(g, "stem", x, 8, Square(3, 1, 1))
		for i := range 3 {
			name := fmt.Sprintf("block%d", i)
			y := g.AddBias(name+"/bias", g.Conv(name+"/conv", convBN(g, name+"/tower", x, 4, Square(3, 1, 1)), 8, Square(1, 1, 0), nil), nil)
			x = g.ReLU(name+"/relu", g.Add(name+"/add", x, g.Scale(name+"/scale", y, 0.2)))
		}
		g.AddLoss(Loss{Name: "main", Logits: g.Linear("fc", g.GlobalAvgPool("gap", x), 4, nil), Weight: 1})
		return g
	}
	p := mustCompile(t, build(), training())
	for kind, want := range map[string]int{"add.forward": 3, "add.backward": 3, "scale": 0, "relu.forward": 0, "relu.backward": 0, "copy": 0} {
		require.Equal(t, want, p.Count(kind), kind)
	}
	for _, s := range stepsOf[*AddForward](p) {
		require.True(t, s.ReLU)
		require.Equal(t, []float64{1, 0.2}, []float64{s.Xs[0].Factor, s.Xs[1].Factor})
	}
	for _, s := range stepsOf[*AddBackward](p) {
		require.True(t, s.Y.Valid())
		require.Len(t, s.Targets, 2)
		require.NotEqual(t, s.DY, s.Targets[0].DX)
		require.Equal(t, s.DY, s.Targets[1].DX, "the branch's gradient takes over the sum's memory")
		require.Equal(t, 0.2, s.Targets[1].Factor)
		require.False(t, s.Targets[0].Accumulate, "the sum is the first in the sweep to reach the block before")
	}
	o := training()
	o.Fusions.Residual = false
	q := mustCompile(t, build(), o)
	for kind, want := range map[string]int{"add.forward": 3, "scale": 6, "relu.forward": 3, "relu.backward": 3} {
		require.Equal(t, want, q.Count(kind), kind)
	}
	require.Less(t, p.Bytes(), q.Bytes()*9/10)
}

// A head on a single tower comes after the trunk in the sweep, so the trunk's gradient first stores
// into the whole concatenation. Where a head reads a tower of a module that no other loss of the
// sweep reaches, only the tower's slice exists.
func TestHeadOnTower(t *testing.T) {
	g := inception(convBN)
	o := training()
	o.Losses = []string{"aux2"}
	p := mustCompile(t, g, o)
	for _, s := range p.Steps {
		require.NotContains(t, s.NodeName(), "mixed3")
		require.NotContains(t, s.NodeName(), "mixed2/tower5x5")
	}
	o.Losses = []string{"aux1", "aux2", "main"} // the first head is another trunk
	mustCompile(t, g, o)
}

// The gradient of a tower is a slice of the concatenation's gradient, unless the sweep has another
// contribution first. That happens if a head on the tower alone comes first, and so is the trunk.
// Then the concatenation's contribution is added to the tower's own memory.
func TestPartsOfAConcatenation(t *testing.T) {
	g := New("parts")
	x := g.Conv("c", g.Input("image", Shape{4, 4, 2}), 3, Square(1, 1, 0), nil)
	a := g.ReLU("a", x)
	b := g.Conv("b", x, 4, Square(1, 1, 0), nil)
	cat := g.Concat("cat", a, b)
	g.AddLoss(Loss{Name: "main", Logits: g.Linear("fa", cat, 2, nil), Weight: 1})
	g.AddLoss(Loss{Name: "tower", Logits: g.Linear("fb", a, 2, nil), Weight: 1})
	p := mustCompile(t, g, Options{Batch: 2, Training: true, Target: Target{Fusions: AllFusions}})
	require.Zero(t, p.Count("copy"))
	p = mustCompile(t, g, Options{Batch: 2, Training: true, Losses: []string{"tower", "main"}, Target: Target{Fusions: AllFusions}})
	copies := stepsOf[*Copy](p)
	require.Len(t, copies, 1)
	require.True(t, copies[0].Accumulate)
	require.Equal(t, [2]string{"d(cat)", "d(a)"}, [2]string{copies[0].X.Buffer.Name, copies[0].Y.Buffer.Name})
}

func TestMemoryIsShared(t *testing.T) {
	p := mustCompile(t, inception(convBN), training())
	require.Less(t, p.ArenaBytes(), p.Unshared*3/4)
	o := training()
	o.Debug.NoReuse = true
	q := mustCompile(t, inception(convBN), o)
	require.GreaterOrEqual(t, q.ArenaBytes(), q.Unshared)
	require.Equal(t, p.Unshared, q.Unshared)
	e := mustCompile(t, inception(convBN), Options{Batch: 4, Target: Target{Fusions: AllFusions}, Losses: []string{"main"}})
	require.Less(t, e.ArenaBytes(), p.ArenaBytes()/2)
}

// Parameters lie in the order in which the sweep completes their gradients.
func TestLayoutFollowsTheSweep(t *testing.T) {
	g := inception(convBN)
	l, err := NewLayout(g)
	require.NoError(t, err)
	p, err := Compile(g, l, training())
	require.NoError(t, err)
	last := -1
	for _, s := range p.Steps {
		for _, q := range s.Gradients() {
			require.Greater(t, l.Offset(q), last, q.Name)
			require.True(t, l.IsTrained(q))
			last = l.Offset(q)
		}
	}
	require.Less(t, last, l.Trained)
	for _, q := range g.Params() {
		require.Equal(t, !q.IsStatistic(), l.IsTrained(q), q.Name)
	}
}

func TestFrozenParameters(t *testing.T) {
	g := inception(convBN)
	for _, p := range g.Params() {
		if !strings.HasPrefix(p.Name, "mixed3") && !strings.HasPrefix(p.Name, "fc") {
			p.Trainable = false
		}
	}
	p := mustCompile(t, g, training())
	for i, s := range p.Steps {
		if p.Phases[i] == Backward {
			require.NotContains(t, s.NodeName(), "mixed2", "the sweep stops where nothing is trained")
			require.NotContains(t, s.NodeName(), "aux")
		}
	}
	require.Len(t, stepsOf[*SoftmaxCrossEntropy](p)[0].Heads, 3, "frozen heads are still evaluated")

	l, err := NewLayout(g)
	require.NoError(t, err)
	g.Params()[0].Trainable = true
	_, err = Compile(g, l, training())
	require.ErrorContains(t, err, "no room for the gradient of stem/conv/weight")
}

func TestCompileRefuses(t *testing.T) {
	g := inception(convBN)
	l, err := NewLayout(g)
	require.NoError(t, err)
	for want, o := range map[string]Options{
		"at least 1":           {Batch: 0},
		"nearest: aux":         {Batch: 1, Losses: []string{"aux"}},
		"at least one head":    {Batch: 1, Losses: []string{}},
		"nearest: mixed1":      {Batch: 1, Keep: []string{"mixed"}},
		"2 means":              {Batch: 1, Normalize: &Normalization{Mean: []float32{1, 2}, Std: []float32{1, 2}}},
		"evaluation plan":      {Batch: 1, Optimizer: &Optimizer{Rule: SGD}},
		"nearest: sgd":         {Batch: 1, Training: true, Optimizer: &Optimizer{Rule: "sdg"}},
		"momentum 1.5":         {Batch: 1, Training: true, Optimizer: &Optimizer{Rule: SGD, Momentum: 1.5}},
		"eps must be above 0":  {Batch: 1, Training: true, Optimizer: &Optimizer{Rule: AdamW}},
		"standard deviation 0": {Batch: 1, Normalize: &Normalization{Mean: []float32{1, 2, 3}, Std: []float32{1, 0, 3}}},
		"-1 bytes of regions":  {Batch: 1, Regions: -1},
		"set Normalize":        {Batch: 1, Regions: 100},
		"without SweepPerLoss": {Batch: 1, Training: true, Debug: Debug{SweepPerLoss: true}, Probes: []Probe{{Node: "mixed1", Gradient: true}}},
	} {
		_, err := Compile(g, l, o)
		require.ErrorContains(t, err, want)
	}
	_, err = Compile(inception(convBN), l, training())
	require.ErrorContains(t, err, "another graph")

	one := New("one")
	x := one.BatchNorm("bn", one.Conv("c", one.Input("image", Shape{1, 1, 3}), 2, Square(1, 1, 0), nil), 1e-3, 0.1)
	one.AddLoss(Loss{Name: "main", Logits: x, Weight: 1})
	l, err = NewLayout(one)
	require.NoError(t, err)
	_, err = Compile(one, l, Options{Batch: 1, Training: true})
	require.ErrorContains(t, err, "batch of at least 2")
}

func TestBuildingErrorsNameTheNode(t *testing.T) {
	build := func(f func(g *Graph, x *Node)) error {
		g := New("bad")
		f(g, g.Input("image", Shape{5, 5, 3}))
		return g.Err()
	}
	for want, f := range map[string]func(*Graph, *Node){
		`conv "c": window 7x7`:      func(g *Graph, x *Node) { g.Conv("c", x, 4, Square(7, 1, 0), nil) },
		"at least 7x7":              func(g *Graph, x *Node) { g.Conv("c", x, 4, Square(7, 1, 0), nil) },
		"0 filters":                 func(g *Graph, x *Node) { g.Conv("c", x, 0, Square(1, 1, 0), nil) },
		"already":                   func(g *Graph, x *Node) { g.ReLU("image", x) },
		"is a path":                 func(g *Graph, x *Node) { g.ReLU("a b", x) },
		"must be equal":             func(g *Graph, x *Node) { g.Add("s", x, g.MaxPool("p", x, Square(2, 2, 0))) },
		"height and width":          func(g *Graph, x *Node) { g.Concat("s", x, g.MaxPool("p", x, Square(2, 2, 0))) },
		"padding only":              func(g *Graph, x *Node) { g.MaxPool("p", x, Square(2, 2, 2)) },
		"not in [0,1)":              func(g *Graph, x *Node) { g.Dropout("d", x, 1) },
		"must be odd":               func(g *Graph, x *Node) { g.LRN("l", x, 4, 1, 1, 1) },
		"SAME and explicit":         func(g *Graph, x *Node) { g.MaxPool("p", x, Window{H: 2, W: 2, Same: true, Pads: Pads{1, 0, 0, 0}}) },
		"not a node of this graph":  func(g *Graph, x *Node) { g.ReLU("r", New("other").Input("i", Shape{1, 1, 1})) },
		"an input already":          func(g *Graph, x *Node) { g.Input("again", Shape{1, 1, 1}) },
		"1x1xCLASSES":               func(g *Graph, x *Node) { g.AddLoss(Loss{Name: "main", Logits: x}) },
		`unknown node or end point`: func(g *Graph, x *Node) { _, err := g.Find("imag"); g.Fail(err) },
		"the nearest: image":        func(g *Graph, x *Node) { _, err := g.Glob("imag*x"); g.Fail(err) },
		"main head has 4": func(g *Graph, x *Node) {
			g.AddLoss(Loss{Name: "main", Logits: g.Linear("a", x, 4, nil)})
			g.AddLoss(Loss{Name: "aux", Logits: g.Linear("b", x, 5, nil)})
		},
	} {
		require.ErrorContains(t, build(f), want)
	}
	var small *TooSmallError
	require.ErrorAs(t, build(func(g *Graph, x *Node) { g.Conv("c", x, 4, Rect(1, 9, 0, 1), nil) }), &small)
	require.Equal(t, 7, small.MinW)
	var node *NodeError
	require.True(t, errors.As(build(func(g *Graph, x *Node) { g.Dropout("d", x, -1) }), &node))
	require.Equal(t, "d", node.Node)
}

func TestGlobPrefersEndPoints(t *testing.T) {
	g := inception(convBN)
	e, err := g.Glob("mixed*")
	require.NoError(t, err)
	require.Len(t, e, 3)
	e, err = g.Glob("mixed*/tower3x3")
	require.NoError(t, err)
	require.Len(t, e, 3)
	require.Equal(t, "mixed2/tower3x3/relu", e[1].Node.Name())
	e, err = g.Glob("mixed1/*/bn")
	require.NoError(t, err)
	require.Len(t, e, 6)
}

// A plan in bfloat16 has activations and gradients of two bytes and statistics of four. Its input
// has whole 16-byte pixels if the target pads the input.
func TestBFloat16Plan(t *testing.T) {
	o := training()
	o.Precision, o.PadInput = BF16, true
	o.Normalize = &Normalization{Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
	p := mustCompile(t, inception(convBN), o)
	require.NoError(t, o.Target.Check(p))
	require.ErrorContains(t, Target{Precision: FP32, PadInput: true}.Check(p), "bf16")
	require.ErrorContains(t, Target{Precision: BF16}.Check(p), "padded input true")
	in := p.Images
	require.Equal(t, [3]int{3, 8, 5}, [3]int{in.Shape.C, in.Stride, in.Zeros})
	elems := map[Elem]int{}
	for _, b := range p.Buffers {
		elems[b.Elem] += b.Elements
		if strings.HasSuffix(b.Name, "#stats") {
			require.Equal(t, Float, b.Elem, b.Name)
		}
	}
	require.Greater(t, elems[BFloat16], 50*elems[Float])
	full := mustCompile(t, inception(convBN), training())
	require.InEpsilon(t, full.Bytes()/2, p.Bytes(), 0.1, "half the bytes, but for statistics, master weights and the optimizer")

	o.Normalize = nil
	p = mustCompile(t, inception(convBN), o)
	require.Equal(t, 1, p.Count("convert"))
	require.True(t, p.Images.Buffer.External)
	require.Equal(t, Float, p.Images.Buffer.Elem)
	_, err := Compile(p.Graph, p.Layout, Options{Batch: 1, Target: Target{Precision: "fp8"}})
	require.ErrorContains(t, err, "fp8")
}

// A plan that augments has one step for it. The finished bytes take no memory after the step.
func TestAugmentPlan(t *testing.T) {
	o := training()
	o.Normalize = &Normalization{Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
	pixels := mustCompile(t, inception(convBN), o)
	o.Regions = 1000
	p := mustCompile(t, inception(convBN), o)
	steps := stepsOf[*AugmentStep](p)
	require.Len(t, steps, 1)
	require.Zero(t, p.Count("normalize"))
	require.False(t, p.Pixels.Valid())
	require.Equal(t, 1000, p.Regions.Buffer.Elements)
	require.Equal(t, steps[0].Pixels.Buffer.First, steps[0].Pixels.Buffer.Last)
	require.Len(t, pixels.Steps, len(p.Steps))
	require.Equal(t, pixels.Arena[Float], p.Arena[Float])

	in := p.Images.Shape
	feed := func() *Feed {
		f := &Feed{Regions: make([]byte, 1000), Recipes: make([]augment.Recipe, o.Batch), Labels: make([]int32, o.Batch)}
		for i := range f.Recipes {
			f.Recipes[i] = augment.Recipe{Offset: 3, Rows: augment.Resized(10, in.H), Cols: augment.Resized(20, in.W)}
		}
		return f
	}
	require.NoError(t, CheckFeed(p, feed()))
	for want, spoil := range map[string]func(*Feed){
		"1001 bytes of regions":              func(f *Feed) { f.Regions = make([]byte, 1001) },
		"3 recipes for a batch of 4":         func(f *Feed) { f.Recipes = f.Recipes[1:] },
		"recipe of row 2: a region of 10×20": func(f *Feed) { f.Recipes[2].Offset = 401 },
		"at byte -1":                         func(f *Feed) { f.Recipes[0].Offset = -1 },
		"recipe of row 1: rows: a region of": func(f *Feed) { f.Recipes[1].Rows.Region = -1 },
		"columns: 99 pixels resized to 3":    func(f *Feed) { f.Recipes[3].Cols = augment.Resized(99, 3) },
		"rows: 10 pixels of a cut resized":   func(f *Feed) { f.Recipes[3].Rows.To = 99 },
		"adjustment 4 by 1":                  func(f *Feed) { f.Recipes[3].Adjust[1] = augment.Adjustment{Op: 4, Factor: 1} },
		"adjustment 2 comes twice": func(f *Feed) {
			f.Recipes[1].Adjust = [3]augment.Adjustment{{Op: augment.Contrast}, {}, {Op: augment.Contrast}}
		},
		"by NaN":                  func(f *Feed) { f.Recipes[3].Adjust[1].Factor = float32(math.NaN()) },
		"a patch of rows 0 to 99": func(f *Feed) { f.Recipes[0].Patch.Y1 = 99 },
	} {
		f := feed()
		spoil(f)
		require.ErrorContains(t, CheckFeed(p, f), want)
	}

	two := New("two channels")
	x := two.Input("image", Shape{4, 4, 2})
	two.AddLoss(Loss{Name: "main", Logits: two.Linear("fc", x, 3, nil), Weight: 1})
	l, err := NewLayout(two)
	require.NoError(t, err)
	_, err = Compile(two, l, Options{Batch: 1, Regions: 9, Normalize: &Normalization{Mean: []float32{0, 0}, Std: []float32{1, 1}}})
	require.ErrorContains(t, err, "2 channels")
}
