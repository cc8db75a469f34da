package backendtest

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/graph"
)

// Networks say what networks RunNetworks tries, and on what.
type Networks struct {
	// Open opens the backend, and an exact one: of FP64, or, for a precision that rounds, one of this precision that is as good as exact.
	// Each worker has its own.
	Open    func() (b, exact graph.Backend, err error)
	Workers int
	Seeds   int // how many random networks
	Few     int // how many plans of each are tried besides the usual one; 0 means all
}

// RunNetworks tries the networks of the table, and random ones. Every plan of a network (fused, partly or not, with shared memory or
// without, in another order, one sweep or one for each loss, watched, of some heads, updating, evaluating, from a node on) gives what
// the definition of its operations in float64 and its finite differences say. Networks that fail are made as small as they can be.
func RunNetworks(t *testing.T, o Networks) {
	for _, n := range networks {
		t.Run(strings.ReplaceAll(n.name, " ", "_"), func(t *testing.T) { try(t, o.Open, n.listing) })
	}
	t.Run("random", func(t *testing.T) {
		found := 0
		search(o, nil, func(seed int, wrong *failure, small listing, same *failure) bool {
			t.Errorf("the network of seed %d: %v\nreduced to %d lines: %v\n%s", seed, wrong, len(small), same, small)
			found++
			return found < 5
		})
	})
}

// try tries one listing.
func try(t *testing.T, open func() (b, exact graph.Backend, err error), text string) {
	b, exact, err := open()
	require.NoError(t, err)
	defer func() { require.NoError(t, errors.Join(b.Close(), exact.Close())) }()
	if f := (trials{b: b, exact: exact}).run(parse(text)); f != nil {
		t.Errorf("%v\n%s", f, text)
	}
}

// search tries random networks, of seeds from 0 on, and calls found, one at a time, with every seed that fails, why, the network made
// small, and why that one fails, until it returns false. spoil is that of trials.
func search(o Networks, spoil func(*graph.Plan), found func(int, *failure, listing, *failure) bool) {
	var (
		next  atomic.Int64
		stop  atomic.Bool
		lock  sync.Mutex
		group sync.WaitGroup
	)
	worker := func() {
		b, exact, err := o.Open()
		if err != nil {
			panic(err)
		}
		defer func() {
			if err := errors.Join(b.Close(), exact.Close()); err != nil {
				panic(err)
			}
		}()
		s := trials{b: b, exact: exact, few: o.Few, spoil: spoil}
		for !stop.Load() {
			seed := int(next.Add(1) - 1)
			if seed >= o.Seeds {
				return
			}
			l := random(uint64(seed))
			wrong := s.run(l)
			if wrong == nil {
				continue
			}
			same := wrong
			small := reduce(l, func(l listing) bool {
				f := s.run(l)
				if f == nil || f.what != wrong.what {
					return false
				}
				same = f
				return true
			})
			lock.Lock()
			if !stop.Load() && !found(seed, wrong, small, same) {
				stop.Store(true)
			}
			lock.Unlock()
		}
	}
	for range o.Workers {
		group.Go(worker)
	}
	group.Wait()
}
