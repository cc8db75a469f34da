//go:build cuda

package cuda

import (
	"unsafe"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// binder turns the steps of a plan into launches over given memory. It runs twice: once to find how much memory of their own the
// launches need, with addresses that mean nothing, and once for good.
type binder struct {
	state         *state
	plan          *graph.Plan
	values        *operand // the parameters: values or moving averages
	at            map[*graph.Buffer]kernels.DevicePtr
	recipes       kernels.DevicePtr // AugmentRecipe, one for each image
	run           kernels.DevicePtr // RunState
	metrics       kernels.DevicePtr // StepMetrics
	schedule      []graph.StreamStep
	counting      bool // addresses mean nothing
	launches      []driver.Launch
	first         []int  // launch of each step, and the end
	node          string // of the step at hand
	*streamMemory        // of the step at hand

	streams  []streamMemory
	kept     region // what a step leaves for a later one, besides the plan's buffers
	sums     map[*graph.Buffer]partialSums
	tables   region // constant
	constant []byte // what is in tables
}

// region is memory that is handed out piece by piece.
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

// regions are what launches have of memory of their own, besides the tables. The counters come first.
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

// share gives a step's arithmetic and memory traffic to those of its launches that have not said themselves what they do, evenly.
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

// moves says how many bytes the last launch moves: for steps of several launches.
func (b *binder) moves(bytes int) { b.launches[len(b.launches)-1].Bytes = int64(bytes) }

// launch adds a launch.
func (b *binder) launch(kernel string, grid driver.Dim, params any) error {
	return b.launchShared(kernel, grid, 0, params)
}

// launchOver is launch of the kernel for activations of the plan's type.
func (b *binder) launchOver(kernel string, grid driver.Dim, params any) error {
	return b.launchOverShared(kernel, grid, 0, params)
}

// launchOverShared is launchOver with so many bytes of dynamic shared memory.
func (b *binder) launchOverShared(kernel string, grid driver.Dim, shared int, params any) error {
	return b.launchShared(kernel+elementSuffix[b.state.backend.activation()], grid, shared, params)
}

// elementSuffix ends the names of the kernels that exist for several element types.
var elementSuffix = map[graph.Elem]string{graph.Float: "_f32", graph.BFloat16: "_bf16"}

// launchShared is launch with so many bytes of dynamic shared memory.
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

// table puts constant data into device memory.
func (b *binder) table(data []byte) kernels.DevicePtr {
	at := b.tables.take(int64(len(data)))
	grown := make([]byte, b.tables.next)
	copy(grown, b.constant)
	copy(grown[at-b.tables.address:], data)
	b.constant = grown
	return at
}

// view is a view of a float or byte buffer as kernels see it. The view that a step does not have is null.
func (b *binder) view(v graph.View) kernels.View {
	if !v.Valid() {
		return kernels.View{}
	}
	return kernels.View{Data: b.at[v.Buffer] + kernels.DevicePtr(v.Offset*v.Buffer.Elem.Size()), Stride: int32(v.Stride)}
}

// vector is the address of a view of one row, 0 for none.
func (b *binder) vector(v graph.View) kernels.DevicePtr { return b.view(v).Data }

// param is the address of a parameter's values, 0 for none.
func (b *binder) param(p *graph.Param) kernels.DevicePtr {
	if p == nil {
		return 0
	}
	return b.values.floats.Address + 4*kernels.DevicePtr(b.state.layout.Offset(p))
}

// weight is the address of filters as convolutions multiply them.
func (b *binder) weight(p *graph.Param) kernels.DevicePtr {
	if b.state.backend.activation() == graph.Float {
		return b.param(p)
	}
	return b.values.bf16.Address + 2*kernels.DevicePtr(b.state.layout.Offset(p))
}

// gradient is the address of a parameter's gradient, 0 for none and for what is not trained.
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

// memoryOf is the memory of a slice of structs without pointers and padding.
func memoryOf[T any](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}
