package cpu

import (
	"fmt"

	"github.com/tributary-ml/tributary/augment"
	"github.com/tributary-ml/tributary/cpu/internal/par"
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// binder turns the steps of a plan into functions over memory.
type binder[T vec.Float] struct {
	program *program[T]
	state   *state[T]
	plan    *graph.Plan
	values  []T
	pool    *par.Pool
}

// step binds one step. What it returns writes only what the step declares.
func (b *binder[T]) step(s graph.Step) (func(*run), error) {
	switch s := s.(type) {
	case *graph.NormalizeStep:
		return b.normalize(s), nil
	case *graph.AugmentStep:
		return b.augment(s), nil
	case *graph.Convert:
		x, y := b.mat(s.X), b.mat(s.Y)
		return b.overRows(x, func(lo, hi int) { vec.Copy(y.RowRange(lo, hi), x.RowRange(lo, hi)) }), nil
	case *graph.ConvForward:
		return b.convForward(s), nil
	case *graph.ConvBackwardData:
		return b.convBackwardData(s), nil
	case *graph.ConvBackwardFilter:
		return b.convBackwardFilter(s), nil
	case *graph.Affine:
		return b.affine(s), nil
	case *graph.BiasBackward:
		return b.biasBackward(s), nil
	case *graph.BatchNormForward:
		return b.batchNormForward(s), nil
	case *graph.BatchNormBackward:
		return b.batchNormBackward(s), nil
	case *graph.BatchNormFold:
		return b.batchNormFold(s), nil
	case *graph.ReLUForward:
		x, y := b.mat(s.X), b.mat(s.Y)
		return b.overRows(x, func(lo, hi int) { vec.ReLU(y.RowRange(lo, hi), x.RowRange(lo, hi)) }), nil
	case *graph.ReLUBackward:
		y, dy, dx := b.mat(s.Y), b.mat(s.DY), b.mat(s.DX)
		return b.overRows(dy, func(lo, hi int) {
			vec.ReLUBackward(dx.RowRange(lo, hi), dy.RowRange(lo, hi), y.RowRange(lo, hi), s.Accumulate)
		}), nil
	case *graph.MaxPoolForward:
		return b.maxPoolForward(s), nil
	case *graph.MaxPoolBackward:
		return b.maxPoolBackward(s), nil
	case *graph.AvgPoolForward:
		return b.avgPool(s.X, s.Y, poolAxes(s.Window, s.X.Shape, s.Y.Shape, s.IncludePad)), nil
	case *graph.AvgPoolBackward:
		return b.avgPoolBackward(s.DY, s.DX, poolAxes(s.Window, s.DX.Shape, s.DY.Shape, s.IncludePad), s.Accumulate), nil
	case *graph.AdaptiveAvgPoolForward:
		return b.avgPool(s.X, s.Y, adaptiveAxes(s.X.Shape, s.Y.Shape)), nil
	case *graph.AdaptiveAvgPoolBackward:
		return b.avgPoolBackward(s.DY, s.DX, adaptiveAxes(s.DX.Shape, s.DY.Shape), s.Accumulate), nil
	case *graph.LRNForward:
		return b.lrnForward(s), nil
	case *graph.LRNBackward:
		return b.lrnBackward(s), nil
	case *graph.Copy:
		x, y := b.mat(s.X), b.mat(s.Y)
		return b.overRows(x, func(lo, hi int) { scaled(y.RowRange(lo, hi), x.RowRange(lo, hi), 1, s.Accumulate) }), nil
	case *graph.AddForward:
		return b.addForward(s), nil
	case *graph.AddBackward:
		return b.addBackward(s), nil
	case *graph.ScaleStep:
		x, y := b.mat(s.X), b.mat(s.Y)
		return b.overRows(x, func(lo, hi int) { scaled(y.RowRange(lo, hi), x.RowRange(lo, hi), T(s.Factor), s.Accumulate) }), nil
	case *graph.DropoutStep:
		return b.dropout(s), nil
	case *graph.ProbeStep:
		return b.probe(s), nil
	case *graph.SoftmaxCrossEntropy:
		return b.loss(s), nil
	case *graph.UpdateStep:
		return b.update(s), nil
	}
	return nil, fmt.Errorf("the CPU backend has no step of this kind")
}

// mat is the matrix of a float view: one row for each pixel.
func (b *binder[T]) mat(v graph.View) vec.Mat[T] {
	if v.Buffer.External {
		return vec.Dense(b.program.images(), v.Rows(), v.Shape.C)
	}
	if v.Buffer.Elem == graph.BFloat16 {
		return matOf(b.state.scratch.halves, v)
	}
	return matOf(b.state.scratch.floats, v)
}

func (b *binder[T]) bytes(v graph.View) vec.Mat[uint8] { return matOf(b.state.scratch.bytes, v) }

func matOf[E any](arena []E, v graph.View) vec.Mat[E] {
	m := vec.Mat[E]{Data: arena[v.Buffer.Offset+v.Offset:], Rows: v.Rows(), Cols: v.Shape.C, Stride: v.Stride}
	m.Data = m.Data[: (m.Rows-1)*m.Stride+m.Cols : (m.Rows-1)*m.Stride+m.Cols]
	return m
}

// vector is a view of one row.
func (b *binder[T]) vector(v graph.View) []T {
	if !v.Valid() {
		return nil
	}
	return b.mat(v).Row(0)
}

func (b *binder[T]) doubles(v graph.View) []float64 {
	if !v.Valid() {
		return nil
	}
	return matOf(b.state.scratch.doubles, v).Row(0)
}

// param is a parameter's values; nil for no parameter.
func (b *binder[T]) param(p *graph.Param) []T {
	if p == nil {
		return nil
	}
	return b.values[b.state.layout.Offset(p):][:p.Elements():p.Elements()]
}

// gradient is a parameter's gradient; nil for no parameter and for one that is not trained.
func (b *binder[T]) gradient(p *graph.Param) []T {
	if p == nil || !b.state.layout.IsTrained(p) {
		return nil
	}
	return b.state.gradients[b.state.layout.Offset(p):][:p.Elements():p.Elements()]
}

// overRows runs f over the rows of a matrix, in parallel, in pieces whose size depends on the shape alone.
func (b *binder[T]) overRows(m vec.Mat[T], f func(lo, hi int)) func(*run) {
	return func(*run) { b.parallelRows(m.Rows, m.Cols, f) }
}

// overRowsWith is overRows with memory for a copy of the rows at hand, which is the worker's own.
func (b *binder[T]) overRowsWith(m vec.Mat[T], f func(lo, hi int, own vec.Mat[T])) func(*run) {
	own := make([][]T, b.pool.Workers())
	for i := range own {
		own[i] = make([]T, min(m.Rows, pieceRows(m.Cols))*m.Cols)
	}
	return func(*run) {
		b.parallelPieces(m.Rows, m.Cols, func(lo, hi, worker int) {
			f(lo, hi, vec.Dense(own[worker][:(hi-lo)*m.Cols], hi-lo, m.Cols))
		})
	}
}

const pieceElements = 1 << 15

// pieceRows is how many rows a worker takes at a time.
func pieceRows(cols int) int { return max(1, pieceElements/cols) }

func (b *binder[T]) parallelRows(rows, cols int, f func(lo, hi int)) {
	b.parallelPieces(rows, cols, func(lo, hi, _ int) { f(lo, hi) })
}

func (b *binder[T]) parallelPieces(rows, cols int, f func(lo, hi, worker int)) {
	piece := pieceRows(cols)
	b.pool.Run((rows+piece-1)/piece, func(task, worker int) {
		f(task*piece, min(rows, (task+1)*piece), worker)
	})
}

// reduceRows sums a function of row ranges into k float64 totals, in two stages: pieces in parallel, then the pieces in order.
func (b *binder[T]) reduceRows(rows, cols, k int, partial *[]float64, f func(lo, hi int, sums []float64)) []float64 {
	const pieces = 16
	piece := max((rows+pieces-1)/pieces, pieceRows(4*cols))
	n := (rows + piece - 1) / piece
	if len(*partial) < n*k {
		*partial = make([]float64, n*k)
	}
	buf := (*partial)[:n*k]
	clear(buf)
	b.pool.Run(n, func(task, _ int) {
		f(task*piece, min(rows, (task+1)*piece), buf[task*k:][:k])
	})
	for i := 1; i < n; i++ {
		for j, v := range buf[i*k:][:k] {
			buf[j] += v
		}
	}
	return buf[:k]
}

func (b *binder[T]) normalize(s *graph.NormalizeStep) func(*run) {
	f := b.normalizer(s.Normalization, b.mat(s.Y))
	rows := s.Y.Rows()
	return func(r *run) {
		b.parallelRows(rows, s.Y.Shape.C, func(lo, hi int) { f(r.feed.Pixels, lo, hi) })
	}
}

// normalizer returns what normalises rows [lo,hi) of pixels without gaps.
func (b *binder[T]) normalizer(z graph.Normalization, y vec.Mat[T]) func(pixels []byte, lo, hi int) {
	scale, shift := make([]T, y.Cols), make([]T, y.Cols)
	for c := range scale {
		scale[c] = T(1 / (255 * float64(z.Std[c])))
		shift[c] = T(-float64(z.Mean[c]) / float64(z.Std[c]))
	}
	return func(pixels []byte, lo, hi int) {
		vec.Normalize(y.Data[lo*y.Cols:], pixels[lo*y.Cols:], hi-lo, y.Cols, scale, shift)
	}
}

// augment makes images in parallel.
func (b *binder[T]) augment(s *graph.AugmentStep) func(*run) {
	f, pixels, in := b.normalizer(s.Normalization, b.mat(s.Y)), b.bytes(s.Pixels).Data, s.Y.Shape
	resamplers := make([]augment.Resampler, b.pool.Workers())
	return func(r *run) {
		b.pool.Run(s.Y.N, func(i, worker int) {
			n := in.Elements()
			resamplers[worker].Render(pixels[i*n:][:n], in.H, in.W, in.C, &r.feed.Recipes[i], r.feed.Regions)
			f(pixels, i*in.Pixels(), (i+1)*in.Pixels())
		})
	}
}

// scaled writes or adds factor·x.
func scaled[T vec.Float](y, x vec.Mat[T], factor T, accumulate bool) {
	switch {
	case accumulate && factor == 1:
		vec.Add(y, x)
	case accumulate:
		vec.Axpy(y, x, factor)
	case factor == 1:
		vec.Copy(y, x)
	default:
		vec.Scale(y, x, factor)
	}
}

func (b *binder[T]) addForward(s *graph.AddForward) func(*run) {
	y := b.mat(s.Y)
	var xs []vec.Mat[T]
	for _, a := range s.Xs {
		xs = append(xs, b.mat(a.X))
	}
	return b.overRows(y, func(lo, hi int) {
		to := y.RowRange(lo, hi)
		for i, a := range s.Xs {
			scaled(to, xs[i].RowRange(lo, hi), T(a.Factor), i > 0)
		}
		if s.ReLU {
			vec.ReLU(to, to)
		}
	})
}

// addBackward masks dy in place where one of the targets is dy, which gets its factor last, and else in memory of its own.
func (b *binder[T]) addBackward(s *graph.AddBackward) func(*run) {
	dy := b.mat(s.DY)
	var y vec.Mat[T]
	if s.Y.Valid() {
		y = b.mat(s.Y)
	}
	var dxs []vec.Mat[T]
	inPlace := -1
	for i, t := range s.Targets {
		dxs = append(dxs, b.mat(t.DX))
		if t.DX == s.DY {
			inPlace = i
		}
	}
	backward := func(lo, hi int, g vec.Mat[T]) {
		if s.Y.Valid() {
			vec.ReLUBackward(g, dy.RowRange(lo, hi), y.RowRange(lo, hi), false)
		}
		for i, t := range s.Targets {
			if i != inPlace {
				scaled(dxs[i].RowRange(lo, hi), g, T(t.Factor), t.Accumulate)
			}
		}
		if inPlace >= 0 && s.Targets[inPlace].Factor != 1 {
			vec.Scale(g, g, T(s.Targets[inPlace].Factor))
		}
	}
	if s.Y.Valid() && inPlace < 0 {
		return b.overRowsWith(dy, backward)
	}
	return b.overRows(dy, func(lo, hi int) { backward(lo, hi, dy.RowRange(lo, hi)) })
}

func (b *binder[T]) dropout(s *graph.DropoutStep) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	return func(r *run) {
		m := vec.Mask{P: s.P, Key: graph.StreamKey(r.feed.Seed, s.Key), Step: r.feed.Step}
		b.parallelRows(x.Rows, x.Cols, func(lo, hi int) {
			vec.Dropout(m, y.RowRange(lo, hi), x.RowRange(lo, hi), lo, s.Accumulate)
		})
	}
}

func (b *binder[T]) probe(s *graph.ProbeStep) func(*run) {
	x, y := b.mat(s.X), b.doubles(s.Y)
	c := x.Cols
	var partial []float64
	return func(*run) {
		copy(y, b.reduceRows(x.Rows, c, 2*c, &partial, func(lo, hi int, sums []float64) {
			vec.Probe(x.RowRange(lo, hi), sums[:c], sums[c:])
		}))
	}
}

func (b *binder[T]) affine(s *graph.Affine) func(*run) {
	x, y := b.mat(s.X), b.mat(s.Y)
	scale, shift := b.vector(s.Scale), b.vector(s.Shift)
	if shift == nil {
		shift = b.param(s.Bias)
	}
	return b.overRows(x, func(lo, hi int) {
		vec.ScaleShift(y.RowRange(lo, hi), x.RowRange(lo, hi), scale, shift, s.ReLU)
	})
}

func (b *binder[T]) biasBackward(s *graph.BiasBackward) func(*run) {
	dy, db := b.mat(s.DY), b.gradient(s.Bias)
	var partial []float64
	return func(r *run) {
		sums := b.reduceRows(dy.Rows, dy.Cols, dy.Cols, &partial, func(lo, hi int, sums []float64) {
			vec.ColumnSum(dy.RowRange(lo, hi), sums)
		})
		storeSums(db, sums, s.Accumulate || r.feed.Accumulate)
	}
}

// storeSums writes or adds float64 sums to a gradient.
func storeSums[T vec.Float](dst []T, sums []float64, accumulate bool) {
	for i, v := range sums {
		if accumulate {
			v += float64(dst[i])
		}
		dst[i] = T(v)
	}
}

func (b *binder[T]) loss(s *graph.SoftmaxCrossEntropy) func(*run) {
	type head struct {
		graph.LossHead
		logits, dlogits, teacher vec.Mat[T]
	}
	var heads []head
	for _, h := range s.Heads {
		x := head{LossHead: h, logits: b.mat(h.Logits)}
		if h.DLogits.Valid() {
			x.dlogits = b.mat(h.DLogits)
		}
		if h.Teacher.Valid() {
			x.teacher = b.mat(h.Teacher)
		}
		heads = append(heads, x)
	}
	return func(r *run) {
		rows := 0
		for _, l := range r.feed.Labels {
			if l != graph.IgnoreLabel {
				rows++
			}
		}
		r.metrics.Rows = rows
		scale := 1.0
		if r.feed.GradScale != 0 {
			scale = r.feed.GradScale
		}
		n := float64(max(rows, 1))
		b.pool.Run(len(heads), func(i, _ int) {
			h := heads[i]
			w := r.feed.Weight(b.plan, h.Index)
			st := vec.SoftmaxCrossEntropy(vec.CrossEntropy{Ignore: graph.IgnoreLabel, Smoothing: h.Smoothing, GradScale: scale * w / n,
				Distill: h.Distill, Temperature: h.Temperature}, h.dlogits, h.logits, h.teacher, r.feed.Labels)
			r.metrics.Heads[h.Index] = graph.HeadMetrics{Name: h.Name, Weight: w, Loss: st.Loss / n, Correct1: st.Correct1, Correct5: st.Correct5}
		})
		r.metrics.Total = 0
		for _, h := range r.metrics.Heads {
			if h.Name != "" {
				r.metrics.Total += h.Weight * h.Loss
			}
		}
	}
}

// images is the float input of a plan without normalisation.
func (p *program[T]) images() []T {
	n := p.plan.Images.Elements()
	return p.state.scratch.images[:n:n]
}
