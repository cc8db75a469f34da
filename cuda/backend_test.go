//go:build cuda

package cuda

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/cuda/driver/drivertest"
)

// network has every operation that needs no convolution.
func network(shape graph.Shape) *graph.Graph {
	g := graph.New("memory bound")
	x := g.Input("image", shape)
	x = g.ReLU("relu1", g.BatchNorm("bn1", x, 1e-3, 0.1))
	a := g.LRN("lrn", x, 5, 0.3, 0.75, 1)
	b := g.MaxPool("max", x, graph.Square(3, 1, 1))
	c := g.AvgPool("avg", x, graph.Square(3, 1, 1), false)
	x = g.AddBias("bias", g.Add("add", g.Scale("scale", a, 0.3), b, c), nil)
	x = g.Concat("concat", x, g.ReLU("relu2", a))
	x = g.BatchNorm("bn2", g.Dropout("dropout", x, 0.4), 1e-3, 0.2)
	g.AddLoss(graph.Loss{Name: "aux", Logits: g.GlobalAvgPool("aux/logits", g.MaxPool("pool", x, graph.Square(3, 2, 0))), Weight: 0.3})
	g.AddLoss(graph.Loss{Name: "main", Logits: g.GlobalAvgPool("logits", g.AdaptiveAvgPool("bins", x, 2, 3)), Weight: 1, Smoothing: 0.1})
	return g
}

// pair is a network on the GPU and on the CPU, with the same random parameters. The CPU computes in
// float64 and rounds where the GPU's precision rounds.
type pair struct {
	t         *testing.T
	tolerance float64
	unfused   bool // plans have no fused steps
	g         *graph.Graph
	rng       *rand.Rand
	backends  [2]graph.Backend
	layout    *graph.Layout
	states    [2]graph.State
	programs  [2]graph.Program
}

func newPair(t *testing.T, o Options, g *graph.Graph) *pair {
	t.Helper()
	gpu, err := New(o)
	require.NoError(t, err)
	precision, tolerance := graph.FP64, 2e-4
	if o.Precision != "" {
		precision, tolerance = o.Precision, 1e-2
	}
	reference, err := cpu.New(cpu.Options{Precision: precision})
	require.NoError(t, err)
	p := &pair{t: t, tolerance: tolerance, g: g, rng: rand.New(rand.NewPCG(1, 2)), backends: [2]graph.Backend{gpu, reference}}
	require.NoError(t, g.Err())
	p.layout, err = graph.NewLayout(g)
	require.NoError(t, err)
	for i, b := range p.backends {
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		p.states[i], err = b.NewState(p.layout, graph.StateOptions{Slots: 2, EMA: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.states[i].Close()) })
	}
	p.fill(func() float32 { return 0.5 + p.rng.Float32() })
	return p
}

// fill sets every parameter and its average to random values.
func (p *pair) fill(value func() float32) {
	p.t.Helper()
	for _, q := range p.layout.Params {
		v := make([]float32, q.Elements())
		for i := range v {
			v[i] = value()
		}
		for _, s := range p.states {
			for _, part := range []graph.Part{graph.Value, graph.Average} {
				require.NoError(p.t, s.Set(part, q, tensor.New(tensor.WithShape(q.Dims...), tensor.WithBacking(v))))
			}
		}
	}
}

// load compiles a plan for both backends.
func (p *pair) load(o graph.Options) {
	p.t.Helper()
	for i, b := range p.backends {
		o.Target = b.Target()
		if p.unfused {
			o.Fusions = graph.Fusions{}
		}
		plan, err := graph.Compile(p.g, p.layout, o)
		require.NoError(p.t, err)
		p.programs[i], err = b.Load(plan, p.states[i])
		require.NoError(p.t, err)
		program := p.programs[i]
		p.t.Cleanup(func() { require.NoError(p.t, program.Close()) })
	}
}

// feed returns a random batch.
func (p *pair) feed(step int) *graph.Feed {
	plan := p.programs[0].Plan()
	f := &graph.Feed{Seed: 5, Step: uint64(step), LR: 0.1, EMADecay: 0.9}
	for range plan.Losses {
		f.HeadWeights = append(f.HeadWeights, p.rng.Float64())
	}
	if n := plan.Options.Batch * plan.Images.Shape.Elements(); plan.Pixels.Valid() {
		f.Pixels = make([]byte, n)
		for i := range f.Pixels {
			f.Pixels[i] = byte(p.rng.Uint32())
		}
	} else {
		for range n {
			f.Images = append(f.Images, float32(p.rng.NormFloat64()))
		}
	}
	for range plan.Options.Batch {
		f.Labels = append(f.Labels, int32(p.rng.IntN(plan.Losses[0].Logits.Shape().C)))
	}
	f.Labels[0] = graph.IgnoreLabel
	return f
}

func (p *pair) run(f *graph.Feed) {
	p.t.Helper()
	for _, pr := range p.programs {
		require.NoError(p.t, pr.Run(context.Background(), f))
	}
}

// wantSame compares everything that can be read.
func (p *pair) wantSame(nodes ...string) {
	p.t.Helper()
	a, err := p.programs[0].Metrics()
	require.NoError(p.t, err)
	b, err := p.programs[1].Metrics()
	require.NoError(p.t, err)
	require.Equal(p.t, b.Rows, a.Rows)
	require.InDelta(p.t, b.Total, a.Total, p.tolerance*b.Total)
	require.InDelta(p.t, b.GradNorm, a.GradNorm, p.tolerance*b.GradNorm)
	for i := range b.Heads {
		require.InDelta(p.t, b.Heads[i].Loss, a.Heads[i].Loss, p.tolerance*b.Heads[i].Loss, b.Heads[i].Name)
		a.Heads[i].Loss = b.Heads[i].Loss
	}
	require.Equal(p.t, b.Heads, a.Heads)
	for _, n := range nodes {
		x, err := p.programs[0].Read(n)
		require.NoError(p.t, err)
		y, err := p.programs[1].Read(n)
		require.NoError(p.t, err)
		require.Equal(p.t, y.Shape(), x.Shape())
		p.wantClose(n, y.Data().([]float64), x.Data().([]float32))
	}
	for _, part := range p.states[1].Parts() {
		for _, q := range p.layout.Params {
			y, err := p.states[1].Get(part, q)
			x, gpuErr := p.states[0].Get(part, q)
			require.Equal(p.t, err == nil, gpuErr == nil, "%s of %s: %v, %v", part, q.Name, err, gpuErr)
			if err == nil {
				p.wantClose(string(part)+" of "+q.Name, y.Data().([]float64), x.Data().([]float32))
			}
		}
	}
}

// wantClose compares vectors by the norm of their difference.
func (p *pair) wantClose(what string, want []float64, got []float32) {
	p.t.Helper()
	require.Equal(p.t, len(want), len(got), what)
	var d, n float64
	for i, w := range want {
		d += (w - float64(got[i])) * (w - float64(got[i]))
		n += w * w
	}
	if !(math.Sqrt(d) <= p.tolerance*math.Sqrt(n)+1e-7) {
		p.t.Errorf("%s: relative error %.2g", what, math.Sqrt(d/n))
	}
}

func TestTrainingAgainstCPU(t *testing.T) {
	shape := graph.Shape{H: 7, W: 6, C: 5}
	pixels := &graph.Normalization{Mean: []float32{0.1, 0.2, 0.3, 0.4, 0.5}, Std: []float32{0.2, 0.3, 0.2, 0.3, 0.2}}
	for _, c := range []struct {
		name    string
		backend Options
		plan    graph.Options
	}{
		{"sgd", Options{}, graph.Options{Optimizer: &graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, Nesterov: true, WeightDecay: 1e-2, DecayAll: true, EMA: true}}},
		{"adamw, isolated", Options{Debug: Debug{Isolated: true}}, graph.Options{Optimizer: &graph.Optimizer{Rule: graph.AdamW, Beta1: 0.9, Beta2: 0.99, Eps: 1e-6, EMA: true}}},
		{"rmsprop, clipped, pixels", Options{}, graph.Options{Normalize: pixels,
			Optimizer: &graph.Optimizer{Rule: graph.RMSPropTF, Momentum: 0.5, Alpha: 0.9, Eps: 1, ClipNorm: 0.01}}},
		{"no fusions, no optimizer", Options{}, graph.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, c.backend, network(shape))
			p.unfused = c.plan.Optimizer == nil
			c.plan.Batch, c.plan.Training, c.plan.Keep = 3, true, []string{"add", "concat", "bn2"}
			p.load(c.plan)
			for step := range 5 {
				f := p.feed(step)
				f.SkipUpdate, f.Accumulate = step == 2, step == 3 // two batches make one update
				p.run(f)
				if step > 0 { // two runs are queued before the first result is read
					p.wantSame("add", "concat", "bn2", "logits")
				}
			}
		})
	}
}

// Runs are queued without reading their results. The host must not overwrite the input of a run
// that waits.
func TestQueuedRuns(t *testing.T) {
	p := newPair(t, Options{}, network(graph.Shape{H: 7, W: 7, C: 6}))
	p.load(graph.Options{Batch: 2, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD, EMA: true}})
	for step := range 7 {
		p.run(p.feed(step))
	}
	p.wantSame("logits")
}

func TestEvaluationAgainstCPU(t *testing.T) {
	p := newPair(t, Options{}, network(graph.Shape{H: 8, W: 8, C: 3}))
	p.load(graph.Options{Batch: 2, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD, EMA: true}})
	training := p.programs
	p.run(p.feed(0))
	p.wantSame()
	p.load(graph.Options{Batch: 5})
	for _, averages := range []bool{false, true, false} {
		f := p.feed(1)
		f.UseAverages = averages
		p.run(f)
		p.wantSame("logits")
	}
	// The larger plan moved the memory that plans share.
	_, err := training[0].Read("logits")
	require.ErrorContains(t, err, "the activations are gone")
	p.programs = training
	p.run(p.feed(1))
	p.wantSame("logits")
}

// Convolutions run forward. In evaluation, their epilogues have folded batch normalisation, bias
// and ReLU, and siblings share a launch.
func TestConvolutionsAgainstCPU(t *testing.T) {
	g := graph.New("convolutions")
	x := g.Input("image", graph.Shape{H: 13, W: 11, C: 3})
	x = g.ReLU("stem/relu", g.BatchNorm("stem/bn", g.Conv("stem", x, 24, graph.Square(3, 2, 1), nil), 1e-3, 0.1))
	var branches []*graph.Node
	for i, filters := range []int{16, 70, 5, 3, 8, 9, 4, 6, 11} { // more siblings than one launch takes
		name := fmt.Sprintf("branch%d", i)
		b := g.Conv(name, x, filters, graph.Square(1, 1, 0), nil)
		if i%2 == 0 {
			b = g.AddBias(name+"/bias", b, nil)
		}
		branches = append(branches, g.ReLU(name+"/relu", b))
	}
	branches[1] = g.BatchNorm("wide/bn", g.Conv("wide", branches[1], 8, graph.Window{H: 1, W: 7, StrideH: 1, StrideW: 1, Same: true}, nil), 1e-3, 0.1)
	x = g.Concat("concat", branches...)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.AddBias("logits/bias", g.Linear("logits", g.MaxPool("pool", x, graph.Square(2, 2, 0)), 10, nil), nil), Weight: 1})
	for _, unfused := range []bool{false, true} {
		p := newPair(t, Options{Debug: Debug{Isolated: true}}, g)
		p.unfused = unfused
		p.load(graph.Options{Batch: 3, Keep: []string{"concat"}})
		p.run(p.feed(0))
		p.wantSame("concat", "logits/bias")
	}
}

// In bfloat16, convolutions multiply a copy of the weights. The copy follows the optimizer, what
// the host sets, and the averages.
func TestWeightsInBFloat16(t *testing.T) {
	g := graph.New("bf16")
	x := g.Input("image", graph.Shape{H: 9, W: 8, C: 3})
	x = g.AddBias("bias", g.Conv("conv", x, 24, graph.Square(3, 1, 1), nil), nil)
	x = g.Conv("second", g.ReLU("relu", x), 16, graph.Square(1, 1, 0), nil)
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("logits", g.GlobalAvgPool("gap", x), 6, nil), Weight: 1})
	p := newPair(t, Options{Precision: graph.BF16}, g)
	p.fill(func() float32 { return 0.2 * float32(p.rng.NormFloat64()) })
	p.load(graph.Options{Batch: 4, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD, EMA: true}})
	training := p.programs
	p.load(graph.Options{Batch: 4})
	evaluation := p.programs
	f := p.feed(0)
	f.LR, f.HeadWeights = 0.5, nil
	var losses []float64
	evaluate := func(averages bool) {
		p.programs = evaluation
		e := *f
		e.UseAverages = averages
		p.run(&e)
		p.wantSame("logits")
		m, err := p.programs[0].Metrics()
		require.NoError(t, err)
		losses = append(losses, m.Total)
	}
	for range 2 {
		p.programs = training
		p.run(f)
		p.wantSame("logits")
		evaluate(false)
		evaluate(true)
	}
	p.fill(func() float32 { return 0.3 * float32(p.rng.NormFloat64()) })
	evaluate(false)
	evaluate(true)
	for i, a := range losses[:5] {
		for _, b := range losses[i+1 : 5] {
			require.Greater(t, math.Abs(a-b), 2*p.tolerance*a, "the losses are too close together to tell one set of weights from another: %v", losses)
		}
	}
}

// In training, the convolution's epilogue computes the sums for batch normalisation. The plan ends
// with the loss.
func TestFusedSumsAgainstCPU(t *testing.T) {
	g := graph.New("sums")
	x := g.Input("image", graph.Shape{H: 16, W: 15, C: 3})
	x = g.ReLU("relu", g.BatchNorm("bn", g.Conv("conv", x, 70, graph.Square(3, 1, 1), nil), 1e-3, 0.1))
	g.AddLoss(graph.Loss{Name: "main", Logits: g.GlobalAvgPool("logits", x), Weight: 1})
	p := newPair(t, Options{}, g)
	for i, b := range p.backends {
		plan, err := graph.Compile(g, p.layout, graph.Options{Batch: 3, Training: true, Keep: []string{"relu"}, Target: graph.Target{Fusions: graph.AllFusions}})
		require.NoError(t, err)
		plan.Steps = plan.Steps[:slices.Index(plan.Phases, graph.Backward)]
		p.programs[i], err = b.Load(plan, p.states[i])
		require.NoError(t, err)
		defer drivertest.Close(t, p.programs[i])
	}
	p.run(p.feed(0))
	p.wantSame("relu", "logits")
	require.Contains(t, fmt.Sprint(p.programs[0].(*program).bound[0].list.Launches()), "batchnorm_finalize")
}

// Blocking launches give the same bits as a graph, because they are the same kernels in the same
// order.
func TestBlockingProgram(t *testing.T) {
	var losses [2]float64
	for i, v := range []string{"0", "1"} {
		t.Setenv("CUDA_LAUNCH_BLOCKING", v)
		p := newPair(t, Options{}, network(graph.Shape{H: 5, W: 5, C: 4}))
		p.load(graph.Options{Batch: 2, Training: true})
		require.Equal(t, i == 1, p.programs[0].(*program).bound[0].graph == nil)
		p.run(p.feed(0))
		p.wantSame("logits")
		m, err := p.programs[0].Metrics()
		require.NoError(t, err)
		losses[i] = m.Total
	}
	require.Equal(t, losses[0], losses[1])
}

// The program reports a fault in a step, with what is known about the fault.
func TestFaultInAStep(t *testing.T) {
	needEmulator(t)
	if drivertest.IsChild() {
		p := newPair(t, Options{}, network(graph.Shape{H: 5, W: 5, C: 4}))
		p.load(graph.Options{Batch: 2, Training: true})
		if err := p.programs[0].Run(context.Background(), p.feed(0)); err != nil {
			t.Log("run:", err)
		}
		_, err := p.programs[0].Metrics()
		t.Log("metrics:", err)
		return
	}
	const lost = "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)"
	for setting, says := range map[string]string{
		"EMULATOR_LAZY=1":        "metrics: cuda: cuEventSynchronize: " + lost + ": a fault in one of the ",
		"CUDA_LAUNCH_BLOCKING=1": ": kernel maxpool_f32 of node max: " + lost,
	} {
		if out := drivertest.Child(t, "TestFaultInAStep", "EMULATOR_FAULT=maxpool_f32", setting); !strings.Contains(out, says) {
			t.Errorf("%s: no %q in\n%s", setting, says, out)
		}
	}
}

// One launch computes the loss of all heads, one updates all parameters, and one computes the norm
// for the update.
func TestLaunchesOfAStep(t *testing.T) {
	p := newPair(t, Options{}, network(graph.Shape{H: 5, W: 5, C: 4}))
	p.load(graph.Options{Batch: 2, Training: true, Optimizer: &graph.Optimizer{Rule: graph.SGD}})
	pr := p.programs[0].(*program)
	count := map[string]int{}
	for _, l := range pr.bound[0].list.Launches() {
		count[l.Function.Name]++
		require.NotEmpty(t, l.Node)
	}
	require.Equal(t, 1, count["softmax_cross_entropy_f32"])
	require.Equal(t, 1, count["update"])
	require.Equal(t, 1, count["gradient_norm"])
	require.Equal(t, len(pr.bound[0].list.Launches())+2, pr.bound[0].graph.Nodes(), "launches, one copy in and one out")
}

// alien is a kind of step that no backend knows.
type alien struct{ graph.Step }

func TestStepsWithoutKernels(t *testing.T) {
	p := newPair(t, Options{}, network(graph.Shape{H: 5, W: 5, C: 4}))
	plan, err := graph.Compile(p.g, p.layout, graph.Options{Batch: 2, Training: true})
	require.NoError(t, err)
	plan.Steps[0], plan.Steps[3] = alien{plan.Steps[0]}, alien{plan.Steps[3]}
	_, err = p.backends[0].Load(plan, p.states[0])
	require.EqualError(t, err, fmt.Sprintf("cuda: no kernel runs %s of node %s, %s of node %s: use the CPU backend",
		plan.Steps[0].Kind(), plan.Steps[0].NodeName(), plan.Steps[3].Kind(), plan.Steps[3].NodeName()))
}

// The error for a step that is too much for a kernel states the kernel's limit.
func TestTooManyHeads(t *testing.T) {
	g := graph.New("heads")
	x := g.Input("image", graph.Shape{H: 2, W: 2, C: 3})
	for i := range kernels.MaxHeads + 1 {
		g.AddLoss(graph.Loss{Name: fmt.Sprint("head", i), Logits: g.Linear(fmt.Sprint("fc", i), x, 2, nil), Weight: 1})
	}
	p := newPair(t, Options{}, g)
	plan, err := graph.Compile(g, p.layout, graph.Options{Batch: 2, Training: true, Target: p.backends[0].Target()})
	require.NoError(t, err)
	_, err = p.backends[0].Load(plan, p.states[0])
	require.EqualError(t, err, "cuda: no kernel runs softmax_cross_entropy of node fc0 (it has 17 heads; at most 16 run): use the CPU backend")
}

// Load refuses a plan that does not fit before it allocates anything, and the batch that the error
// names fits.
func TestPlanTooLarge(t *testing.T) {
	needEmulator(t)
	if !drivertest.IsChild() {
		drivertest.Child(t, "TestPlanTooLarge", "EMULATOR_MEMORY=1024")
		return
	}
	b, err := New(Options{})
	require.NoError(t, err)
	defer b.Close()
	g := network(graph.Shape{H: 224, W: 224, C: 64})
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	options := graph.Options{Batch: 2, Training: true, Target: b.Target(), Normalize: &graph.Normalization{Mean: make([]float32, 64), Std: ones(64)}}
	compile := func(batch int) *graph.Plan {
		p, err := graph.Compile(g, l, options.WithBatch(batch))
		require.NoError(t, err)
		return p
	}
	free, _, err := b.device.FreeMemory()
	require.NoError(t, err)
	batch := int(2*free/compile(2).ArenaBytes()) + 100
	short := new(graph.MemoryError)
	require.ErrorAs(t, graph.Fit(b, l, graph.StateOptions{}, options.WithBatch(batch)), &short)
	together := short.Largest

	s, err := b.NewState(l, graph.StateOptions{})
	require.NoError(t, err)
	defer s.Close()
	before, _, err := b.device.FreeMemory()
	require.NoError(t, err)
	p, err := b.Load(compile(batch), s)
	require.True(t, p == nil, "a failed Load returns no program, not even one that is nil")
	require.ErrorAs(t, err, &short)
	require.Equal(t, batch, short.Batch)
	require.InDelta(t, short.Largest, together, 1)
	after, _, err := b.device.FreeMemory()
	require.NoError(t, err)
	require.Equal(t, before, after)

	p, err = b.Load(compile(short.Largest), s)
	require.NoError(t, err)
	require.NoError(t, p.Close())
	_, err = b.Load(compile(short.Largest+1), s)
	require.ErrorAs(t, err, new(*graph.MemoryError))

	// Isolated buffers share no memory, and the estimate does not count that, so the driver itself
	// runs out of memory.
	b.options.Debug.Isolated = true
	p, err = b.Load(compile(short.Largest), s)
	require.ErrorIs(t, err, driver.OutOfMemory)
	require.True(t, p == nil)
}

func ones(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// Two blocks of a convolution by warpgroups fit a multiprocessor with their shared memory, so that
// one multiplies while the other waits.
func TestTwoBlocksOfWarpgroups(t *testing.T) {
	b, err := New(Options{Precision: graph.BF16})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	if !b.device.Warpgroups() {
		t.Skip("this GPU has no warpgroups")
	}
	for _, tile := range []kernels.ConvTile{{Rows: 128, Cols: 128}, {Rows: 128, Cols: 64}} {
		for _, name := range []string{tile.Name("conv_forward", "tma"), tile.Name("conv_forward", "wgmma"), tile.Name("conv_backward_data", "wgmma")} {
			f, err := b.library.Function(name)
			require.NoError(t, err)
			require.NoError(t, f.AllowShared(tile.Shared()))
			n, err := f.Occupancy(kernels.Threads, tile.Shared())
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, 2, f.Name)
		}
	}
}
