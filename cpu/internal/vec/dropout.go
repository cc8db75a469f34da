package vec

import "github.com/tributary-ml/tributary/graph"

// Mask says which elements one dropout node keeps in one step. Element e of the node's whole
// output, counted without gaps (e = row·C + channel), is kept if word e%4 of graph.Philox4x32({e/4
// low, e/4 high, Step low, Step high}, Key) is at least P·2³². The mask is a function of these
// numbers alone, so it is not stored: the backward pass replays it, and all backends agree.
type Mask struct {
	P    float64   // the probability that an element is dropped, in [0,1]
	Key  [2]uint32 // seed and graph.NodeKey
	Step uint64
}

// Dropout computes v = x/(1-P) where an element is kept and 0 elsewhere. It stores y = v, or adds y
// += v if acc is set. Row 0 of x is row first of the node's output. Applied to dy it is the
// backward pass. y may be x.
func Dropout[T Float](m Mask, y, x Mat[T], first int, acc bool) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	limit := uint64(m.P * (1 << 32))
	scale := T(0)
	if m.P < 1 {
		scale = T(1 / (1 - m.P))
	}
	var words [4]uint32
	for i := range x.Rows {
		yr, xr := y.Row(i), x.Row(i)
		e := uint64(first+i) * uint64(x.Cols)
		for c, v := range xr {
			if c == 0 || e%4 == 0 {
				words = graph.Philox4x32([4]uint32{uint32(e >> 2), uint32(e >> 34), uint32(m.Step), uint32(m.Step >> 32)}, m.Key)
			}
			v *= scale
			if uint64(words[e%4]) < limit {
				v = 0
			}
			if acc {
				v += yr[c]
			}
			yr[c] = v
			e++
		}
	}
}
