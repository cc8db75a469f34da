//go:build cuda

package cuda

import (
	"errors"
	"math"
	"unsafe"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// slot is what passes between host and device in one run: the input and the run's scalars on the way there, metrics on the way
// back. There are two, so that the host fills one while the device reads the other.
type slot struct {
	memory  *Arena // pieces: see below
	host    *Pinned
	offsets [slotPieces + 1]int64 // of the pieces in host
	arrived *Event
	done    *Event
	used    bool
}

// The pieces of a slot.
const (
	slotInput   = iota // pixels or images
	slotLabels         // int32
	slotRun            // kernels.RunState
	slotMetrics        // kernels.StepMetrics
	slotPieces
)

func inputBytes(p *graph.Plan) int64 {
	n := int64(p.Options.Batch) * int64(p.Images.Shape.Elements())
	if p.Pixels.Valid() {
		return n
	}
	return 4 * n
}

func (s *slot) allocate(st *state, p *graph.Plan) (err error) {
	d := st.backend.device
	sizes := []int64{inputBytes(p), 4 * int64(p.Options.Batch), int64(unsafe.Sizeof(kernels.RunState{})), int64(unsafe.Sizeof(kernels.StepMetrics{}))}
	if s.memory, err = d.NewArena(sizes, false); err != nil {
		return err
	}
	for i, n := range sizes {
		s.offsets[i+1] = s.offsets[i] + (n+Alignment-1)/Alignment*Alignment
	}
	if s.host, err = d.NewPinned(s.offsets[slotPieces]); err != nil {
		return err
	}
	if s.arrived, err = d.NewEvent(false); err != nil {
		return err
	}
	if s.done, err = d.NewEvent(false); err != nil {
		return err
	}
	return st.compute.Fill(s.memory.Span(slotMetrics), 0) // a plan without an update reports no norm
}

// addresses are those of a plan's external buffers.
func (s *slot) addresses(p *graph.Plan) map[*graph.Buffer]kernels.DevicePtr {
	at := map[*graph.Buffer]kernels.DevicePtr{p.Labels: s.memory.Span(slotLabels).Address}
	in := p.Images
	if p.Pixels.Valid() {
		in = p.Pixels
	}
	at[in.Buffer] = s.memory.Span(slotInput).Address
	return at
}

// piece is the host's side of a piece.
func (s *slot) piece(i int) []byte { return s.host.Bytes()[s.offsets[i]:s.offsets[i+1]] }

// load starts the way of a feed to the device. It waits until the run before the last one, which had the slot, is done.
func (s *slot) load(upload *Stream, p *graph.Plan, f *graph.Feed) error {
	if s.used {
		if err := s.done.Synchronize(); err != nil {
			return err
		}
	}
	in := f.Pixels
	if !p.Pixels.Valid() {
		in = Bytes(f.Images)
	}
	copy(s.piece(slotInput), in)
	copy(s.piece(slotLabels), Bytes(f.Labels))
	*(*kernels.RunState)(unsafe.Pointer(&s.piece(slotRun)[0])) = runState(p, f)
	for _, i := range []int{slotInput, slotLabels} {
		if err := upload.Upload(s.memory.Span(i), s.host, s.offsets[i]); err != nil {
			return err
		}
	}
	return s.arrived.Record(upload)
}

// around runs a step between the copies that belong to it: the scalars before, the metrics after.
func (s *slot) around(compute *Stream, step func(*Stream) error) error {
	if err := compute.Upload(s.memory.Span(slotRun), s.host, s.offsets[slotRun]); err != nil {
		return err
	}
	if err := step(compute); err != nil {
		return err
	}
	return compute.Download(s.host, s.offsets[slotMetrics], s.memory.Span(slotMetrics))
}

// metrics is what the last run with the slot reported.
func (s *slot) metrics() kernels.StepMetrics {
	return *(*kernels.StepMetrics)(unsafe.Pointer(&s.piece(slotMetrics)[0]))
}

func (s *slot) close() error {
	var err error
	for _, e := range []*Event{s.arrived, s.done} {
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

// runState is a feed's scalars as kernels read them.
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
