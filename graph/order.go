package graph

import "slices"

// Order says which steps of a plan wait for which: after[i] are steps that must be done before step i begins, all of them earlier in
// Plan.Steps. Steps that wait for none of each other may run side by side: the branches of a module, a head and the trunk, the
// gradient of a filter and that of its input. What follows from other entries is left out (the transitive reduction).
//
// Two steps are in order where both use a piece of memory and one of them writes it, be it as an operand of both, or because the
// memory plan gives the piece to one buffer after the other (Target.Slack makes that rare). They are in order where both add to the
// gradient of a parameter, where both are losses, which write the metrics, and where one of them is the update, which uses all
// parameters.
func (p *Plan) Order() (after [][]int) {
	conflicts := p.conflicts()
	after = make([][]int, len(p.Steps))
	before := make([]stepSet, len(p.Steps)) // all steps that are done before
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

// Depth is how many steps of a plan follow from one another at the most. The others can run beside these.
func (p *Plan) Depth() int { return depth(p.Order()) }

func depth(after [][]int) int {
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

// conflicts are, for every step, the earlier ones that it is in order with.
func (p *Plan) conflicts() []stepSet {
	c := make([]stepSet, len(p.Steps))
	for i := range c {
		c[i] = newStepSet(len(c))
	}
	uses := map[*Buffer][]use{}
	gradients := map[*Param][]int{}
	var losses []int
	for i, s := range p.Steps {
		s.Views(func(v View, a Access) { uses[v.Buffer] = append(uses[v.Buffer], use{i, v, a}) })
		for _, q := range s.Gradients() {
			for _, j := range gradients[q] {
				c[i].add(j)
			}
			gradients[q] = append(gradients[q], i)
		}
		switch s.(type) {
		case *SoftmaxCrossEntropy:
			for _, j := range losses {
				c[i].add(j)
			}
			losses = append(losses, i)
		case *UpdateStep:
			for j := range c {
				c[max(i, j)].add(min(i, j))
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

// use is an operand of a step.
type use struct {
	step   int
	view   View
	access Access
}

// overlaps says whether two buffers have memory in common.
func (b *Buffer) overlaps(o *Buffer) bool {
	return !b.External && !o.External && b.Elem == o.Elem && b.Offset < o.Offset+o.Elements && o.Offset < b.Offset+b.Elements
}

// overlaps says whether two views of one buffer have elements in common. Different channels of the same pixels have none.
func (v View) overlaps(w View) bool {
	if v.Stride != w.Stride {
		return true
	}
	a, b := v.Offset%v.Stride, w.Offset%w.Stride
	return a < b+w.Shape.C+w.Zeros && b < a+v.Shape.C+v.Zeros
}

// Place is where and when a step runs if steps run side by side.
type Place struct {
	Lane  int   // from 0 on. The steps of a lane run one after another
	After []int // steps of other lanes to wait for before it begins
}

// Places shares the steps out to lanes, such as streams of a GPU, at most so many. Every step hands its lane on to one of those that
// wait for it, along the longest chain: one of these, the trunk, is in lane 0 as a whole. Steps that no lane was handed to, such as the
// first ones of branches, take the lane that is idle first if all steps take the same time. Nimble (Kwon et al. 2020) opens as many
// streams as there are chains; here there are few lanes, because each has memory of its own.
func (p *Plan) Places(lanes int) []Place {
	after, n := p.Order(), len(p.Steps)
	heir := heirs(after)
	places := make([]Place, n)
	end := make([]int, n)        // when each is done
	before := make([]stepSet, n) // all steps that are done before, because of lanes or waits
	var last []int               // step of each lane
	for i := range places {
		ready := 0
		for _, j := range after[i] {
			ready = max(ready, end[j])
		}
		// rank is what a lane is chosen by, the smallest first: to whom it was handed, where the trunk's is the last to be taken away from
		// it; when the step would begin; how long the lane is idle then.
		rank := func(lane int) (r [3]int) {
			if lane == len(last) {
				return [3]int{0, ready, ready}
			}
			j := last[lane]
			start := max(ready, end[j])
			switch {
			case heir[j] == i:
				return [3]int{-1, start}
			case heir[j] > i && lane == 0:
				return [3]int{2, start}
			case heir[j] > i:
				return [3]int{1, start}
			}
			return [3]int{0, start, start - end[j]}
		}
		lane := 0
		for l := 1; l < min(lanes, len(last)+1); l++ {
			if a, b := rank(l), rank(lane); slices.Compare(a[:], b[:]) < 0 {
				lane = l
			}
		}
		places[i].Lane, end[i], before[i] = lane, rank(lane)[1]+1, newStepSet(n)
		if lane == len(last) {
			last = append(last, i)
		} else {
			before[i].add(last[lane])
			before[i].join(before[last[lane]])
			last[lane] = i
		}
		for _, j := range slices.Backward(after[i]) {
			if !before[i].has(j) {
				places[i].After = append(places[i].After, j)
				before[i].add(j)
				before[i].join(before[j])
			}
		}
	}
	return places
}

// heirs are, for every step, the step that it hands its lane on to, -1 for none: those of one longest chain first, then of others by
// length.
func heirs(after [][]int) []int {
	n := len(after)
	from, to := make([]int, n), make([]int, n) // how many steps in a row come before each, and after it
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
	heir, taken := make([]int, n), newStepSet(n)
	for i := range heir {
		heir[i] = -1
	}
	for at := slices.Index(to, slices.Max(to)); to[at] > 0; at = heir[at] {
		next := slices.IndexFunc(edges, func(e edge) bool { return e.j == at && to[e.i] == to[at]-1 })
		heir[at] = edges[next].i
		taken.add(heir[at])
	}
	for _, e := range edges {
		if heir[e.j] < 0 && !taken.has(e.i) {
			heir[e.j] = e.i
			taken.add(e.i)
		}
	}
	return heir
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
