package graph

import (
	"fmt"
)

// Elem is the element type of a buffer.
type Elem uint8

// The element types. Activations and their gradients are Float, and BFloat16 in plans of precision BF16.
const (
	Float    Elem = iota // float32; float64 on an FP64 backend
	Double               // float64 sums, for statistics
	Byte                 // pixels and max-pool indices
	Int32                // labels
	BFloat16             // the upper half of a float32
)

// String names the element type.
func (e Elem) String() string { return [...]string{"float", "double", "byte", "int32", "bfloat16"}[e] }

// Size is the size of an element in bytes where Float is float32.
func (e Elem) Size() int { return [...]int{4, 8, 1, 4, 2}[e] }

// Buffer is a piece of memory of a plan.
type Buffer struct {
	Name        string
	Elem        Elem
	Elements    int
	External    bool // the feed's memory (pixels, labels): not part of the arena
	First, Last int  // indices of the first and the last step that use it
	Offset      int  // in elements, within the arena of its element type
	kept        bool
}

// View is how a step sees a buffer: rows × channels, where row i (pixel i of the batch, in NHWC order) starts at element
// Offset + i·Stride. A channel slice of a concatenation is a View with Stride larger than C.
type View struct {
	Buffer *Buffer
	N      int   // samples
	Shape  Shape // of one sample
	Offset int   // elements
	Stride int   // elements between neighbouring pixels
	Zeros  int   // channels behind the view's own that hold zeros and may be read (Target.PadInput)
}

// Rows is the number of pixels, N·H·W.
func (v View) Rows() int { return v.N * v.Shape.Pixels() }

// Elements is N·H·W·C.
func (v View) Elements() int { return v.N * v.Shape.Elements() }

// Bytes is the number of bytes that one pass over the view moves.
func (v View) Bytes() int {
	if v.Buffer == nil {
		return 0
	}
	return v.Elements() * v.Buffer.Elem.Size()
}

// Valid says whether the view exists: optional operands of a step are zero Views.
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

// Step is one unit of work of a plan: on a GPU one launch (or one and the second stage of its reduction).
type Step interface {
	// Kind names what the step does, such as "conv.forward".
	Kind() string
	// NodeName is the node, or the first of the nodes, that the step came from.
	NodeName() string
	// Views calls f for every operand in memory of the plan.
	Views(f func(v View, a Access))
	// Gradients are the parameters whose gradient the step finishes.
	Gradients() []*Param
	// FLOPs counts multiplications and additions of the arithmetic that the definition needs.
	FLOPs() int64
}

// StepBytes is the number of bytes that a step must move at the least: every operand once, parameters and their gradients
// once.
func StepBytes(s Step) int64 {
	var b int64
	weight := int64(Float.Size()) // of an element that the step reads: convolutions of bfloat16 have copies of their own
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

// ordered is a step that does more than Views and Gradients tell of, and so is in order with some other steps.
type ordered interface{ inOrderWith(Step) bool }

// mover is a step that moves more than Views tells of.
type mover interface{ bytes() int64 }

// paramUser is a step that reads parameters.
type paramUser interface{ uses() []*Param }

// at is embedded in steps: the node they came from, and the common answers.
type at struct{ Node string }

func (a at) NodeName() string    { return a.Node }
func (a at) Gradients() []*Param { return nil }
func (a at) FLOPs() int64        { return 0 }

// Phase says which part of a training step a plan step belongs to.
type Phase uint8

// The phases, in the order in which they run.
const (
	Forward Phase = iota
	LossPhase
	Backward
	UpdatePhase
)

// String names the phase.
func (p Phase) String() string { return [...]string{"forward", "loss", "backward", "update"}[p] }

// Plan is a compiled step over static shapes: what to do in which order, and where everything lies. Backends run it; they
// change nothing in it.
type Plan struct {
	Graph    *Graph
	Layout   *Layout
	Options  Options
	Steps    []Step
	Phases   []Phase      // of each step
	Losses   []*Loss      // the heads that the plan evaluates, in the order of Feed.HeadWeights and Metrics.Heads
	Probes   []*ProbeStep // in the order of Program.ProbeResults
	Buffers  []*Buffer
	Pixels   View // uint8 input, if Options.Normalize is set
	Regions  View // or regions of images, if Options.Regions is set
	Images   View // float input
	Labels   *Buffer
	Arena    [5]int // elements of the arena of each Elem
	Unshared int64  // bytes of all arena buffers without sharing memory
	outputs  map[string]View
}

// ArenaBytes is the size of the arena where Float is float32.
func (p *Plan) ArenaBytes() int64 {
	var b int64
	for e, n := range p.Arena {
		b += int64(n) * int64(Elem(e).Size())
	}
	return b
}

// Output returns the view of a kept node's activation: the logits of every head, and what Options.Keep names.
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

// FLOPs is the sum over the steps.
func (p *Plan) FLOPs() int64 {
	var f int64
	for _, s := range p.Steps {
		f += s.FLOPs()
	}
	return f
}

// Bytes is the sum over the steps of the least they must move.
func (p *Plan) Bytes() int64 {
	var b int64
	for _, s := range p.Steps {
		b += StepBytes(s)
	}
	return b
}

// Count returns how many steps have a kind.
func (p *Plan) Count(kind string) int {
	n := 0
	for _, s := range p.Steps {
		if s.Kind() == kind {
			n++
		}
	}
	return n
}

// String says what the plan is, in one line.
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
