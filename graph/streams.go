package graph

import "slices"

// Dependencies returns the steps that each step waits for: after[i] lists the steps that must
// finish before step i begins, all of them earlier in Plan.Steps. Steps of which none waits for the
// other may run side by side: the branches of a module, a head and the trunk, the gradient of a
// filter and the gradient of its input. Entries that follow from other entries are left out (the
// transitive reduction).
//
// Two steps are in order if both use a piece of memory and one of them writes it: an operand of
// both, or memory that the plan gives to two buffers in turn (Target.ReuseDistance makes that
// rare). Two steps are also in order if both add to the gradient of a parameter, if both are loss
// steps, which write the metrics, or if one of them is the update, which uses all parameters.
func (p *Plan) Dependencies() (after [][]int) {
	conflicts := p.conflicts()
	after = make([][]int, len(p.Steps))
	before := make([]stepSet, len(p.Steps)) // for each step, all steps that finish before it
	for i := range p.Steps {
		before[i] = newStepSet(len(p.Steps))
		for j := i - 1; j >= 0; j-- {
			if conflicts[i].has(j) && !before[i].has(j) {
				after[i] = append(after[i], j)
				before[i].add(j)
				before[i].join(before[j])
			}
		}
		slices.Reverse(after[i])
	}
	return after
}

// CriticalPath returns the largest number of steps of a plan that must run one after another. All
// other steps can run beside these.
func (p *Plan) CriticalPath() int { return criticalPath(p.Dependencies()) }

func criticalPath(after [][]int) int {
	length, longest := make([]int, len(after)), 0
	for i, list := range after {
		for _, j := range list {
			length[i] = max(length[i], length[j])
		}
		length[i]++
		longest = max(longest, length[i])
	}
	return longest
}

// conflicts returns, for every step, the earlier steps that must stay in order with it.
func (p *Plan) conflicts() []stepSet {
	c := make([]stepSet, len(p.Steps))
	for i := range c {
		c[i] = newStepSet(len(c))
	}
	uses := map[*Buffer][]use{}
	gradients := map[*Param][]int{}
	for i, s := range p.Steps {
		s.Views(func(v View, a Access) { uses[v.Buffer] = append(uses[v.Buffer], use{i, v, a}) })
		for _, q := range s.Gradients() {
			for _, j := range gradients[q] {
				c[i].add(j)
			}
			gradients[q] = append(gradients[q], i)
		}
		if o, ok := s.(ordered); ok {
			for j, t := range p.Steps {
				if j != i && o.inOrderWith(t) {
					c[max(i, j)].add(min(i, j))
				}
			}
		}
	}
	for k, b := range p.Buffers {
		for _, o := range p.Buffers[:k+1] {
			if o != b && !o.overlaps(b) {
				continue
			}
			for _, u := range uses[b] {
				for _, v := range uses[o] {
					if (u.access|v.access)&Write != 0 && (o != b || u.view.overlaps(v.view)) {
						c[max(u.step, v.step)].add(min(u.step, v.step))
					}
				}
			}
		}
	}
	return c
}

// use is a step's use of an operand.
type use struct {
	step   int
	view   View
	access Access
}

// overlaps reports whether two buffers have memory in common.
func (b *Buffer) overlaps(o *Buffer) bool {
	return !b.External && !o.External && b.Elem == o.Elem && b.Offset < o.Offset+o.Elements && o.Offset < b.Offset+b.Elements
}

// overlaps reports whether two views of one buffer have elements in common. Different channels of
// the same pixels do not overlap.
func (v View) overlaps(w View) bool {
	if v.Stride != w.Stride {
		return true
	}
	a, b := v.Offset%v.Stride, w.Offset%w.Stride
	return a < b+w.Shape.C+w.Zeros && b < a+v.Shape.C+v.Zeros
}

// StreamStep says on which stream a step runs, and what it waits for.
type StreamStep struct {
	Stream  int   // from 0; the steps of a stream run one after another
	WaitFor []int // steps of other streams that must finish before it begins
}

// AssignStreams assigns steps to at most the given number of streams. A step passes its stream on
// to one of its dependents, along the longest chain, so the critical path stays on stream 0. A step
// that gets no stream this way, such as the first step of a branch, takes the stream that is free
// first if all steps take the same time. Nimble (Kwon et al. 2020) uses one stream per chain; here
// streams are few, because each has its own memory.
func (p *Plan) AssignStreams(streams int) []StreamStep {
	after, n := p.Dependencies(), len(p.Steps)
	successor := successors(after)
	schedule := make([]StreamStep, n)
	end := make([]int, n)        // time at which each step ends
	before := make([]stepSet, n) // for each step, all steps that finish before it, by streams and waits
	var last []int               // the last step of each stream
	for i := range schedule {
		ready := 0
		for _, j := range after[i] {
			ready = max(ready, end[j])
		}
		// rank orders the streams for step i; the smallest rank wins. A stream that was passed on
		// to this step comes first, then free streams, then streams passed on to a later step,
		// stream 0 last. Ties: the earliest start of the step, then the shortest idle time of the
		// stream.
		rank := func(stream int) (r [3]int) {
			if stream == len(last) {
				return [3]int{0, ready, ready}
			}
			j := last[stream]
			start := max(ready, end[j])
			switch {
			case successor[j] == i:
				return [3]int{-1, start}
			case successor[j] > i && stream == 0:
				return [3]int{2, start}
			case successor[j] > i:
				return [3]int{1, start}
			}
			return [3]int{0, start, start - end[j]}
		}
		stream := 0
		for l := 1; l < min(streams, len(last)+1); l++ {
			if a, b := rank(l), rank(stream); slices.Compare(a[:], b[:]) < 0 {
				stream = l
			}
		}
		schedule[i].Stream, end[i], before[i] = stream, rank(stream)[1]+1, newStepSet(n)
		if stream == len(last) {
			last = append(last, i)
		} else {
			before[i].add(last[stream])
			before[i].join(before[last[stream]])
			last[stream] = i
		}
		for _, j := range slices.Backward(after[i]) {
			if !before[i].has(j) {
				schedule[i].WaitFor = append(schedule[i].WaitFor, j)
				before[i].add(j)
				before[i].join(before[j])
			}
		}
	}
	return schedule
}

// successors returns, for every step, the step that it passes its stream on to, or -1. One longest
// chain comes first; other edges follow by the length of the path through them.
func successors(after [][]int) []int {
	n := len(after)
	from, to := make([]int, n), make([]int, n) // number of steps on the longest path before each step, and after it
	type edge struct{ j, i int }
	var edges []edge
	for i, list := range after {
		for _, j := range list {
			from[i] = max(from[i], from[j]+1)
			edges = append(edges, edge{j, i})
		}
	}
	for _, e := range slices.Backward(edges) {
		to[e.j] = max(to[e.j], to[e.i]+1)
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return from[b.j] + to[b.i] - from[a.j] - to[a.i] })
	successor, taken := make([]int, n), newStepSet(n)
	for i := range successor {
		successor[i] = -1
	}
	for at := slices.Index(to, slices.Max(to)); to[at] > 0; at = successor[at] {
		next := slices.IndexFunc(edges, func(e edge) bool { return e.j == at && to[e.i] == to[at]-1 })
		successor[at] = edges[next].i
		taken.add(successor[at])
	}
	for _, e := range edges {
		if successor[e.j] < 0 && !taken.has(e.i) {
			successor[e.j] = e.i
			taken.add(e.i)
		}
	}
	return successor
}

// stepSet is a set of steps.
type stepSet []uint64

func newStepSet(n int) stepSet { return make(stepSet, (n+63)/64) }

func (s stepSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s stepSet) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }
func (s stepSet) join(o stepSet) {
	for i, w := range o {
		s[i] |= w
	}
}
