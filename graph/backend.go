package graph

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tributary-ml/tributary/augment"
	"gorgonia.org/tensor"
)

// Precision is the arithmetic that a backend computes in.
type Precision string

// The precisions. Master weights, statistics and the optimizer are float32 in all but FP64.
const (
	FP32 Precision = "fp32" // strict float32
	FP64 Precision = "fp64" // the CPU's reference path
	TF32 Precision = "tf32" // operands of convolutions are rounded to 10 bits of mantissa; sums and memory are float32
	BF16 Precision = "bf16" // activations, their gradients and operands of convolutions are bfloat16; sums are float32
)

// Target describes the plans that a backend runs.
type Target struct {
	Precision Precision // empty means FP32
	Fusions             // the fused steps that the backend has
	// PadInput pads every pixel of the network's input with zeros to a multiple of 16 bytes, so
	// that the first convolution loads whole pixels in one access.
	PadInput bool
	// Augments: images are better cut, resized and recoloured on the device (Options.Regions) than
	// on the host.
	Augments bool
	// ReuseDistance is the number of steps for which memory stays unused between two buffers of a
	// plan. A distance above 0 makes it rare that steps which could run side by side wait for each
	// other because of memory alone (Plan.Dependencies). The critical path of GoogLeNet's step at
	// batch 32 (298 steps) is 178 steps at distance 0 and 109 steps at distance 8, where the plan
	// needs 2 % more memory.
	ReuseDistance int
}

// Check returns an error if a backend with this target cannot run the plan: the element types and
// the padding of the input must be those that the target lays out in memory. Fusions may differ,
// and a plan compiled for float32 also runs in float64.
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
	// Name describes the device in words, such as "CPU, AVX-512, 2 threads".
	Name() string
	// Target returns the target to compile plans for (Options.Target).
	Target() Target
	// Memory returns how many bytes of the device's memory a new state of a layout and the programs
	// of plans need together, and how many bytes are free. It allocates nothing. See Fit.
	Memory(l *Layout, o StateOptions, plans ...*Plan) (needs, free int64, err error)
	// NewState allocates the parameters of a layout and the other parts of the state. All values
	// start at zero.
	NewState(l *Layout, o StateOptions) (State, error)
	// Load prepares a plan to run on a state's parameters. The programs of one state share the
	// memory of their arenas, so only one of them runs at a time. If the plan does not fit the free
	// memory, the error is a *MemoryError and nothing is allocated.
	Load(p *Plan, s State) (Program, error)
	// Close frees the device.
	Close() error
}

// StateOptions says what a state holds besides parameter values and gradients.
type StateOptions struct {
	Slots     int  // optimizer state tensors for each trained parameter (Optimizer.Slots)
	EMA       bool // moving averages of all parameters
	Snapshots int  // parts that no plan touches, for measurements between runs (Snapshot, State.Copy, State.Compare)
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

// Snapshot is the name of the i-th snapshot. A snapshot holds a copy of the values or of the
// gradient; a copy of the gradient exists for trained parameters only.
func Snapshot(i int) Part { return Part(fmt.Sprintf("snapshot%d", i)) }

// Comparison is the result of State.Compare for one parameter in two parts a and b.
type Comparison struct {
	Dot     float64 // Σ a·b
	Squares float64 // Σ a²
	Apart   float64 // Σ (a-b)²
}

// State is what lasts from step to step: parameters, gradients, optimizer slots and moving
// averages, on the backend's device.
type State interface {
	Layout() *Layout
	// Parts lists the parts that the state has.
	Parts() []Part
	// Get copies a tensor to the host, in the parameter's dimensions: float64 from an FP64 backend,
	// otherwise float32.
	Get(part Part, p *Param) (*tensor.Dense, error)
	// Set copies a tensor of the parameter's dimensions, of either float type, into the state.
	Set(part Part, p *Param, v *tensor.Dense) error
	// Copy copies the gradient or the values to a snapshot, on the device.
	Copy(to, from Part) error
	// Compare compares two parts on the device. The results are in the layout's order of
	// parameters. Where a part does not exist for a parameter, such as the gradient of running
	// statistics, the result is zero. Compare waits for the last run.
	Compare(a, b Part) ([]Comparison, error)
	Close() error
}

// Feed is the input of one run.
type Feed struct {
	Pixels  []byte           // N·H·W·C, for a plan with Options.Normalize
	Regions []byte           // regions of decoded images, for a plan with Options.Regions
	Recipes []augment.Recipe // N: how each image is made from the regions
	Images  []float32        // N·H·W·C, for a plan without these options
	Labels  []int32          // N; a row with IgnoreLabel does not count

	Seed        uint64    // seed of dropout
	Step        uint64    // number of the optimizer step from 0: dropout's counter, and AdamW's bias correction
	HeadWeights []float64 // in the order of Plan.Losses; nil means each loss's own weight
	GradScale   float64   // factor of every gradient: 1/k where k batches accumulate; 0 means 1
	Accumulate  bool      // add to the parameter gradients of the last run instead of replacing them
	SkipUpdate  bool      // do not run the optimizer, because more batches will accumulate
	LR          float64   // learning rate
	EMADecay    float64   // decay of the moving averages
	UseAverages bool      // evaluate with the moving averages instead of the values
}

// Weight returns the weight of the i-th head in this run.
func (f *Feed) Weight(p *Plan, i int) float64 {
	if f.HeadWeights != nil {
		return f.HeadWeights[i]
	}
	return p.Losses[i].Weight
}

// First returns a feed of the first images, as many as the plan's batch.
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

// HeadMetrics is the result of the loss step for one head.
type HeadMetrics struct {
	Name               string
	Weight             float64 // the weight in this run
	Loss               float64 // mean over the rows that count
	Correct1, Correct5 int     // number of rows whose label is the largest logit, and among the 5 largest
}

// Metrics is the result of one run.
type Metrics struct {
	Rows     int // rows that count
	Heads    []HeadMetrics
	Total    float64 // Σ Weight·Loss
	GradNorm float64 // global L2 norm before clipping; 0 where the run has no update
}

// Program is a plan that is ready to run.
type Program interface {
	Plan() *Plan
	// Run executes the plan once. It may return before the device has finished.
	Run(ctx context.Context, f *Feed) error
	// Metrics waits for the last run and returns its result.
	Metrics() (*Metrics, error)
	// Read copies the activation of a kept node or the logits of a head to the host: dimensions (N,
	// H, W, C), or (N, C) for a vector. Call it before another plan of the same state runs: the
	// plans share memory.
	Read(node string) (*tensor.Dense, error)
	// Launches returns the number of pieces of work that a run gives to the device: kernel launches
	// on a GPU, steps on a CPU.
	Launches() int
	// ProbeResults waits for the last run and returns the results of the plan's probes, in the
	// order of Plan.Probes. Like Read, call it before another plan of the same state runs.
	ProbeResults() ([]ProbeResult, error)
	Close() error
}

// CheckFeed checks the sizes and labels of a feed against a plan. Backends call it before they run.
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

// Load compiles a plan of the graph that a state belongs to and loads it on the state. Close the
// program after use.
func Load(b Backend, s State, o Options) (Program, error) {
	p, err := Compile(s.Layout().Graph, s.Layout(), o)
	if err != nil {
		return nil, err
	}
	return b.Load(p, s)
}
