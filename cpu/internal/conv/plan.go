package conv

import "math"

// Sizes that decide how work is cut up. They suit processors with a second-level cache of 512 KiB
// or more.
const (
	maxDepth    = 2304    // longest reduction at a time, in values: a panel of 32 columns takes 288 KiB
	blockBytes  = 320e3   // of the left operand that a block of pixels reads
	blockPixels = 192     // pixels of a block
	fewTasks    = 16      // with fewer tasks, panels are also split into groups
	taskFlops   = 1 << 21 // each task of a split has at least this many operations
	packDepth   = 512     // elements of a reduction that one packing task handles
)

// plan decides how a sub-product is read and cut into tasks.
func (p *product) plan(s *sub) {
	kern, c := p.e.kern, p.in.c
	one := &p.in.src[0]
	s.direct = s.tapsH*s.tapsW == 0 || s.inside(&p.in) && (s.tapsW == 1 || one.ld == one.n || one.n >= kern.width[0])
	s.depth = s.tapsH * s.tapsW * c
	s.volume = s.depth
	s.items = p.in.n * s.rows * s.cols
	perItem := 4 * c * min(s.stepH, max(s.tapsH, 1)) * s.slabCols() / s.cols // bytes
	most := blockPixels
	if s.wino = p.winoFor(s); s.wino != nil {
		s.planTiled(&p.in)
		perItem, most = 4*16*c, winoTiles
		s.items = p.in.n * s.tiled.rows * s.tiled.cols
		s.volume = 16 * c
	}
	s.few = s.wino == nil && s.items <= fewPixels
	p.layRuns(s)

	tiles := ceilDiv(s.items, kern.rows)
	blockTiles := max(1, min(int(blockBytes)/max(perItem*kern.rows, 1), most/kern.rows))
	blockTiles = ceilDiv(tiles, ceilDiv(tiles, blockTiles))
	s.blockItems = blockTiles * kern.rows
	s.blocks = ceilDiv(tiles, blockTiles)
	s.groups = 1
	if s.few {
		s.blocks, s.blockItems = 1, roundUp(s.items, kern.rows)
		s.groups = ceilDiv(len(p.panels), fewPanels)
		return
	}
	if s.blocks < fewTasks {
		flops := 2 * s.items * s.volume * p.width
		s.groups = max(1, min(ceilDiv(fewTasks, s.blocks), len(p.panels), flops/s.blocks/taskFlops))
	}
}

// layRuns lists the reduction: for each tap, the channels of its pixel. Neighbouring values are one
// run. The list is cut into chunks of at most maxDepth, or fewDepth.
func (p *product) layRuns(s *sub) {
	most := maxDepth
	if s.few {
		most = fewDepth
	}
	pixel, line := s.layout(&p.in)
	s.runs, s.chunks = s.runs[:0], append(s.chunks[:0], chunk{})
	done, end := 0, -1 // elements so far; end of the last run
	for i := range s.tapsH {
		for j := range s.tapsW {
			off, left := i*line+j*pixel, p.in.c
			for left > 0 {
				last := &s.chunks[len(s.chunks)-1]
				if done-last.at == most {
					s.chunks = append(s.chunks, chunk{from: len(s.runs), to: len(s.runs), at: done})
					last = &s.chunks[len(s.chunks)-1]
				}
				n := min(left, most-(done-last.at))
				if off == end && last.from < len(s.runs) {
					s.runs[len(s.runs)-1][1] += n
				} else {
					s.runs = append(s.runs, run{4 * off, n})
				}
				last.to = len(s.runs)
				off, left, done = off+n, left-n, done+n
				end = off
			}
		}
	}
}

// locate sets outs to the byte offsets of the pixels from…to−1 in a target whose pixels are ld
// apart.
func (s *sub) locate(from, to, ld int, outs []int) {
	if s.outH == s.cols*s.outW && s.outN == s.rows*s.outH { // evenly spaced
		off, step := 4*(s.outOrigin+from*s.outW)*ld, 4*s.outW*ld
		for i := range outs[:to-from] {
			outs[i] = off
			off += step
		}
		return
	}
	image := s.rows * s.cols
	n, row, q := from/image, from%image/s.cols, from%s.cols
	for i := range outs[:to-from] {
		outs[i] = 4 * (s.outOrigin + n*s.outN + row*s.outH + q*s.outW) * ld
		if q++; q == s.cols {
			q = 0
			if row++; row == s.rows {
				row = 0
				n++
			}
		}
	}
}

// setEpilogue lays out scale, shift and floor of the segments' panels.
func (p *product) setEpilogue(segs []Segment) {
	any := false
	for i := range segs {
		any = any || segs[i].Scale != nil || segs[i].Shift != nil || segs[i].ReLU
	}
	if !any {
		return
	}
	p.ep = grow(&p.epMem, 3*p.width)
	for i := range p.panels {
		pa := &p.panels[i]
		s, w := &segs[pa.target], p.e.kern.width[pa.wide]
		ep := p.ep[3*pa.at:]
		for j := range w {
			ep[j], ep[w+j], ep[2*w+j] = 1, 0, float32(math.Inf(-1))
			if s.ReLU {
				ep[2*w+j] = 0
			}
			if k := pa.col + j; k < s.K {
				if s.Scale != nil {
					ep[j] = s.Scale[k]
				}
				if s.Shift != nil {
					ep[w+j] = s.Shift[k]
				}
			}
		}
	}
}
