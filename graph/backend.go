package graph

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"
)

// Precision is what a backend computes in.
type Precision string

// The precisions. Master weights, statistics and the optimizer are float32 in all but FP64.
const (
	FP32 Precision = "fp32" // strict float32
	FP64 Precision = "fp64" // the CPU's reference path
	TF32 Precision = "tf32" // tensor cores, 10-bit mantissa
	BF16 Precision = "bf16" // bfloat16 activations and weight copies
)

// Backend runs plans on one device.
type Backend interface {
	// Name is the device in words, such as "CPU, AVX-512, 2 threads".
	Name() string
	// Precision is what the backend computes in.
	Precision() Precision
	// Fusions says which fused steps the backend takes.
	Fusions() Fusions
	// NewState allocates the parameters of a layout and what belongs to them. All values start at zero.
	NewState(l *Layout, o StateOptions) (State, error)
	// Load prepares a plan for running over a state's parameters. Plans of one state share scratch memory, so only one of
	// them runs at a time.
	Load(p *Plan, s State) (Program, error)
	// Close frees the device.
	Close() error
}

// StateOptions say what a state holds besides parameter values and gradients.
type StateOptions struct {
	Slots int  // optimizer state tensors for each trained parameter (Optimizer.Slots)
	EMA   bool // moving averages of all parameters
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

// State is what outlives a step: parameters, gradients, optimizer slots and moving averages, on the backend's device.
type State interface {
	Layout() *Layout
	// Parts lists what the state keeps.
	Parts() []Part
	// Get copies a tensor out, in the parameter's dimensions: float64 on an FP64 backend, else float32.
	Get(part Part, p *Param) (*tensor.Dense, error)
	// Set copies a tensor of the parameter's dimensions in, of either float type.
	Set(part Part, p *Param, v *tensor.Dense) error
	Close() error
}

// Feed is the input of one run.
type Feed struct {
	Pixels []byte    // N·H·W·C, of a plan with Options.Normalize
	Images []float32 // N·H·W·C, of a plan without
	Labels []int32   // N; IgnoreLabel leaves a row out

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

// HeadMetrics is what the loss step says about one head.
type HeadMetrics struct {
	Name       string
	Weight     float64 // as used in this run
	Loss       float64 // mean over the counted rows
	Top1, Top5 int     // hits
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
	Close() error
}

// CheckFeed verifies the sizes and labels of a feed against a plan: backends call it first.
func CheckFeed(p *Plan, f *Feed) error {
	n := p.Options.Batch
	want := n * p.Images.Shape.Elements()
	switch {
	case p.Pixels.Valid() && len(f.Pixels) != want:
		return fmt.Errorf("feed has %d bytes of pixels; the plan takes %d images of %s = %d", len(f.Pixels), n, p.Images.Shape, want)
	case !p.Pixels.Valid() && len(f.Images) != want:
		return fmt.Errorf("feed has %d values of images; the plan takes %d images of %s = %d", len(f.Images), n, p.Images.Shape, want)
	case len(f.Labels) != n:
		return fmt.Errorf("feed has %d labels for a batch of %d", len(f.Labels), n)
	case f.HeadWeights != nil && len(f.HeadWeights) != len(p.Losses):
		return fmt.Errorf("feed has %d head weights for %d heads", len(f.HeadWeights), len(p.Losses))
	case f.Accumulate && !p.Options.Training:
		return fmt.Errorf("an evaluation plan accumulates no gradients")
	}
	classes := int32(p.Losses[0].Logits.shape.C)
	for i, l := range f.Labels {
		if l != IgnoreLabel && (l < 0 || l >= classes) {
			return fmt.Errorf("label %d of row %d is not in [0,%d)", l, i, classes)
		}
	}
	return nil
}
