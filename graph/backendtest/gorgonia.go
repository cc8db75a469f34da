//go:build !cuda

package backendtest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// oracleNetwork is a stem, one module with a concatenation, and a head on the stem: operations that
// both engines have.
func oracleNetwork(classes int) *graph.Graph {
	g := graph.New("oracle")
	x := g.Input("image", graph.Shape{H: 8, W: 6, C: 3})
	stem := g.ReLU("stem/relu", g.AddBias("stem/bias", g.Conv("stem", x, 5, graph.Square(3, 1, 1), nil), nil))
	x = g.MaxPool("pool", stem, graph.Square(2, 2, 0))
	a := g.ReLU("a/relu", g.Conv("a", x, 4, graph.Square(1, 1, 0), nil))
	r := g.ReLU("r/relu", g.Conv("r", x, 3, graph.Square(1, 1, 0), nil))
	b := g.ReLU("b/relu", g.Conv("b", r, 6, graph.Square(3, 1, 1), nil))
	x = g.Concat("cat", a, b)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", g.GlobalAvgPool("gap", x), classes, nil), Weight: 1})
	g.AddLoss(graph.Loss{Name: "aux", Logits: g.Linear("aux/fc", g.GlobalAvgPool("aux/gap", stem), classes, nil), Weight: 0.3})
	return g
}

// gorgonia compares the losses and all gradients with Gorgonia's automatic differentiation of the
// same network, in float64.
func (s *suite) gorgonia(t *testing.T) {
	rng := rand.New(rand.NewPCG(s.seed, 5))
	f := s.fixture(t, oracleNetwork(5), 3, rng)
	f.weights = []float64{1, 0.3}
	_, m := f.run(f.options(), f.feed())

	o := &oracle{f: f, g: gorgonia.NewGraph(), nodes: map[string]*gorgonia.Node{}}
	in := f.g.InputNode().Shape()
	n := f.ref.batch
	x := o.tensor("image", nchw(f.ref.images, n, in), n, in.C, in.H, in.W)
	stem := o.relu(o.bias("stem/bias/bias", o.conv("stem/weight", x, 1)))
	x = o.must(gorgonia.MaxPool2D(stem, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	a := o.relu(o.conv("a/weight", x, 0))
	r := o.relu(o.conv("r/weight", x, 0))
	c := o.must(gorgonia.Concat(1, a, o.relu(o.conv("b/weight", r, 1))))
	main := o.loss("fc/weight", c)
	aux := o.loss("aux/fc/weight", stem)
	total := o.must(gorgonia.Add(main, o.must(gorgonia.Mul(aux, gorgonia.NewConstant(0.3)))))
	var trained []*gorgonia.Node
	for _, v := range o.nodes {
		trained = append(trained, v)
	}
	grads, err := gorgonia.Grad(total, trained...)
	require.NoError(t, err)
	values := make([]gorgonia.Value, len(grads)+2)
	gorgonia.Read(main, &values[len(grads)])
	gorgonia.Read(aux, &values[len(grads)+1])
	for i, d := range grads {
		gorgonia.Read(d, &values[i])
	}
	vm := gorgonia.NewTapeMachine(o.g)
	defer vm.Close()
	require.NoError(t, vm.RunAll())

	tol := 10 * s.value
	require.InEpsilon(t, values[len(grads)].Data().(float64), m.Heads[0].Loss, tol, "main loss")
	require.InEpsilon(t, values[len(grads)+1].Data().(float64), m.Heads[1].Loss, tol, "aux loss")
	for i, v := range trained {
		p, err := f.g.Param(v.Name())
		require.NoError(t, err)
		want := values[i].Data().([]float64)
		if p.Role == graph.Weight {
			want = krsc(want, p.Dims)
		}
		require.LessOrEqual(t, relativeError(f.get(graph.Gradient, p), want), tol, "gradient of %s against Gorgonia", p.Name)
	}
}

type oracle struct {
	f     *fixture
	g     *gorgonia.ExprGraph
	nodes map[string]*gorgonia.Node // parameters
}

func (o *oracle) must(n *gorgonia.Node, err error) *gorgonia.Node {
	o.f.t.Helper()
	require.NoError(o.f.t, err)
	return n
}

func (o *oracle) tensor(name string, v []float64, dims ...int) *gorgonia.Node {
	return gorgonia.NewTensor(o.g, tensor.Float64, len(dims), gorgonia.WithShape(dims...), gorgonia.WithName(name),
		gorgonia.WithValue(tensor.New(tensor.WithShape(dims...), tensor.WithBacking(v))))
}

// param returns a parameter in Gorgonia's layout: filters (K, C, R, S), a bias (1, K, 1, 1).
func (o *oracle) param(name string) (*gorgonia.Node, *graph.Param) {
	o.f.t.Helper()
	p, err := o.f.g.Param(name)
	require.NoError(o.f.t, err)
	v, dims := o.f.ref.params[p], []int{1, p.Dims[0], 1, 1}
	if p.Role == graph.Weight {
		v, dims = kcrs(v, p.Dims), []int{p.Dims[0], p.Dims[3], p.Dims[1], p.Dims[2]}
		if strings.HasSuffix(name, "fc/weight") {
			dims = dims[:2]
		}
	}
	n := o.tensor(name, v, dims...)
	o.nodes[name] = n
	return n, p
}

func (o *oracle) conv(weight string, x *gorgonia.Node, pad int) *gorgonia.Node {
	o.f.t.Helper()
	w, p := o.param(weight)
	return o.must(gorgonia.Conv2d(x, w, tensor.Shape{p.Dims[1], p.Dims[2]}, []int{pad, pad}, []int{1, 1}, []int{1, 1}))
}

func (o *oracle) bias(name string, x *gorgonia.Node) *gorgonia.Node {
	o.f.t.Helper()
	b, _ := o.param(name)
	return o.must(gorgonia.BroadcastAdd(x, b, nil, []byte{0, 2, 3}))
}

func (o *oracle) relu(x *gorgonia.Node) *gorgonia.Node {
	o.f.t.Helper()
	return o.must(gorgonia.Rectify(x))
}

// loss is global average pooling, a linear layer, and the mean cross entropy.
func (o *oracle) loss(weight string, x *gorgonia.Node) *gorgonia.Node {
	o.f.t.Helper()
	s := x.Shape()
	mean := o.must(gorgonia.Mean(o.must(gorgonia.Reshape(x, tensor.Shape{s[0], s[1], s[2] * s[3]})), 2))
	w, p := o.param(weight)
	logits := o.must(gorgonia.Mul(mean, o.must(gorgonia.Transpose(w))))
	onehot := make([]float64, s[0]*p.Dims[0])
	for i, l := range o.f.ref.labels {
		onehot[i*p.Dims[0]+int(l)] = -1 / float64(s[0])
	}
	logp := o.must(gorgonia.Log(o.must(gorgonia.SoftMax(logits))))
	return o.must(gorgonia.Sum(o.must(gorgonia.HadamardProd(logp, o.tensor(weight+"/target", onehot, s[0], p.Dims[0])))))
}

func nchw(v []float64, n int, s graph.Shape) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		c, pixel, image := i%s.C, i/s.C%s.Pixels(), i/s.Elements()
		out[(image*s.C+c)*s.Pixels()+pixel] = v[i]
	}
	return out
}

// kcrs converts filters from (K, R, S, C) to (K, C, R, S); krsc converts them back.
func kcrs(v []float64, d []int) []float64 {
	return nchw(v, d[0], graph.Shape{H: d[1], W: d[2], C: d[3]})
}

func krsc(v []float64, d []int) []float64 {
	out := make([]float64, len(v))
	area := d[1] * d[2]
	for i := range v {
		c, pixel, k := i%d[3], i/d[3]%area, i/(d[3]*area)
		out[i] = v[(k*d[3]+c)*area+pixel]
	}
	return out
}
