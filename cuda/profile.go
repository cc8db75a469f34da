//go:build cuda

package cuda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
)

// Timing is the time that one launch of a step takes on the GPU, including the gap after the launch
// before it.
type Timing struct {
	driver.Launch
	Time time.Duration // median over the runs
}

// Profile runs a program launch by launch, records an event after each launch, and returns the
// times in the order of the launches. It counts as the given number of runs with the same feed. If
// a launch takes less than the few microseconds that the host needs to start one, its time is the
// host's.
func Profile(ctx context.Context, pr graph.Program, f *graph.Feed, runs int) (out []Timing, err error) {
	p, ok := pr.(*program)
	if !ok {
		return nil, errors.New("cuda: the program is of another backend")
	}
	if runs < 1 {
		return nil, fmt.Errorf("cuda: a profile of %d runs", runs)
	}
	device := p.state.backend.device
	byBound := map[*bound]*singly{} // for each transfer
	defer func() {
		for _, s := range byBound {
			err = errors.Join(err, s.close())
		}
	}()
	var times [][]time.Duration
	for range runs {
		var s *singly
		err = p.run(ctx, f, func(b *bound) (err error) {
			if s = byBound[b]; s == nil {
				if s, err = newSingly(device, b.list.Launches()); err != nil {
					return err
				}
				byBound[b] = s
			}
			return p.transfers[b.transfer].around(p.state.compute, s.run)
		})
		if err != nil {
			return nil, err
		}
		if err = p.last().done.Synchronize(); err != nil {
			return nil, err
		}
		if times == nil {
			times, out = make([][]time.Duration, len(s.lists)), make([]Timing, len(s.lists))
		}
		for i, l := range s.lists {
			d, err := s.marks[i+1].Since(s.marks[i])
			if err != nil {
				return nil, err
			}
			times[i], out[i].Launch = append(times[i], d), l.Launches()[0]
		}
	}
	for i, t := range times {
		slices.Sort(t)
		out[i].Time = t[len(t)/2]
	}
	return out, nil
}

// singly runs launches one by one, with events between them.
type singly struct {
	lists []*driver.List
	marks []*driver.Event
}

func newSingly(d *driver.Device, launches []driver.Launch) (*singly, error) {
	s := &singly{}
	for i := range len(launches) + 1 {
		e, err := d.NewEvent(true)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.marks = append(s.marks, e)
		if i == len(launches) {
			break
		}
		l, err := d.NewList(launches[i : i+1])
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.lists = append(s.lists, l)
	}
	return s, nil
}

func (s *singly) run(on *driver.Stream) error {
	if err := s.marks[0].Record(on); err != nil {
		return err
	}
	for i, l := range s.lists {
		if err := l.Run(on); err != nil {
			return err
		}
		if err := s.marks[i+1].Record(on); err != nil {
			return err
		}
	}
	return nil
}

func (s *singly) close() error {
	var err error
	for _, e := range s.marks {
		err = errors.Join(err, e.Close())
	}
	for _, l := range s.lists {
		l.Close()
	}
	return err
}
