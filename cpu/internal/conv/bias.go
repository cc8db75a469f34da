package conv

// biasRows is the number of pixels that are summed in float32 before they are added to the float64
// sum.
const biasRows = 32

// bias computes DBias = (or +=) ΣdY over pixels. The pixels are cut into chunks. Each chunk has its
// own float64 sums, which are added in order.
type bias struct {
	e           *Engine
	segs        []Segment
	pixels      int
	chunks      int
	chunkPixels int
	width       int       // filters of all segments
	sums        []float64 // by chunk and filter
	runTask     func(task, worker int)
}

func (b *bias) bind(e *Engine) {
	b.e = e
	b.runTask = b.run
}

func (b *bias) compute(g Geometry, segs []Segment, accumulate bool) {
	b.segs, b.pixels, b.width = segs, g.pixels(), 0
	for i := range segs {
		b.width += segs[i].K
	}
	b.chunks = max(1, min(maxChunks, b.pixels/chunkPixels))
	b.chunkPixels = ceilDiv(b.pixels, b.chunks)
	clear(grow(&b.sums, b.chunks*b.width))
	b.e.pool.Run(b.chunks, b.runTask)
	at := 0
	for i := range segs {
		for k := range segs[i].DBias {
			var sum float64
			for c := range b.chunks {
				sum += b.sums[c*b.width+at+k]
			}
			if accumulate {
				sum += float64(segs[i].DBias[k])
			}
			segs[i].DBias[k] = float32(sum)
		}
		at += segs[i].K
	}
	b.segs = nil
}

// run is a task: it sums one chunk of pixels.
func (b *bias) run(chunk, _ int) {
	kern := b.e.kern
	from, to := chunk*b.chunkPixels, min(b.pixels, (chunk+1)*b.chunkPixels)
	sums := b.sums[chunk*b.width:][:b.width]
	for i := range b.segs {
		s := &b.segs[i]
		for first := from; s.DBias != nil && first < to; first += biasRows {
			n := min(biasRows, to-first)
			k := 0
			for ; k+kern.lanes <= s.K; k += kern.lanes {
				kern.colSum(&s.Y[first*s.LdY+k], s.LdY, n, &sums[k])
			}
			for ; k < s.K; k++ {
				colSumGo(&s.Y[first*s.LdY+k], s.LdY, n, &sums[k])
			}
		}
		sums = sums[s.K:]
	}
}
