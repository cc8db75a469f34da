package graph

import (
	"fmt"
)

// Elem is the element type of a buffer.
type Elem uint8

// The element types. Activations and their gradients are Float, or BFloat16 in plans of precision
// BF16.
const (
	Float    Elem = iota // float32; float64 on an FP64 backend
	Double               // float64 sums, for statistics
	Byte                 // pixels and max-pool indices
	Int32                // labels
	BFloat16             // the upper half of a float32
)

// String returns the name of the element type.
func (e Elem) String() string { return [...]string{"float", "double", "byte", "int32", "bfloat16"}[e] }

// Size returns the size of an element in bytes, with Float as float32.
func (e Elem) Size() int { return [...]int{4, 8, 1, 4, 2}[e] }

// Buffer is a piece of memory of a plan.
type Buffer struct {
	Name        string
	Elem        Elem
	Elements    int
	External    bool // memory of the feed (pixels, labels), not part of the arena
	First, Last int  // indices of the first and the last step that use it
	Offset      int  // in elements, in the arena of the element type
	kept        bool
}

// View is a step's view of a buffer: rows × channels, where row i (pixel i of the batch, in NHWC
// order) starts at element Offset + i·Stride. A channel slice of a concatenation is a View with
// Stride larger than C.
type View struct {
	Buffer *Buffer
	N      int   // samples
	Shape  Shape // of one sample
	Offset int   // elements
	Stride int   // elements from one pixel to the next
	Zeros  int   // channels behind the view's own that hold zeros and may be read (Target.PadInput)
}

// Rows returns the number of pixels, N·H·W.
func (v View) Rows() int { return v.N * v.Shape.Pixels() }

// Elements returns N·H·W·C.
func (v View) Elements() int { return v.N * v.Shape.Elements() }

// Bytes returns the number of bytes that one pass over the view moves.
func (v View) Bytes() int {
	if v.Buffer == nil {
		return 0
	}
	return v.Elements() * v.Buffer.Elem.Size()
}

// Valid reports whether the view exists. An optional operand that a step does not have is a zero
// View.
func (v View) Valid() bool { return v.Buffer != nil }

// Channels returns the view of channels [from, from+c) of the same pixels.
func (v View) Channels(from, c int) View {
	v.Offset += from
	v.Shape.C, v.Zeros = c, 0
	return v
}

// Access says how a step uses an operand.
type Access uint8

// The kinds of access.
const (
	Read   Access = 1
	Write  Access = 2
	Update Access = Read | Write
)

// Step is one unit of work of a plan. On a GPU it is one launch, or two where a reduction has a
// second stage.
type Step interface {
	// Kind returns what the step does, such as "conv.forward".
	Kind() string
	// NodeName returns the node, or the first of the nodes, that the step computes.
	NodeName() string
	// Views calls f for every operand in memory of the plan.
	Views(f func(v View, a Access))
	// Gradients returns the parameters whose gradient the step completes.
	Gradients() []*Param
	// FLOPs returns the number of multiplications and additions that the definition needs.
	FLOPs() int64
}

// StepBytes returns the number of bytes that a step must move at least: every operand, parameter
// and parameter gradient once.
func StepBytes(s Step) int64 {
	var b int64
	weight := int64(Float.Size()) // bytes per weight that the step reads: convolutions in bfloat16 read a bfloat16 copy
	s.Views(func(v View, a Access) {
		if v.Buffer.Elem == BFloat16 {
			weight = int64(BFloat16.Size())
		}
		b += int64(v.Bytes())
		if a == Update {
			b += int64(v.Bytes())
		}
	})
	switch u := s.(type) {
	case mover:
		b += u.bytes()
	case paramUser:
		for _, p := range u.uses() {
			if p.Role == Weight {
				b += int64(p.Elements()) * weight
			} else {
				b += int64(p.Elements()) * 4
			}
		}
	}
	for _, p := range s.Gradients() {
		b += int64(p.Elements()) * 4
	}
	return b
}

// ordered is a step with effects that Views and Gradients do not show. inOrderWith reports whether
// it must stay in order with another step.
type ordered interface{ inOrderWith(Step) bool }

// mover is a step that moves memory that Views does not show. bytes returns how much.
type mover interface{ bytes() int64 }

// paramUser is a step that reads parameters.
type paramUser interface{ uses() []*Param }

// at is embedded in steps. It has the node that the step comes from, and default methods.
type at struct{ Node string }

func (a at) NodeName() string    { return a.Node }
func (a at) Gradients() []*Param { return nil }
func (a at) FLOPs() int64        { return 0 }

// Phase is the part of a training step that a step of a plan belongs to.
type Phase uint8

// The phases, in the order in which they run.
const (
	Forward Phase = iota
	LossPhase
	Backward
	UpdatePhase
)

// String returns the name of the phase.
func (p Phase) String() string { return [...]string{"forward", "loss", "backward", "update"}[p] }

// Plan is a compiled training or evaluation step over static shapes: the steps in order, and where
// everything lies in memory. Backends run a plan; they do not change it.
type Plan struct {
	Graph    *Graph
	Layout   *Layout
	Options  Options
	Steps    []Step
	Phases   []Phase      // the phase of each step
	Losses   []*Loss      // the heads that the plan evaluates, in the order of Feed.HeadWeights and Metrics.Heads
	Probes   []*ProbeStep // in the order of Program.ProbeResults
	Buffers  []*Buffer
	Pixels   View // uint8 input, if Options.Normalize is set
	Regions  View // the input as regions of images, if Options.Regions is set
	Images   View // float input
	Labels   *Buffer
	Arena    [5]int // elements of the arena of each Elem
	Unshared int64  // bytes of all arena buffers if none shared memory
	outputs  map[string]View
}

// ArenaBytes returns the size of the arena in bytes, with Float as float32.
func (p *Plan) ArenaBytes() int64 {
	var b int64
	for e, n := range p.Arena {
		b += int64(n) * int64(Elem(e).Size())
	}
	return b
}

// Output returns the view of an activation that stays readable: the logits of a head, or a node
// that Options.Keep names.
func (p *Plan) Output(node string) (View, error) {
	if v, ok := p.outputs[node]; ok {
		return v, nil
	}
	var names []string
	for k := range p.outputs {
		names = append(names, k)
	}
	return View{}, &UnknownError{What: "output of the plan", Name: node, Nearest: Nearest(node, names, 3)}
}

// FLOPs returns the sum over the steps.
func (p *Plan) FLOPs() int64 {
	var f int64
	for _, s := range p.Steps {
		f += s.FLOPs()
	}
	return f
}

// Bytes returns the sum of StepBytes over the steps.
func (p *Plan) Bytes() int64 {
	var b int64
	for _, s := range p.Steps {
		b += StepBytes(s)
	}
	return b
}

// Count returns the number of steps of a kind.
func (p *Plan) Count(kind string) int {
	n := 0
	for _, s := range p.Steps {
		if s.Kind() == kind {
			n++
		}
	}
	return n
}

// String describes the plan in one line.
func (p *Plan) String() string {
	mode := "evaluation"
	if p.Options.Training {
		mode = "training"
	}
	return fmt.Sprintf("%s %s, batch %d: %d steps, arena %.1f MiB (reduced from %.1f MiB)", p.Graph.name, mode, p.Options.Batch,
		len(p.Steps), float64(p.ArenaBytes())/(1<<20), float64(p.Unshared)/(1<<20))
}

func writeOrUpdate(accumulate bool) Access {
	if accumulate {
		return Update
	}
	return Write
}
