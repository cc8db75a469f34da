package graph

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// orderedPlans are plans with branches, heads on modules and towers, siblings, shared memory, and
// every kind of sweep.
func orderedPlans(t *testing.T) map[string]*Plan {
	rested, apart, perLoss, plain := training(), training(), training(), training()
	rested.ReuseDistance = 4
	apart.Debug.NoReuse = true
	perLoss.Debug.SweepPerLoss = true
	plain.Fusions = Fusions{}
	return map[string]*Plan{
		"training":       mustCompile(t, inception(convBN), training()),
		"biases":         mustCompile(t, inception(convBias), training()),
		"rested":         mustCompile(t, inception(convBN), rested),
		"no reuse":       mustCompile(t, inception(convBN), apart),
		"sweep per loss": mustCompile(t, inception(convBN), perLoss),
		"no fusions":     mustCompile(t, inception(convBN), plain),
		"evaluation":     mustCompile(t, inception(convBN), Options{Batch: 2, Target: Target{Fusions: AllFusions}}),
	}
}

// paths returns, for every step, the steps that finish before it.
func paths(after [][]int) []map[int]bool {
	all := make([]map[int]bool, len(after))
	for i, list := range after {
		all[i] = map[int]bool{}
		for _, j := range list {
			all[i][j] = true
			for k := range all[j] {
				all[i][k] = true
			}
		}
	}
	return all
}

// Two steps that no path connects use no element in common that one of them writes, and do not add
// to the same gradient. This test looks at every element of memory by itself, where Dependencies
// compares ranges. No dependency follows from others.
func TestDependencies(t *testing.T) {
	for name, p := range orderedPlans(t) {
		t.Run(name, func(t *testing.T) {
			type last struct{ writers, readers []int }
			var seen [len(p.Arena)][]last
			for e, n := range p.Arena {
				seen[e] = make([]last, n)
			}
			conflict := map[[2]int]bool{}
			for i, s := range p.Steps {
				s.Views(func(v View, a Access) {
					if v.Buffer.External {
						return
					}
					for r := range v.Rows() {
						for c := range v.Shape.C {
							e := &seen[v.Buffer.Elem][v.Buffer.Offset+v.Offset+r*v.Stride+c]
							for _, j := range e.writers {
								conflict[[2]int{j, i}] = true
							}
							if a&Write == 0 {
								e.readers = append(e.readers, i)
								continue
							}
							for _, j := range e.readers {
								conflict[[2]int{j, i}] = true
							}
							e.writers = append(e.writers, i)
						}
					}
				})
				for j, q := range p.Steps[:i] {
					for _, a := range s.Gradients() {
						for _, b := range q.Gradients() {
							if a == b {
								conflict[[2]int{j, i}] = true
							}
						}
					}
				}
				if _, ok := s.(*UpdateStep); ok {
					for j := range i {
						conflict[[2]int{j, i}] = true
					}
				}
				if _, ok := s.(*SoftmaxCrossEntropy); ok {
					for j, q := range p.Steps[:i] {
						if _, ok := q.(*SoftmaxCrossEntropy); ok {
							conflict[[2]int{j, i}] = true
						}
					}
				}
			}
			after := p.Dependencies()
			before := paths(after)
			for c := range conflict {
				if i, j := c[1], c[0]; i != j {
					require.True(t, before[i][j], "%s of %s runs beside %s of %s", p.Steps[i].Kind(), p.Steps[i].NodeName(), p.Steps[j].Kind(), p.Steps[j].NodeName())
				}
			}
			for i, list := range after {
				for _, j := range list {
					require.Less(t, j, i)
					for _, k := range list {
						require.False(t, before[k][j], "step %d waits for %d and for %d, which waits for %d", i, j, k, j)
					}
				}
			}
		})
	}
}

// These run side by side: the towers of a module (forward and backward), a head and the trunk after
// it, and the gradients of filters.
func TestWhatRunsSideBySide(t *testing.T) {
	o := training()
	o.Debug.NoReuse = true // so that nothing waits because of memory
	p := mustCompile(t, inception(convBN), o)
	before := paths(p.Dependencies())
	beside := func(kind, a, kind2, b string) {
		t.Helper()
		find := func(kind, node string) int {
			for i, s := range p.Steps {
				if s.Kind() == kind && s.NodeName() == node {
					return i
				}
			}
			t.Fatalf("the plan has no %s of %s", kind, node)
			return 0
		}
		i, j := find(kind, a), find(kind2, b)
		require.False(t, before[i][j] || before[j][i], "%s of %s and %s of %s wait for each other", kind, a, kind2, b)
	}
	beside("conv.forward", "mixed2/tower3x3/conv", "conv.forward", "mixed2/tower5x5/conv")
	beside("batchnorm.forward", "mixed2/tower3x3/bn", "batchnorm.forward", "mixed2/tower5x5/bn")
	beside("maxpool.forward", "mixed2/pool", "conv.forward", "mixed2/tower3x3/conv")
	beside("conv.backward_data", "mixed2/tower3x3/conv", "conv.backward_data", "mixed2/tower5x5/conv")
	beside("conv.forward", "aux1/reduce/conv", "conv.forward", "mixed3/tower3x3/conv")
	beside("conv.backward_data", "aux2/reduce/conv", "conv.backward_data", "mixed3/tower3x3/conv")
	beside("conv.backward_filter", "mixed2/tower3x3/conv", "conv.backward_data", "mixed2/tower3x3/conv")
}

// ReuseDistance removes waits for memory, and costs little memory.
func TestReuseDistanceShortensTheCriticalPath(t *testing.T) {
	apart, rested := training(), training()
	apart.Debug.NoReuse, rested.ReuseDistance = true, 8
	p, q := mustCompile(t, inception(convBN), training()), mustCompile(t, inception(convBN), rested)
	least := mustCompile(t, inception(convBN), apart).CriticalPath()
	require.Greater(t, p.CriticalPath(), least*5/4)
	require.Less(t, q.CriticalPath(), least*5/4)
	require.Less(t, q.ArenaBytes(), p.ArenaBytes()*4/3)
	for _, a := range q.Buffers {
		for _, b := range q.Buffers {
			if a != b && a.overlaps(b) {
				require.True(t, a.First > b.Last+8 || b.First > a.Last+8, "%s and %s", a.Name, b.Name)
			}
		}
	}
}

// Streams and waits keep the order, and no wait follows from others. With enough streams no step
// waits without need.
func TestAssignStreams(t *testing.T) {
	for name, p := range orderedPlans(t) {
		for _, streams := range []int{1, 2, 3, 4, 100} {
			schedule, order := p.AssignStreams(streams), p.Dependencies()
			var last [100]int
			after := make([][]int, len(schedule))
			for i, s := range schedule {
				require.Less(t, s.Stream, streams, name)
				after[i] = append(after[i], s.WaitFor...)
				for _, j := range s.WaitFor {
					require.NotEqual(t, s.Stream, schedule[j].Stream)
				}
				if j := last[s.Stream] - 1; j >= 0 {
					after[i] = append(after[i], j)
				}
				last[s.Stream] = i + 1
			}
			before := paths(after)
			for i, list := range order {
				for _, j := range list {
					require.True(t, before[i][j], "%s, %d streams: step %d does not wait for %d", name, streams, i, j)
				}
				for _, j := range schedule[i].WaitFor {
					for _, k := range after[i] {
						require.False(t, before[k][j], "%s, %d streams: step %d need not wait for %d", name, streams, i, j)
					}
				}
			}
			if streams == 100 {
				require.Equal(t, criticalPath(order), criticalPath(after), name)
			}
			if streams == 1 {
				require.Equal(t, len(schedule), criticalPath(after))
			}
		}
	}
}

// stepSet adds, joins and finds steps.
func TestStepSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a, b, both := newStepSet(200), newStepSet(200), map[int]bool{}
	for range 50 {
		i, j := rng.IntN(200), rng.IntN(200)
		a.add(i)
		b.add(j)
		both[i], both[j] = true, true
	}
	a.join(b)
	for i := range 200 {
		require.Equal(t, both[i], a.has(i), i)
	}
}
