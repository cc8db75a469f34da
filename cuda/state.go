//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
	"gorgonia.org/tensor"
)

// state holds the flat arenas: the values of all parameters, the gradients and slots of trained
// parameters, the averages of all parameters. The streams of its programs belong to it too, because
// one program reads what another writes.
type state struct {
	backend  *Backend
	layout   *graph.Layout
	slots    int
	ema      bool
	memory   *driver.Arena
	parts    map[graph.Part]driver.Span
	operands map[graph.Part]*operand    // for Value and Average
	copies   map[graph.Part]driver.Span // the memory in use of each snapshot
	comparer comparer
	scratch  scratch
	compute  *driver.Stream   // all runs, one after another
	beside   []*driver.Stream // the other streams of a run
	upload   *driver.Stream   // the input of the next run
}

// operand is a part that the steps of a plan read: values or moving averages.
type operand struct {
	floats  driver.Span
	bf16    driver.Span  // in BF16: a copy of floats, which convolutions multiply
	convert *driver.List // makes the copy
	current bool         // whether the copy is up to date
}

// refresh updates the bfloat16 copy of an operand if it is out of date. The optimizer writes the
// copy of the values along with them. So refresh is for values that the host set, and for the
// averages, which only evaluations read.
func (s *state) refresh(o *operand) error {
	if o.convert == nil || o.current {
		return nil
	}
	o.current = true
	return o.convert.Run(s.compute)
}

// slotParts are the parts that hold optimizer slots.
var slotParts = []graph.Part{graph.Slot0, graph.Slot1}

// NewState implements graph.Backend.
func (b *Backend) NewState(l *graph.Layout, o graph.StateOptions) (graph.State, error) {
	if o.Slots < 0 || o.Slots > len(slotParts) {
		return nil, fmt.Errorf("cuda: %d optimizer slots: 0 to %d", o.Slots, len(slotParts))
	}
	needs, free, err := b.Memory(l, o)
	if err != nil {
		return nil, err
	}
	if needs > free {
		return nil, &graph.MemoryError{Network: l.Graph.Name(), Device: b.Name(), Needs: needs, Free: free}
	}
	s := &state{backend: b, layout: l, slots: o.Slots, ema: o.EMA, parts: map[graph.Part]driver.Span{}, operands: map[graph.Part]*operand{}, copies: map[graph.Part]driver.Span{}}
	for i := range o.Snapshots {
		s.copies[graph.Snapshot(i)] = driver.Span{}
	}
	err = s.allocate(b.stateSizes(l, o))
	for _, p := range []graph.Part{graph.Value, graph.Average} {
		if err == nil && s.parts[p].Bytes > 0 {
			err = s.addOperand(p)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// stateSizes returns the names of a state's parts and the size of each in bytes. After the parts,
// sizes has those of the copies that convolutions multiply.
func (b *Backend) stateSizes(l *graph.Layout, o graph.StateOptions) (names []graph.Part, sizes []int64) {
	all, trained, copies := 4*int64(l.Elements), 4*int64(l.Trained), 1
	names, sizes = []graph.Part{graph.Value, graph.Gradient}, []int64{all, trained}
	for _, p := range slotParts[:o.Slots] {
		names, sizes = append(names, p), append(sizes, trained)
	}
	if o.EMA {
		names, sizes, copies = append(names, graph.Average), append(sizes, all), 2
	}
	for i := range o.Snapshots {
		names, sizes = append(names, graph.Snapshot(i)), append(sizes, all)
	}
	if b.activation() == graph.BFloat16 {
		for range copies {
			sizes = append(sizes, int64(graph.BFloat16.Size())*int64(l.Elements))
		}
	}
	return names, sizes
}

// addOperand prepares a part that steps read. In s.memory, the copies follow the parts in the same
// order.
func (s *state) addOperand(p graph.Part) error {
	o := &operand{floats: s.parts[p]}
	s.operands[p] = o
	if s.backend.activation() == graph.Float {
		return nil
	}
	o.bf16 = s.memory.Span(len(s.parts) + len(s.operands) - 1)
	f, err := s.backend.library.Function("convert_bf16")
	if err != nil {
		return err
	}
	n := s.layout.Elements
	o.convert, err = s.backend.device.NewList([]driver.Launch{{Function: f, Node: string(p), Grid: dim(kernels.ElementGrid(1, n, graph.BFloat16.Size(), s.backend.device.SMs)),
		Block: driver.Dim{X: kernels.Threads, Y: 1, Z: 1}, Params: kernels.ConvertParams{X: o.floats.Address,
			Y: kernels.View{Data: o.bf16.Address, Stride: int32(n)}, Rows: 1, Channels: int32(n), Padded: int32(n)}}})
	return err
}

func (s *state) allocate(names []graph.Part, sizes []int64) (err error) {
	d := s.backend.device
	if s.compute, err = d.NewUrgentStream(); err != nil {
		return err
	}
	for range s.backend.streams() - 1 {
		x, err := d.NewStream()
		if err != nil {
			return err
		}
		s.beside = append(s.beside, x)
	}
	if s.upload, err = d.NewStream(); err != nil {
		return err
	}
	if s.memory, err = d.NewArena(sizes, s.backend.options.Debug.Isolated); err != nil {
		return err
	}
	for i, n := range names {
		s.parts[n] = s.memory.Span(i)
		if sizes[i] > 0 {
			if err := s.compute.Fill(s.parts[n], 0); err != nil {
				return err
			}
		}
	}
	return s.compute.Synchronize()
}

func (s *state) Layout() *graph.Layout { return s.layout }

func (s *state) Parts() []graph.Part {
	parts := []graph.Part{graph.Value, graph.Gradient}
	if s.ema {
		parts = append(parts, graph.Average)
	}
	return append(parts, slotParts[:s.slots]...)
}

func (s *state) Close() error {
	var err error
	err = errors.Join(err, s.comparer.close())
	for _, o := range s.operands {
		if o.convert != nil {
			o.convert.Close()
		}
	}
	for _, x := range append(s.beside, s.compute, s.upload) {
		if x != nil {
			err = errors.Join(err, x.Close())
		}
	}
	for _, a := range []*driver.Arena{s.memory, s.scratch.memory} {
		if a != nil {
			err = errors.Join(err, a.Close())
		}
	}
	return err
}

// span returns the memory of one part of a parameter.
func (s *state) span(part graph.Part, p *graph.Param) (driver.Span, error) {
	arena, ok := s.parts[part]
	if !ok {
		return driver.Span{}, fmt.Errorf("cuda: the state keeps no part %q, only %v", part, s.Parts())
	}
	if !slices.Contains(s.layout.Params, p) {
		return driver.Span{}, fmt.Errorf("cuda: parameter %q is not of this state's network", p.Name)
	}
	if part != graph.Value && part != graph.Average && !s.layout.IsTrained(p) {
		return driver.Span{}, fmt.Errorf("cuda: parameter %q is not trained: it has no part %q", p.Name, part)
	}
	return arena.Sub(4*int64(s.layout.Offset(p)), 4*int64(p.Elements()))
}

func (s *state) Get(part graph.Part, p *graph.Param) (*tensor.Dense, error) {
	from, err := s.span(part, p)
	if err != nil {
		return nil, err
	}
	v := make([]float32, p.Elements())
	if err := s.compute.Read(driver.Bytes(v), from); err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(v)), nil
}

func (s *state) Set(part graph.Part, p *graph.Param, v *tensor.Dense) error {
	to, err := s.span(part, p)
	if err != nil {
		return err
	}
	if !slices.Equal([]int(v.Shape()), p.Dims) {
		return fmt.Errorf("cuda: parameter %q has dimensions %v, the tensor %v", p.Name, p.Dims, v.Shape())
	}
	if !v.IsNativelyAccessible() || v.RequiresIterator() {
		return fmt.Errorf("cuda: the tensor for parameter %q is a view: clone it first", p.Name)
	}
	var data []float32
	switch d := v.Data().(type) {
	case []float32:
		data = d
	case []float64:
		for _, x := range d {
			data = append(data, float32(x))
		}
	case float32: // tensor returns a scalar for one element
		data = []float32{d}
	case float64:
		data = []float32{float32(d)}
	default:
		return fmt.Errorf("cuda: parameter %q takes float32 or float64, not %v", p.Name, v.Dtype())
	}
	if o := s.operands[part]; o != nil {
		o.current = false
	}
	return s.compute.Write(to, driver.Bytes(data))
}
