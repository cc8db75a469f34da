package backendtest

import (
	"fmt"
	"slices"
)

// reduce makes a failing listing as small as possible: it replaces the listing with a smaller one
// as long as one of the smaller ones fails in the same way (delta debugging: Zeller and Hildebrandt
// 2002).
func reduce(l listing, fails func(listing) bool) listing {
	for tries := 0; tries < 3000; {
		smaller := func() listing {
			for s := range l.smaller() {
				if tries++; tries > 3000 {
					return nil
				}
				if fails(s) {
					return s
				}
			}
			return nil
		}()
		if smaller == nil {
			break
		}
		l = smaller
	}
	return l
}

// smaller yields listings that are a little smaller, the smallest first.
func (l listing) smaller() func(yield func(listing) bool) {
	return func(yield func(listing) bool) {
		for size := len(l) / 2; size >= 1; size /= 2 { // without some consecutive lines
			for from := 1; from+size <= len(l); from++ {
				if !yield(l.without(from, from+size, 0)) {
					return
				}
			}
		}
		for i, s := range l {
			if s.name != "" {
				for k := 1; k < len(s.words); k++ { // with an input in place of a node
					if !yield(l.without(i, i+1, k)) {
						return
					}
				}
				for k := range s.words { // with fewer inputs
					if len(s.words) > 1 {
						t := s
						t.words = slices.Delete(slices.Clone(s.words), k, k+1)
						if !yield(l.with(i, t)) {
							return
						}
					}
				}
			}
			for _, key := range []string{"window", "stride", "pads", "ceil", "padding", "smoothing", "distill", "ignored", "eps", "size", "bins", "factor"} {
				if s.args[key] != "" {
					t := s.set(key, "")
					delete(t.args, key)
					if !yield(l.with(i, t)) {
						return
					}
				}
			}
			for _, key := range []string{"filters", "batch"} {
				if n := s.number(key, 1); n > 1 {
					for _, fewer := range []int{1, n / 2, n - 1} {
						if fewer > 0 && fewer < n && !yield(l.with(i, s.set(key, fewer))) {
							return
						}
					}
				}
			}
			if n := s.numbers("image"); len(n) == 3 {
				for k := range n {
					m := slices.Clone(n)
					for m[k] > 1 {
						m[k]--
						if !yield(l.with(i, s.set("image", fmt.Sprintf("%dx%dx%d", m[0], m[1], m[2])))) {
							return
						}
					}
				}
			}
		}
	}
}

// with returns the listing with line i replaced.
func (l listing) with(i int, s statement) listing {
	out := slices.Clone(l)
	out[i] = s
	return out
}

// without returns the listing without some lines. The readers of a removed node read its k-th input
// instead, or its last if it has fewer.
func (l listing) without(from, to, k int) listing {
	instead := map[string]string{}
	for _, s := range l[from:to] {
		if s.name != "" && len(s.words) > 0 {
			x := s.words[min(k, len(s.words)-1)]
			if y, ok := instead[x]; ok {
				x = y
			}
			instead[s.name] = x
		}
	}
	var out listing
	for i, s := range l {
		if i >= from && i < to {
			continue
		}
		s.words = slices.Clone(s.words)
		for j, w := range s.words {
			if y, ok := instead[w]; ok && (s.name != "" || s.kind == "head" && j == 1) {
				s.words[j] = y
			}
		}
		out = append(out, s)
	}
	return out
}
