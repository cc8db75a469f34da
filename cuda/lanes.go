//go:build cuda

package cuda

import (
	"errors"

	"github.com/tributary-ml/tributary/graph"
)

// maxLanes is how many steps of a plan run side by side at the most (Plan.Places). In GoogLeNet's and Inception v3's steps, a fifth lane
// would shorten the longest chain of steps by less than a tenth, and every lane has memory of its own.
const maxLanes = 4

// lanes is how many steps of a plan may run side by side.
func (b *Backend) lanes() int {
	if b.options.Serial || b.device.Blocking {
		return 1
	}
	return maxLanes
}

// lane is the memory of launches that run one after another.
type lane struct {
	work     region // what the launches of one step pass to each other
	counters region // of reductions: zeros before and after each launch
}

// capture records a run: between the copies that belong to it, the launches of every step in the stream of its lane, behind what the
// step waits for in other lanes. first are the launches of each step, as binder has them.
func (b *bound) capture(s *state, in *slot, places []graph.Place, first []int) (g *Graph, err error) {
	var marks []*Event
	defer func() {
		for _, e := range marks {
			err = errors.Join(err, e.Close())
		}
	}()
	mark := func(on *Stream) (*Event, error) {
		e, err := s.backend.device.NewEvent(false)
		if err != nil {
			return nil, err
		}
		marks = append(marks, e)
		return e, e.Record(on)
	}
	others := make([]bool, len(places)) // others wait for the step
	for _, p := range places {
		for _, i := range p.After {
			others[i] = true
		}
	}
	steps := func(compute *Stream) error {
		begin, err := mark(compute)
		if err != nil {
			return err
		}
		streams := append([]*Stream{compute}, s.beside...)
		used, done := make([]bool, len(streams)), make([]*Event, len(places))
		for i, p := range places {
			on := streams[p.Lane]
			if p.Lane > 0 && !used[p.Lane] {
				if err := on.Wait(begin); err != nil {
					return err
				}
			}
			used[p.Lane] = true
			for _, j := range p.After {
				if err := on.Wait(done[j]); err != nil {
					return err
				}
			}
			if err := b.list.RunSome(on, first[i], first[i+1]); err != nil {
				return err
			}
			if others[i] {
				if done[i], err = mark(on); err != nil {
					return err
				}
			}
		}
		for i, on := range streams {
			if i > 0 && used[i] {
				end, err := mark(on)
				if err != nil {
					return err
				}
				if err := compute.Wait(end); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return s.compute.Capture(func() error { return in.around(s.compute, steps) })
}
