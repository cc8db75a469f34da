package vec

import "math"

// CrossEntropy is the loss of one head: softmax and cross entropy against integer labels, as
// PyTorch's CrossEntropyLoss.
type CrossEntropy struct {
	Ignore    int32   // rows with this label do not count
	Smoothing float64 // ε: the target is 1-ε at the label plus ε/K everywhere
	GradScale float64 // factor of dlogits: the head's weight divided by the number of rows of the whole batch that count

	Distill, Temperature float64 // share λ of the loss for a teacher, and temperature of the teacher
}

// LossStats is the result of SoftmaxCrossEntropy. The loss is neither weighted nor averaged: the
// caller does both.
type LossStats struct {
	Loss               float64 // Σ of the rows' losses
	Correct1, Correct5 int     // rows whose label is among the 1 or 5 highest logits
	Counted            int     // rows that are not ignored
	Invalid            int     // rows whose label is no class; they count as ignored
}

// SoftmaxCrossEntropy computes for every row, with K logits l, label k and the target t[c] =
// (1-ε)·[c=k] + ε/K,
//
//	loss = log Σ exp(l[c]) - Σ t[c]·l[c]
//	dlogits[c] = GradScale·(softmax(l)[c] - t[c]), 0 in ignored rows
//
// in float64, relative to the maximum of the row. With the logits u of a teacher, q = softmax(u/T)
// and p = softmax(l/T), it computes
//
//	(1-λ)·loss + λ·T²·Σ q·log(q/p),  dlogits[c] = GradScale·((1-λ)·(softmax(l)[c] - t[c]) + λ·T·(p[c] - q[c]))
//
// The rank of a label is the number of classes with a greater logit, or with an equal logit and a
// lower number. NaN is greater than everything and never a hit. dlogits may be logits. If
// dlogits.Data is nil, only the statistics are computed.
func SoftmaxCrossEntropy[T Float](o CrossEntropy, dlogits, logits, teacher Mat[T], labels []int32) LossStats {
	logits.require(len(labels), logits.Cols)
	if dlogits.Data != nil {
		dlogits.require(logits.Rows, logits.Cols)
	}
	var stats LossStats
	for i, label := range labels {
		var d []T
		if dlogits.Data != nil {
			d = dlogits.Row(i)
		}
		if label == o.Ignore || label < 0 || int(label) >= logits.Cols {
			if label != o.Ignore {
				stats.Invalid++
			}
			clear(d)
			continue
		}
		l := logits.Row(i)
		stats.Counted++
		r := rank(l, int(label))
		stats.Correct1 += bit(r < 1)
		stats.Correct5 += bit(r < 5)
		if teacher.Data == nil {
			stats.Loss += crossEntropyRow(o, d, l, int(label))
			continue
		}
		p, q := softened(l, o.Temperature), softened(teacher.Row(i), o.Temperature)
		loss := (1 - o.Distill) * crossEntropyRow(o, d, l, int(label))
		for c := range p {
			if q[c] > 0 {
				loss += o.Distill * o.Temperature * o.Temperature * q[c] * math.Log(q[c]/p[c])
			}
			if d != nil {
				d[c] = T((1-o.Distill)*float64(d[c]) + o.GradScale*o.Distill*o.Temperature*(p[c]-q[c]))
			}
		}
		stats.Loss += loss
	}
	return stats
}

// softened returns softmax(l/temperature).
func softened[T Float](l []T, temperature float64) []float64 {
	top := math.Inf(-1)
	for _, v := range l {
		top = max(top, float64(v))
	}
	p, sum := make([]float64, len(l)), 0.0
	for c, v := range l {
		p[c] = math.Exp((float64(v) - top) / temperature)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}

// rank returns the number of classes that come before label. A NaN label comes after everything.
func rank[T Float](l []T, label int) int {
	n := 0
	for c, v := range l {
		if v > l[label] || v == l[label] && c < label || v != v {
			n++
		}
	}
	if l[label] != l[label] {
		return len(l)
	}
	return n
}

// crossEntropyRow returns the loss of one row and writes its gradient to d unless d is nil. d may
// be l.
func crossEntropyRow[T Float](o CrossEntropy, d, l []T, label int) float64 {
	top := math.Inf(-1)
	for _, v := range l {
		top = max(top, float64(v)) // NaN if any v is
	}
	on, off := 1-o.Smoothing, o.Smoothing/float64(len(l))
	loss := -on * (float64(l[label]) - top)
	sum := 0.0
	for c, v := range l {
		z := float64(v) - top
		if off != 0 {
			loss -= off * z
		}
		e := math.Exp(z)
		sum += e
		if d != nil {
			d[c] = T(e)
		}
	}
	for c, e := range d {
		t := off
		if c == label {
			t += on
		}
		d[c] = T(o.GradScale * (float64(e)/sum - t))
	}
	return loss + math.Log(sum)
}
