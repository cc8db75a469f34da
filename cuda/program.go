//go:build cuda

package cuda

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
	"gorgonia.org/tensor"
)

// program is a plan that is bound to memory. A run copies its input to one of two transfers on the
// upload stream, and launches the graph that was captured for the transfer. So the input of a step
// travels while the step before computes.
type program struct {
	plan      *graph.Plan
	schedule  []graph.StreamStep // of the plan's steps
	state     *state
	transfers [2]transfer
	next      int                                 // index of the transfer for the next run
	own       *driver.Arena                       // the buffers of an isolated program
	between   *driver.Arena                       // binder.regions: through it, launches pass data to each other
	at        map[*graph.Buffer]kernels.DevicePtr // address of each internal buffer
	version   int                                 // of the scratch memory for which at and bound were made
	bound     []*bound
	launches  int            // number in a run
	metrics   *graph.Metrics // of the last run: the fields that the host knows
}

// bound holds the launches for one transfer and one arena of parameters.
type bound struct {
	transfer int
	values   *operand
	tables   *driver.Arena
	list     *driver.List
	graph    *driver.Graph // nil on a blocking device
}

func newProgram(s *state, p *graph.Plan) (*program, error) {
	pr := &program{plan: p, schedule: p.AssignStreams(s.backend.streams()), state: s}
	if err := pr.prepare(); err != nil {
		return nil, errors.Join(err, pr.Close())
	}
	return pr, nil
}

func (p *program) prepare() (err error) {
	for i := range p.transfers {
		if err := p.transfers[i].allocate(p.state, p.plan); err != nil {
			return err
		}
	}
	if p.state.backend.options.Debug.Isolated {
		p.at, p.own, err = p.state.backend.isolate(p.plan)
	} else {
		err = p.state.reserve(p.plan)
	}
	for i := 0; i < len(p.transfers) && err == nil; i++ {
		_, err = p.bind(i, p.state.operands[graph.Value])
	}
	return err
}

// Plan implements graph.Program.
func (p *program) Plan() *graph.Plan { return p.plan }

// bind returns the launches for a transfer and an arena of parameters. It makes them on the first
// call.
func (p *program) bind(transfer int, values *operand) (*bound, error) {
	if v := p.state.scratch.version; v != p.version {
		if err := p.unbind(); err != nil {
			return nil, err
		}
		p.version, p.at = v, p.state.locate(p.plan)
	}
	for _, b := range p.bound {
		if b.transfer == transfer && b.values == values {
			return b, nil
		}
	}
	b := &bound{transfer: transfer, values: values}
	if err := p.fill(b); err != nil {
		return nil, errors.Join(err, b.close())
	}
	p.bound = append(p.bound, b)
	return b, nil
}

// fill makes the launches of b and captures them, between the copies of what the step reads from
// the host and reports to it.
func (p *program) fill(b *bound) error {
	s, in := p.state, &p.transfers[b.transfer]
	at := in.addresses(p.plan)
	maps.Copy(at, p.at)
	bd := &binder{state: s, plan: p.plan, values: b.values, at: at, schedule: p.schedule, streams: make([]streamMemory, s.backend.streams()), counting: true,
		recipes: in.memory.Span(pieceRecipes).Address, run: in.memory.Span(pieceRun).Address, metrics: in.memory.Span(pieceMetrics).Address}
	if err := bd.bind(); err != nil {
		return err
	}
	d := s.backend.device
	var err error
	if b.tables, err = d.NewArena([]int64{bd.tables.needed}, s.backend.options.Debug.Isolated); err != nil {
		return err
	}
	if p.between == nil {
		if p.between, err = p.reserve(bd); err != nil {
			return err
		}
	}
	bd.tables = region{address: b.tables.Span(0).Address}
	for i, r := range bd.regions() {
		*r = region{address: p.between.Span(i).Address}
	}
	bd.counting = false
	if err := bd.bind(); err != nil {
		return err
	}
	if len(bd.constant) > 0 {
		if err := s.compute.Write(b.tables.Span(0), bd.constant); err != nil {
			return err
		}
	}
	p.launches = len(bd.launches)
	if b.list, err = d.NewList(bd.launches); err != nil || d.Blocking {
		return err
	}
	b.graph, err = b.capture(s, in, p.schedule, bd.first)
	return err
}

// reserve allocates the memory through which launches pass data to each other. All launches of a
// program share it, because its runs follow one another.
func (p *program) reserve(bd *binder) (*driver.Arena, error) {
	var sizes []int64
	for _, r := range bd.regions() {
		sizes = append(sizes, r.needed)
	}
	s := p.state
	m, err := s.backend.device.NewArena(sizes, s.backend.options.Debug.Isolated)
	if err != nil {
		return nil, err
	}
	for i := range bd.streams {
		if counters := m.Span(i); counters.Bytes > 0 {
			if err := s.compute.Fill(counters, 0); err != nil {
				return nil, errors.Join(err, m.Close())
			}
		}
	}
	return m, nil
}

// Run implements graph.Program.
func (p *program) Run(ctx context.Context, f *graph.Feed) error {
	return p.run(ctx, f, func(b *bound) error {
		if b.graph != nil {
			return b.graph.Launch(p.state.compute)
		}
		return p.transfers[b.transfer].around(p.state.compute, b.list.Run)
	})
}

// run does everything around the launches of a step, which step starts.
func (p *program) run(ctx context.Context, f *graph.Feed, step func(*bound) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := graph.CheckFeed(p.plan, f); err != nil {
		return err
	}
	values := p.state.operands[graph.Value]
	if f.UseAverages {
		if values = p.state.operands[graph.Average]; values == nil {
			return errors.New("cuda: the feed asks for moving averages, but the state keeps none")
		}
	}
	b, err := p.bind(p.next, values)
	if err != nil {
		return err
	}
	in, s := &p.transfers[p.next], p.state
	if err := in.load(s.upload, p.plan, f); err != nil {
		return err
	}
	if err := s.refresh(values); err != nil {
		return err
	}
	if err := s.compute.Wait(in.arrived); err != nil {
		return err
	}
	if err := step(b); err != nil {
		return err
	}
	p.metrics = newMetrics(p.plan, f)
	p.next = 1 - p.next
	in.used = true
	if o := s.operands[graph.Average]; o != nil && p.plan.Options.Optimizer != nil {
		o.current = false
	}
	return in.done.Record(s.compute)
}

// last returns the transfer of the last run.
func (p *program) last() *transfer { return &p.transfers[1-p.next] }

func newMetrics(p *graph.Plan, f *graph.Feed) *graph.Metrics {
	m := &graph.Metrics{Heads: make([]graph.HeadMetrics, len(p.Losses))}
	for i, l := range p.Losses {
		m.Heads[i] = graph.HeadMetrics{Name: l.Name, Weight: f.Weight(p, i)}
	}
	return m
}

// Metrics implements graph.Program.
func (p *program) Metrics() (*graph.Metrics, error) {
	if p.metrics == nil {
		return nil, errors.New("cuda: the program has not run yet")
	}
	in := p.last()
	if err := in.done.Synchronize(); err != nil {
		return nil, err
	}
	from := in.metrics()
	m := *p.metrics
	m.Heads = make([]graph.HeadMetrics, len(p.metrics.Heads))
	m.Rows, m.GradNorm = int(from.Rows), from.GradNorm
	for i, h := range p.metrics.Heads {
		h.Loss, h.Correct1, h.Correct5 = from.Heads[i].Loss, int(from.Heads[i].Correct1), int(from.Heads[i].Correct5)
		m.Heads[i] = h
		m.Total += h.Weight * h.Loss
	}
	return &m, nil
}

// Read implements graph.Program.
func (p *program) Read(node string) (*tensor.Dense, error) {
	v, err := p.plan.Output(node)
	if err != nil {
		return nil, err
	}
	if err := p.readable(); err != nil {
		return nil, err
	}
	at, ok := p.at[v.Buffer]
	if !ok {
		at = p.last().addresses(p.plan)[v.Buffer]
	}
	c, size := v.Shape.C, v.Buffer.Elem.Size()
	raw := make([]byte, ((v.Rows()-1)*v.Stride+c)*size)
	from := driver.Span{Address: at + kernels.DevicePtr(v.Offset*size), Bytes: int64(len(raw))}
	if err := p.state.compute.Read(raw, from); err != nil {
		return nil, err
	}
	out := make([]float32, 0, v.Elements())
	for i := range v.Rows() {
		row := raw[i*v.Stride*size:][:c*size]
		for ; len(row) > 0; row = row[size:] {
			bits := uint32(0)
			if size == 2 {
				bits = uint32(binary.LittleEndian.Uint16(row)) << 16
			} else {
				bits = binary.LittleEndian.Uint32(row)
			}
			out = append(out, math.Float32frombits(bits))
		}
	}
	dims := []int{v.N, v.Shape.H, v.Shape.W, c}
	if v.Shape.Pixels() == 1 {
		dims = []int{v.N, c}
	}
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(out)), nil
}

// Launches implements graph.Program.
func (p *program) Launches() int { return p.launches }

// ProbeResults implements graph.Program.
func (p *program) ProbeResults() ([]graph.ProbeResult, error) {
	out := make([]graph.ProbeResult, len(p.plan.Probes))
	for i, s := range p.plan.Probes {
		if err := p.readable(); err != nil {
			return nil, err
		}
		c := s.X.Shape.C
		y := make([]float64, 2*c)
		if err := p.state.compute.Read(driver.Bytes(y), driver.Span{Address: p.at[s.Y.Buffer], Bytes: 8 * int64(len(y))}); err != nil {
			return nil, err
		}
		out[i] = graph.ProbeResult{Probe: s.Probe, Rows: s.X.Rows(), Squares: y[:c:c], Zeros: y[c:]}
	}
	return out, nil
}

// readable returns an error unless memory still holds the activations of the last run.
func (p *program) readable() error {
	if p.metrics == nil || p.version != p.state.scratch.version {
		return errors.New("cuda: the activations are gone, or not there yet: run the program, and read before other plans are loaded")
	}
	return nil
}

// unbind frees all launches.
func (p *program) unbind() error {
	var err error
	for _, b := range p.bound {
		err = errors.Join(err, b.close())
	}
	p.bound = nil
	return err
}

func (b *bound) close() error {
	var err error
	if b.graph != nil {
		err = b.graph.Close()
	}
	if b.list != nil {
		b.list.Close()
	}
	if b.tables != nil {
		err = errors.Join(err, b.tables.Close())
	}
	return err
}

// Close implements graph.Program.
func (p *program) Close() error {
	err := p.unbind()
	for i := range p.transfers {
		err = errors.Join(err, p.transfers[i].close())
	}
	for _, m := range []*driver.Arena{p.own, p.between} {
		if m != nil {
			err = errors.Join(err, m.Close())
		}
	}
	return err
}
