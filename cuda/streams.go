//go:build cuda

package cuda

import (
	"errors"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
)

// maxStreams is how many steps of a plan run side by side at most (Plan.AssignStreams). For
// GoogLeNet and Inception v3, a fifth stream would shorten the longest chain of steps by less than
// a tenth, and every stream needs memory of its own.
const maxStreams = 4

// streams returns how many steps of a plan may run side by side.
func (b *Backend) streams() int {
	if b.options.Debug.Serial || b.device.Blocking {
		return 1
	}
	return maxStreams
}

// streamMemory is the memory for the launches of one stream, which run one after another.
type streamMemory struct {
	work     region // through it, the launches of one step pass data to each other
	counters region // for reductions: zero before and after each launch
}

// capture records a run: the copy of the run's scalars, the launches of every step in its stream,
// and the copy of the metrics. A step waits for the steps in other streams that it depends on.
// first is binder.first.
func (b *bound) capture(s *state, in *transfer, schedule []graph.StreamStep, first []int) (g *driver.Graph, err error) {
	streams := append([]*driver.Stream{s.compute}, s.beside...)
	// Events: one after every step, and one at the end of every stream; the first stream's marks
	// its beginning instead. They are made before the capture, because the driver may refuse to
	// make events during a capture.
	var marks []*driver.Event
	defer func() {
		for _, e := range marks {
			err = errors.Join(err, e.Close())
		}
	}()
	for range len(schedule) + len(streams) {
		e, err := s.backend.device.NewEvent(false)
		if err != nil {
			return nil, err
		}
		marks = append(marks, e)
	}
	done, ends := marks[:len(schedule)], marks[len(schedule):]
	used := make([]bool, len(streams))
	steps := func(compute *driver.Stream) error {
		if err := ends[0].Record(compute); err != nil {
			return err
		}
		for i, p := range schedule {
			on := streams[p.Stream]
			if p.Stream > 0 && !used[p.Stream] {
				used[p.Stream] = true
				if err := on.Wait(ends[0]); err != nil {
					return err
				}
			}
			for _, j := range p.WaitFor {
				if err := on.Wait(done[j]); err != nil {
					return err
				}
			}
			if err := b.list.RunSome(on, first[i], first[i+1]); err != nil {
				return err
			}
			if err := done[i].Record(on); err != nil {
				return err
			}
		}
		for stream, on := range streams {
			if used[stream] {
				if err := errors.Join(ends[stream].Record(on), compute.Wait(ends[stream])); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return s.compute.Capture(func() error { return in.around(s.compute, steps) })
}
