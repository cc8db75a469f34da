package graph

import "slices"

// planMemory places the buffers of each element type in one arena. Two buffers share memory only if
// one's life (from the first to the last step that uses it) ends before the other's begins, with
// Target.ReuseDistance steps between them. It is greedy by size (Pisarchyk and Lee 2020): the
// largest buffer first, each at the lowest offset that is free for its whole life.
func planMemory(p *Plan) {
	const align = 16 // elements: 64 bytes of float32, a cache line
	end, distance := len(p.Steps), p.Options.ReuseDistance
	var all []*Buffer
	for _, b := range p.Buffers {
		if b.kept {
			b.Last = end
		}
		if !b.External {
			all = append(all, b)
			p.Unshared += int64(b.Elements) * int64(b.Elem.Size())
		}
	}
	slices.SortStableFunc(all, func(a, b *Buffer) int { return b.Elements - a.Elements })
	var placed [len(p.Arena)][]*Buffer // by offset
	for _, b := range all {
		at := 0
		if p.Options.Debug.NoReuse {
			at = p.Arena[b.Elem]
		} else {
			for _, o := range placed[b.Elem] {
				if o.First > b.Last+distance || b.First > o.Last+distance {
					continue
				}
				if o.Offset >= at+b.Elements {
					break
				}
				at = max(at, roundUp(o.Offset+o.Elements, align))
			}
		}
		b.Offset = at
		p.Arena[b.Elem] = max(p.Arena[b.Elem], roundUp(at+b.Elements, align))
		list := placed[b.Elem]
		i, _ := slices.BinarySearchFunc(list, at, func(o *Buffer, v int) int { return o.Offset - v })
		placed[b.Elem] = slices.Insert(list, i, b)
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
