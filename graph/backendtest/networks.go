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

// Networks says which networks RunNetworks tries, and on which backends.
type Networks struct {
	// Open opens the backend and an exact backend. The exact one has precision FP64; for a
	// precision that rounds it is a nearly exact backend of the same precision. Each worker opens
	// its own.
	Open    func() (b, exact graph.Backend, err error)
	Workers int
	Seeds   int // number of random networks
	Few     int // number of plans of each network that are tried besides the usual one; 0 means all
}

// RunNetworks tries the networks of the table and random networks. It checks every plan of a
// network: fully, partly or not fused, with shared memory or without, with another order of steps,
// with one sweep or one sweep per loss, with kept nodes and probes, with some of the heads, with an
// update, for evaluation, and starting at a node. Results must agree with the definition of the
// operations in float64 and its finite differences. A network that fails is reduced.
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

// search tries random networks with seeds from 0 on. It calls found for every seed that fails, one
// call at a time, with the seed, the failure, the reduced network and the failure of that network.
// It stops when found returns false. spoil is as in trials.
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
