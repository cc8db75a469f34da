//go:build cuda

package cuda

import (
	"errors"
	"math"
	"unsafe"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// transfer is the memory for what passes between host and device in one run: the input and the
// run's scalars on the way to the device, metrics on the way back. A program has two, so that the
// host fills one while the device reads the other.
type transfer struct {
	memory  *driver.Arena // its pieces are listed below
	host    *driver.Pinned
	offsets [pieces + 1]int64 // where each piece begins in host, then the end
	arrived *driver.Event
	done    *driver.Event
	used    bool
}

// The pieces of a transfer.
const (
	pieceInput   = iota // pixels, regions or images
	pieceRecipes        // kernels.AugmentRecipe, if the plan augments
	pieceLabels         // int32
	pieceRun            // kernels.RunState
	pieceMetrics        // kernels.StepMetrics
	pieces
)

// input returns the plan's view of pieceInput.
func input(p *graph.Plan) graph.View {
	switch {
	case p.Regions.Valid():
		return p.Regions
	case p.Pixels.Valid():
		return p.Pixels
	}
	return p.Images
}

// inputOf returns the data of a feed for pieceInput. Regions may be smaller than the piece.
func inputOf(p *graph.Plan, f *graph.Feed) []byte {
	switch {
	case p.Regions.Valid():
		return f.Regions
	case p.Pixels.Valid():
		return f.Pixels
	}
	return driver.Bytes(f.Images)
}

func recipeBytes(p *graph.Plan) int64 {
	if !p.Regions.Valid() {
		return 0
	}
	return int64(p.Options.Batch) * int64(unsafe.Sizeof(kernels.AugmentRecipe{}))
}

// transferSizes returns the sizes in bytes of a transfer's pieces.
func transferSizes(p *graph.Plan) []int64 {
	return []int64{int64(input(p).Bytes()), recipeBytes(p), 4 * int64(p.Options.Batch), int64(unsafe.Sizeof(kernels.RunState{})), int64(unsafe.Sizeof(kernels.StepMetrics{}))}
}

func (s *transfer) allocate(st *state, p *graph.Plan) (err error) {
	d, sizes := st.backend.device, transferSizes(p)
	if s.memory, err = d.NewArena(sizes, false); err != nil {
		return err
	}
	for i, n := range sizes {
		s.offsets[i+1] = s.offsets[i] + (n+driver.Alignment-1)/driver.Alignment*driver.Alignment
	}
	if s.host, err = d.NewPinned(s.offsets[pieces]); err != nil {
		return err
	}
	if s.arrived, err = d.NewEvent(false); err != nil {
		return err
	}
	if s.done, err = d.NewEvent(false); err != nil {
		return err
	}
	return st.compute.Fill(s.memory.Span(pieceMetrics), 0) // so that a plan without an update reports no norm
}

// addresses returns the addresses of a plan's external buffers.
func (s *transfer) addresses(p *graph.Plan) map[*graph.Buffer]kernels.DevicePtr {
	return map[*graph.Buffer]kernels.DevicePtr{
		p.Labels:        s.memory.Span(pieceLabels).Address,
		input(p).Buffer: s.memory.Span(pieceInput).Address,
	}
}

// piece returns the host's copy of a piece.
func (s *transfer) piece(i int) []byte { return s.host.Bytes()[s.offsets[i]:s.offsets[i+1]] }

// load starts the copy of a feed to the device. It first waits for the last run that used the
// transfer, which is the run before the previous one.
func (s *transfer) load(upload *driver.Stream, p *graph.Plan, f *graph.Feed) error {
	if s.used {
		if err := s.done.Synchronize(); err != nil {
			return err
		}
	}
	used := [...]int{
		pieceInput:   copy(s.piece(pieceInput), inputOf(p, f)),
		pieceRecipes: copy(s.piece(pieceRecipes), memoryOf(recipesOf(p, f))),
		pieceLabels:  copy(s.piece(pieceLabels), driver.Bytes(f.Labels)),
	}
	*(*kernels.RunState)(unsafe.Pointer(&s.piece(pieceRun)[0])) = runState(p, f)
	for i, n := range used {
		if n == 0 {
			continue
		}
		to, err := s.memory.Span(i).Sub(0, int64(n))
		if err != nil {
			return err
		}
		if err := upload.Upload(to, s.host, s.offsets[i]); err != nil {
			return err
		}
	}
	return s.arrived.Record(upload)
}

// around runs a step between the copies that belong to it: the scalars before it, the metrics after
// it.
func (s *transfer) around(compute *driver.Stream, step func(*driver.Stream) error) error {
	if err := compute.Upload(s.memory.Span(pieceRun), s.host, s.offsets[pieceRun]); err != nil {
		return err
	}
	if err := step(compute); err != nil {
		return err
	}
	return compute.Download(s.host, s.offsets[pieceMetrics], s.memory.Span(pieceMetrics))
}

// metrics returns what the last run with the transfer reported.
func (s *transfer) metrics() kernels.StepMetrics {
	return *(*kernels.StepMetrics)(unsafe.Pointer(&s.piece(pieceMetrics)[0]))
}

func (s *transfer) close() error {
	var err error
	for _, e := range []*driver.Event{s.arrived, s.done} {
		if e != nil {
			err = errors.Join(err, e.Close())
		}
	}
	if s.host != nil {
		err = errors.Join(err, s.host.Close())
	}
	if s.memory != nil {
		err = errors.Join(err, s.memory.Close())
	}
	return err
}

// runState returns a feed's scalars as kernels read them.
func runState(p *graph.Plan, f *graph.Feed) kernels.RunState {
	r := kernels.RunState{Seed: f.Seed, Step: f.Step, LR: float32(f.LR), EMAMix: float32(1 - f.EMADecay), GradScale: 1,
		Accumulate: flag(f.Accumulate), SkipUpdate: flag(f.SkipUpdate)}
	if f.GradScale != 0 {
		r.GradScale = float32(f.GradScale)
	}
	if o := p.Options.Optimizer; o != nil {
		t := float64(f.Step + 1)
		r.Bias1, r.Bias2 = float32(1-math.Pow(o.Beta1, t)), float32(1-math.Pow(o.Beta2, t))
	}
	for i := range p.Losses {
		r.HeadWeight[i] = float32(f.Weight(p, i))
	}
	return r
}
