// Package cpu is the backend that needs no GPU. It is pure Go with assembly micro-kernels (AVX-512
// or AVX2 where the machine has them), uses all cores, and needs no cgo. In float64 it is the
// engine's reference.
//
// When a plan is loaded, every step is bound to a function over slices of the arena (bind.go).
// Running the plan calls these functions in order. The arithmetic is in internal/conv (matrix
// products) and internal/vec (everything else).
package cpu

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/tributary-ml/tributary/cpu/internal/conv"
	"github.com/tributary-ml/tributary/cpu/internal/par"
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/memory"
)

// Options says how the backend computes. The zero value is float32 on all cores with the best
// instructions.
type Options struct {
	// Precision is FP32 (the default), FP64, TF32 or BF16. FP64 is the reference path in generic
	// Go. TF32 and BF16 are the reference path with rounding where a GPU of that precision rounds.
	// They are slow, and show what a precision does to a result.
	Precision graph.Precision
	Threads   int    // 0 means all processors
	ISA       string // "avx512", "avx2" or "go"; empty means the best of the machine. Precisions other than FP32 run in Go only
	Reserve   int64  // bytes of memory that states and plans leave free for others, such as the cache of decoded images
	Debug     Debug
}

// Debug has switches for tests. All other code uses the zero value.
type Debug struct {
	Poison bool // fill the plans' arenas with NaN before every run
}

// New returns a CPU backend.
func New(o Options) (graph.Backend, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads", o.Threads)
	}
	isa, err := parseISA(o.ISA)
	if err != nil {
		return nil, err
	}
	pool := par.New(o.Threads)
	switch o.Precision {
	case "", graph.FP32:
		o.Precision = graph.FP32
		engine := conv.New(pool, isa)
		return &backend[float32]{Options: o, pool: pool, conv: engineConv{engine},
			name: fmt.Sprintf("CPU, %s, %d threads", engine.ISA(), pool.Workers())}, nil
	case graph.FP64:
		return &backend[float64]{Options: o, pool: pool, conv: &referenceConv[float64]{pool: pool},
			name: fmt.Sprintf("CPU, float64 reference, %d threads", pool.Workers())}, nil
	case graph.TF32, graph.BF16:
		return &backend[float64]{Options: o, pool: pool, conv: roundedConv{&referenceConv[float64]{pool: pool}, rounding[o.Precision]},
			name: fmt.Sprintf("CPU, float64 rounded as %s, %d threads", o.Precision, pool.Workers())}, nil
	}
	known := []string{string(graph.FP32), string(graph.FP64), string(graph.TF32), string(graph.BF16)}
	return nil, &graph.UnknownError{What: "precision of the CPU backend", Name: string(o.Precision), Nearest: graph.Nearest(string(o.Precision), known, 2)}
}

// InstructionSets returns the values that Options.ISA can have on this machine, best first.
func InstructionSets() []string {
	var names []string
	for _, i := range conv.Available() {
		names = append(names, i.String())
	}
	return names
}

func parseISA(name string) (conv.ISA, error) {
	if name == "" {
		return conv.Auto, nil
	}
	for _, i := range conv.Available() {
		if i.String() == name {
			return i, nil
		}
	}
	return 0, &graph.UnknownError{What: "instruction set of this machine", Name: name, Nearest: InstructionSets()}
}

type backend[T vec.Float] struct {
	Options
	name string
	pool *par.Pool
	conv convolver[T]
}

func (b *backend[T]) Name() string { return b.name }
func (b *backend[T]) Close() error { return nil }

func (b *backend[T]) Target() graph.Target {
	return graph.Target{Precision: b.Options.Precision, Fusions: graph.AllFusions}
}

func (b *backend[T]) Load(p *graph.Plan, s graph.State) (graph.Program, error) {
	st, ok := s.(*state[T])
	if !ok || st.backend != b {
		return nil, fmt.Errorf("cpu: the state is of another backend")
	}
	if st.layout != p.Layout {
		return nil, fmt.Errorf("cpu: the plan's layout is not the state's")
	}
	if err := b.Target().Check(p); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if o := p.Options.Optimizer; o != nil {
		if len(st.slots) < o.Slots() {
			return nil, fmt.Errorf("cpu: optimizer %s keeps %d slots a parameter, the state has %d", o.Rule, o.Slots(), len(st.slots))
		}
		if o.EMA && st.average == nil {
			return nil, fmt.Errorf("cpu: the optimizer keeps moving averages, the state has none")
		}
	}
	err := graph.FitPlan(b.name, p, func(q *graph.Plan) (needs, free int64, err error) {
		needs = st.scratch.growth(sizesOf(q))
		return needs, b.free(needs), nil
	})
	if err != nil {
		return nil, err
	}
	st.scratch.reserve(sizesOf(p))
	pr := &program[T]{plan: p, state: st}
	if _, err := pr.bind(st.values); err != nil {
		return nil, err
	}
	return pr, nil
}

// free returns how many bytes states and plans can use. If fewer than needs are free, it first
// collects garbage.
func (b *backend[T]) free(needs int64) int64 {
	free := memory.Free() - b.Reserve
	if free < needs {
		runtime.GC()
		free = memory.Free() - b.Reserve
	}
	return max(0, free)
}

// Memory implements graph.Backend.
func (b *backend[T]) Memory(l *graph.Layout, o graph.StateOptions, plans ...*graph.Plan) (needs, free int64, err error) {
	elements := l.Elements*(1+o.Snapshots) + l.Trained*(1+o.Slots)
	if o.EMA {
		elements += l.Elements
	}
	var largest scratchSizes
	for _, p := range plans {
		for i, n := range sizesOf(p) {
			largest[i] = max(largest[i], n)
		}
	}
	needs = int64(elements)*int64(unsafe.Sizeof(*new(T))) + new(scratch[T]).growth(largest)
	return needs, b.free(needs), nil
}

// scratch is the memory of the plans' arenas, shared by all plans of a state.
type scratch[T vec.Float] struct {
	floats  []T
	bf16s   []T // values rounded to bfloat16, in a plan of that precision
	doubles []float64
	bytes   []byte
	images  []T // the float input of plans without normalisation
	version int // changes when memory moves
}

// scratchSizes are the numbers of elements that a plan needs in each piece of scratch memory, in
// the order of the fields.
type scratchSizes [5]int

func sizesOf(p *graph.Plan) scratchSizes {
	s := scratchSizes{p.Arena[graph.Float], p.Arena[graph.BFloat16], p.Arena[graph.Double], p.Arena[graph.Byte]}
	if p.Images.Buffer.External {
		s[4] = p.Images.Elements()
	}
	return s
}

// growth returns how many bytes reserve allocates for a plan.
func (s *scratch[T]) growth(want scratchSizes) int64 {
	float := int64(unsafe.Sizeof(*new(T)))
	var bytes int64
	for i, piece := range [...]struct {
		have int
		size int64
	}{{len(s.floats), float}, {len(s.bf16s), float}, {len(s.doubles), 8}, {len(s.bytes), 1}, {len(s.images), float}} {
		if want[i] > piece.have {
			bytes += int64(want[i]) * piece.size
		}
	}
	return bytes
}

// reserve makes the memory large enough for a plan. Views of it are stale after version changes.
func (s *scratch[T]) reserve(want scratchSizes) {
	grew := growTo(&s.floats, want[0])
	grew = growTo(&s.bf16s, want[1]) || grew
	grew = growTo(&s.doubles, want[2]) || grew
	grew = growTo(&s.bytes, want[3]) || grew
	grew = growTo(&s.images, want[4]) || grew
	if grew {
		s.version++
	}
}

func growTo[E any](s *[]E, n int) bool {
	if len(*s) >= n {
		return false
	}
	*s = alignedSlice[E](n)
	return true
}

// alignedSlice returns zeroed memory that starts at a cache line.
func alignedSlice[E any](n int) []E {
	const line = 64
	var e E
	size := int(unsafe.Sizeof(e))
	s := make([]E, n+line/size)
	skip := 0
	for uintptr(unsafe.Pointer(&s[skip]))%line != 0 {
		skip++
	}
	return s[skip : skip+n : skip+n]
}

func (s *scratch[T]) poison() {
	nan := T(math.NaN())
	for _, v := range [][]T{s.floats, s.bf16s} {
		for i := range v {
			v[i] = nan
		}
	}
	for i := range s.doubles {
		s.doubles[i] = math.NaN()
	}
	for i := range s.bytes {
		s.bytes[i] = 0xFF
	}
}
