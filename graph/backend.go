package graph

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tributary-ml/tributary/augment"
	"gorgonia.org/tensor"
)

// Precision is what a backend computes in.
type Precision string

// The precisions. Master weights, statistics and the optimizer are float32 in all but FP64.
const (
	FP32 Precision = "fp32" // strict float32
	FP64 Precision = "fp64" // the CPU's reference path
	TF32 Precision = "tf32" // what convolutions multiply is rounded to 10 bits of mantissa; sums and memory are float32
	BF16 Precision = "bf16" // activations, their gradients and what convolutions multiply are bfloat16; sums are float32
)

// Target is what a backend wants plans to be.
type Target struct {
	Precision Precision // empty means FP32
	Fusions             // which fused steps the backend takes
	// PadInput gives every pixel of the network's input a multiple of 16 bytes, the rest zeros, so that the first
	// convolution loads whole pixels in one access.
	PadInput bool
	// Augments says that the device had better cut, resize and recolour images (Options.Regions) than the host's cores.
	Augments bool
	// ReuseDistance is for how many steps memory rests between two buffers of a plan. With some, steps that could run side by side rarely wait
	// for each other because of memory alone (Plan.Dependencies). Of GoogLeNet's step at batch 32, 178 of 298 steps follow from one another
	// at a distance of 0 and 109 at a distance of 8, for which the plan needs 2 % more memory.
	ReuseDistance int
}

// Check returns an error if a plan is none that a backend with this target runs: its elements and its input's padding lie in
// memory as the plan says. Fusions are free, and so is float64 for what was compiled for float32.
func (t Target) Check(p *Plan) error {
	o := p.Options
	if (o.Precision == BF16) != (t.Precision == BF16) || o.PadInput && !t.PadInput {
		return fmt.Errorf("the plan was compiled for another target (precision %s, padded input %t; the backend's are %s and %t): compile it with the backend's Target",
			cmp.Or(o.Precision, FP32), o.PadInput, cmp.Or(t.Precision, FP32), t.PadInput)
	}
	return nil
}

// Backend runs plans on one device.
type Backend interface {
	// Name is the device in words, such as "CPU, AVX-512, 2 threads".
	Name() string
	// Target is what plans for the backend are compiled for (Options.Target).
	Target() Target
	// Memory says how many bytes of the device's memory a new state of a layout and programs of plans need together, and how many
	// are free. It allocates nothing. See Fit.
	Memory(l *Layout, o StateOptions, plans ...*Plan) (needs, free int64, err error)
	// NewState allocates the parameters of a layout and what belongs to them. All values start at zero.
	NewState(l *Layout, o StateOptions) (State, error)
	// Load prepares a plan for running over a state's parameters. Plans of one state share scratch memory (their arenas), so only one of
	// them runs at a time. A plan that does not fit the free memory is a *MemoryError; nothing is allocated then.
	Load(p *Plan, s State) (Program, error)
	// Close frees the device.
	Close() error
}

// StateOptions say what a state holds besides parameter values and gradients.
type StateOptions struct {
	Slots     int  // optimizer state tensors for each trained parameter (Optimizer.Slots)
	EMA       bool // moving averages of all parameters
	Snapshots int  // parts that no plan touches, for what is measured between runs (Snapshot, State.Copy, State.Compare)
}

// Part names one of the tensors that a state keeps for a parameter.
type Part string

// The parts of a state. Gradient and the slots exist for trained parameters only.
const (
	Value    Part = "value"
	Gradient Part = "gradient"
	Average  Part = "ema"
	Slot0    Part = "slot0"
	Slot1    Part = "slot1"
)

// Snapshot is the i-th snapshot. It holds a copy of another part: of the gradient, which only trained parameters have, or of the
// values.
func Snapshot(i int) Part { return Part(fmt.Sprintf("snapshot%d", i)) }

// Comparison is what State.Compare says about one parameter in two parts a and b.
type Comparison struct {
	Dot     float64 // Σ a·b
	Squares float64 // Σ a²
	Apart   float64 // Σ (a-b)²
}

// State is what outlives a step: parameters, gradients, optimizer slots and moving averages, on the backend's device.
type State interface {
	Layout() *Layout
	// Parts lists what the state keeps.
	Parts() []Part
	// Get copies a tensor out, in the parameter's dimensions: float64 on an FP64 backend, else float32.
	Get(part Part, p *Param) (*tensor.Dense, error)
	// Set copies a tensor of the parameter's dimensions in, of either float type.
	Set(part Part, p *Param, v *tensor.Dense) error
	// Copy copies the gradient or the values to a snapshot, on the device.
	Copy(to, from Part) error
	// Compare compares two parts, on the device, parameter by parameter in the layout's order. What a part does not have, as a
	// gradient of running statistics, is left at zero. It waits for the last run.
	Compare(a, b Part) ([]Comparison, error)
	Close() error
}

// Feed is the input of one run.
type Feed struct {
	Pixels  []byte           // N·H·W·C, of a plan with Options.Normalize
	Regions []byte           // of decoded images, of a plan with Options.Regions
	Recipes []augment.Recipe // N: how the images are made of the regions
	Images  []float32        // N·H·W·C, of a plan without these
	Labels  []int32          // N; IgnoreLabel leaves a row out

	Seed        uint64    // of dropout
	Step        uint64    // counts optimizer steps from 0: dropout's counter, AdamW's bias correction
	HeadWeights []float64 // in the order of Plan.Losses; nil means each loss's own weight
	GradScale   float64   // factor of every gradient, 1/k when k batches accumulate; 0 means 1
	Accumulate  bool      // add to the parameter gradients of the last run
	SkipUpdate  bool      // leave the optimizer out: more batches will accumulate
	LR          float64   // learning rate
	EMADecay    float64   // of the moving average
	UseAverages bool      // evaluate with the moving averages instead of the values
}

// Weight is the weight of the i-th head in this run.
func (f *Feed) Weight(p *Plan, i int) float64 {
	if f.HeadWeights != nil {
		return f.HeadWeights[i]
	}
	return p.Losses[i].Weight
}

// First is the feed of the first images of a batch, as many as a plan takes.
func (f *Feed) First(p *Plan) *Feed {
	first := *f
	n := p.Options.Batch
	switch elements := n * p.Images.Shape.Elements(); {
	case p.Regions.Valid():
		first.Recipes = f.Recipes[:n]
	case p.Pixels.Valid():
		first.Pixels = f.Pixels[:elements]
	default:
		first.Images = f.Images[:elements]
	}
	first.Labels = f.Labels[:n]
	return &first
}

// HeadMetrics is what the loss step says about one head.
type HeadMetrics struct {
	Name               string
	Weight             float64 // as used in this run
	Loss               float64 // mean over the counted rows
	Correct1, Correct5 int     // hits
}

// Metrics is the result of one run.
type Metrics struct {
	Rows     int // rows that counted
	Heads    []HeadMetrics
	Total    float64 // Σ Weight·Loss
	GradNorm float64 // global L2 norm before clipping; 0 where the run had no update
}

// Program is a plan that is ready to run.
type Program interface {
	Plan() *Plan
	// Run executes the plan once. It may return before the device has finished.
	Run(ctx context.Context, f *Feed) error
	// Metrics waits for the last run and returns its result.
	Metrics() (*Metrics, error)
	// Read copies out the activation of a kept node or the logits of a head: dimensions (N, H, W, C), or (N, C) for a vector.
	// Read before another plan of the same state runs: they share memory.
	Read(node string) (*tensor.Dense, error)
	// Launches is how many pieces of work a run hands to the device one after another: on a GPU launches of kernels, on a CPU steps.
	Launches() int
	// ProbeResults waits for the last run and returns what the plan's probes saw, in the order of Plan.Probes. As Read, call it before
	// another plan of the same state runs.
	ProbeResults() ([]ProbeResult, error)
	Close() error
}

// CheckFeed verifies the sizes and labels of a feed against a plan: backends call it first.
func CheckFeed(p *Plan, f *Feed) error {
	n := p.Options.Batch
	want := n * p.Images.Shape.Elements()
	switch {
	case p.Regions.Valid() && len(f.Regions) > p.Options.Regions:
		return fmt.Errorf("feed has %d bytes of regions; the plan takes at most %d: compile it with larger Options.Regions", len(f.Regions), p.Options.Regions)
	case p.Regions.Valid() && len(f.Recipes) != n:
		return fmt.Errorf("feed has %d recipes for a batch of %d", len(f.Recipes), n)
	case p.Pixels.Valid() && len(f.Pixels) != want:
		return fmt.Errorf("feed has %d bytes of pixels; the plan takes %d images of %s = %d", len(f.Pixels), n, p.Images.Shape, want)
	case p.Images.Buffer.External && len(f.Images) != want:
		return fmt.Errorf("feed has %d values of images; the plan takes %d images of %s = %d", len(f.Images), n, p.Images.Shape, want)
	case len(f.Labels) != n:
		return fmt.Errorf("feed has %d labels for a batch of %d", len(f.Labels), n)
	case f.HeadWeights != nil && len(f.HeadWeights) != len(p.Losses):
		return fmt.Errorf("feed has %d head weights for %d heads", len(f.HeadWeights), len(p.Losses))
	case f.Accumulate && !p.Options.Training:
		return fmt.Errorf("an evaluation plan accumulates no gradients")
	}
	if s := p.Images.Shape; p.Regions.Valid() {
		for i := range f.Recipes {
			if err := f.Recipes[i].Check(s.H, s.W, s.C, len(f.Regions)); err != nil {
				return fmt.Errorf("recipe of row %d: %w", i, err)
			}
		}
	}
	classes := int32(p.Losses[0].Logits.shape.C)
	for i, l := range f.Labels {
		if l != IgnoreLabel && (l < 0 || l >= classes) {
			return fmt.Errorf("label %d of row %d is not in [0,%d)", l, i, classes)
		}
	}
	return nil
}

// Load compiles a plan of the graph that a state belongs to, and makes it ready to run on the state. Close the program after use.
func Load(b Backend, s State, o Options) (Program, error) {
	p, err := Compile(s.Layout().Graph, s.Layout(), o)
	if err != nil {
		return nil, err
	}
	return b.Load(p, s)
}
