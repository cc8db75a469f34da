//go:build cuda

package cuda

import (
	"unsafe"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// binder turns the steps of a plan into launches over given memory. It runs twice: first with
// meaningless addresses, to find how much memory of their own the launches need, then with the real
// addresses.
type binder struct {
	state         *state
	plan          *graph.Plan
	values        *operand                            // the parameters: values or moving averages
	at            map[*graph.Buffer]kernels.DevicePtr // address of each buffer of the plan
	recipes       kernels.DevicePtr                   // AugmentRecipe for each image
	run           kernels.DevicePtr                   // RunState
	metrics       kernels.DevicePtr                   // StepMetrics
	schedule      []graph.StreamStep
	counting      bool // the first of the two runs: addresses mean nothing
	launches      []driver.Launch
	first         []int  // index of each step's first launch, then the number of launches
	node          string // of the current step
	*streamMemory        // of the current step's stream

	streams  []streamMemory
	kept     region // what a step leaves for a later step outside the plan's buffers
	sums     map[*graph.Buffer]partialSums
	tables   region // for constant data
	constant []byte // the contents of tables
}

// region is memory that take hands out piece by piece.
type region struct {
	address      kernels.DevicePtr
	next, needed int64
}

func (r *region) take(bytes int64) kernels.DevicePtr {
	at := r.address + kernels.DevicePtr(r.next)
	r.next += (bytes + driver.Alignment - 1) / driver.Alignment * driver.Alignment
	r.needed = max(r.needed, r.next)
	return at
}

// regions returns the regions of the launches' own memory, without the tables. The counters of all
// streams come first.
func (b *binder) regions() []*region {
	r := []*region{}
	for i := range b.streams {
		r = append(r, &b.streams[i].counters)
	}
	for i := range b.streams {
		r = append(r, &b.streams[i].work)
	}
	return append(r, &b.kept)
}

// bind makes the launches of all steps.
func (b *binder) bind() error {
	b.launches, b.first, b.constant, b.tables.next, b.kept.next = nil, nil, nil, 0, 0
	b.sums = map[*graph.Buffer]partialSums{}
	for i, s := range b.plan.Steps {
		b.node, b.streamMemory = s.NodeName(), &b.streams[b.schedule[i].Stream]
		b.work.next, b.counters.next = 0, 0
		first := len(b.launches)
		b.first = append(b.first, first)
		if err := binding(s)(b); err != nil {
			return &graph.NodeError{Node: s.NodeName(), Kind: s.Kind(), Err: err}
		}
		share(b.launches[first:], s)
	}
	b.first = append(b.first, len(b.launches))
	return nil
}

// share divides a step's arithmetic and memory traffic evenly among those of its launches for which
// none were stated.
func share(launches []driver.Launch, s graph.Step) {
	var flops, bytes []*int64
	for i := range launches {
		if l := &launches[i]; l.FLOPs == 0 {
			flops = append(flops, &l.FLOPs)
		}
		if l := &launches[i]; l.Bytes == 0 {
			bytes = append(bytes, &l.Bytes)
		}
	}
	for _, f := range flops {
		*f = s.FLOPs() / int64(len(flops))
	}
	for _, b := range bytes {
		*b = graph.StepBytes(s) / int64(len(bytes))
	}
}

// moves states how many bytes the last launch moves. Steps of several launches call it.
func (b *binder) moves(bytes int) { b.launches[len(b.launches)-1].Bytes = int64(bytes) }

// launch adds a launch.
func (b *binder) launch(kernel string, grid driver.Dim, params any) error {
	return b.launchShared(kernel, grid, 0, params)
}

// launchOver adds a launch of the kernel's version for the element type of the plan's activations.
func (b *binder) launchOver(kernel string, grid driver.Dim, params any) error {
	return b.launchOverShared(kernel, grid, 0, params)
}

// launchOverShared is launchOver with shared bytes of dynamic shared memory.
func (b *binder) launchOverShared(kernel string, grid driver.Dim, shared int, params any) error {
	return b.launchShared(kernel+elementSuffix[b.state.backend.activation()], grid, shared, params)
}

// elementSuffix is the end of the name of a kernel that exists for several element types.
var elementSuffix = map[graph.Elem]string{graph.Float: "_f32", graph.BFloat16: "_bf16"}

// launchShared is launch with shared bytes of dynamic shared memory.
func (b *binder) launchShared(kernel string, grid driver.Dim, shared int, params any) error {
	f, err := b.state.backend.library.Function(kernel)
	if err != nil {
		return err
	}
	if shared > driver.DefaultSharedPerBlock-f.Shared {
		if err := f.AllowShared(shared); err != nil {
			return err
		}
	}
	b.launches = append(b.launches, driver.Launch{Function: f, Node: b.node, Grid: grid, Block: driver.Dim{X: kernels.Threads, Y: 1, Z: 1}, Shared: shared, Params: params})
	return nil
}

// table adds constant data to the tables and returns its address in device memory.
func (b *binder) table(data []byte) kernels.DevicePtr {
	at := b.tables.take(int64(len(data)))
	grown := make([]byte, b.tables.next)
	copy(grown, b.constant)
	copy(grown[at-b.tables.address:], data)
	b.constant = grown
	return at
}

// view converts a view of a float or byte buffer for kernels. An invalid view, of an operand that
// the step does not have, becomes a null view.
func (b *binder) view(v graph.View) kernels.View {
	if !v.Valid() {
		return kernels.View{}
	}
	return kernels.View{Data: b.at[v.Buffer] + kernels.DevicePtr(v.Offset*v.Buffer.Elem.Size()), Stride: int32(v.Stride)}
}

// vector returns the address of a view of one row, 0 for an invalid view.
func (b *binder) vector(v graph.View) kernels.DevicePtr { return b.view(v).Data }

// param returns the address of a parameter's values, 0 for a nil parameter.
func (b *binder) param(p *graph.Param) kernels.DevicePtr {
	if p == nil {
		return 0
	}
	return b.values.floats.Address + 4*kernels.DevicePtr(b.state.layout.Offset(p))
}

// weight returns the address of filters in the element type that convolutions multiply.
func (b *binder) weight(p *graph.Param) kernels.DevicePtr {
	if b.state.backend.activation() == graph.Float {
		return b.param(p)
	}
	return b.values.bf16.Address + 2*kernels.DevicePtr(b.state.layout.Offset(p))
}

// gradient returns the address of a parameter's gradient, 0 for a nil parameter and for one that is
// not trained.
func (b *binder) gradient(p *graph.Param) kernels.DevicePtr {
	if p == nil || !b.state.layout.IsTrained(p) {
		return 0
	}
	return b.state.parts[graph.Gradient].Address + 4*kernels.DevicePtr(b.state.layout.Offset(p))
}

func flag(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// memoryOf returns the memory of a slice of structs. The structs have no pointers and no padding.
func memoryOf[T any](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}
