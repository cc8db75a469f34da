package backendtest

import (
	"math"

	"github.com/tributary-ml/tributary/graph"
)

func (r *reference) loss(l *graph.Loss) float64 {
	x := r.values[l.Logits]
	k := l.Logits.Shape().C
	sum, rows := 0.0, 0
	for i, label := range r.labels {
		if label == graph.IgnoreLabel {
			continue
		}
		rows++
		row := x[i*k:][:k]
		z := 0.0
		for _, v := range row {
			z += math.Exp(v)
		}
		share := 0.0
		if r.training {
			share = l.Distill
		}
		for c, v := range row {
			target := l.Smoothing / float64(k)
			if c == int(label) {
				target += 1 - l.Smoothing
			}
			sum -= (1 - share) * target * (v - math.Log(z))
		}
		if share > 0 {
			teacher := r.teacher
			if teacher == nil {
				teacher = r.values[r.g.MainLoss().Logits]
			}
			sum += share * l.Temperature * l.Temperature * divergence(teacher[i*k:][:k], row, l.Temperature)
		}
	}
	return sum / float64(max(rows, 1))
}

// lossGradient adds the gradient of weight·loss to the gradient of the logits. The teacher is a
// constant.
func (r *reference) lossGradient(d []float64, l *graph.Loss, weight float64) {
	k, rows, share := l.Logits.Shape().C, 0, 0.0
	for _, label := range r.labels {
		if label != graph.IgnoreLabel {
			rows++
		}
	}
	if r.training {
		share = l.Distill
	}
	for i, label := range r.labels {
		if label == graph.IgnoreLabel {
			continue
		}
		row := r.values[l.Logits][i*k:][:k]
		p := softmax(row, 1)
		for c := range row {
			target := l.Smoothing / float64(k)
			if c == int(label) {
				target += 1 - l.Smoothing
			}
			d[i*k+c] += weight / float64(rows) * (1 - share) * (p[c] - target)
		}
		if share > 0 {
			teacher := r.teacher
			if teacher == nil {
				teacher = r.values[r.g.MainLoss().Logits]
			}
			p, q := softmax(row, l.Temperature), softmax(teacher[i*k:][:k], l.Temperature)
			for c := range row {
				d[i*k+c] += weight / float64(rows) * share * l.Temperature * (p[c] - q[c])
			}
		}
	}
}

func softmax(v []float64, temperature float64) []float64 {
	out, sum := make([]float64, len(v)), 0.0
	for c, x := range v {
		out[c] = math.Exp(x / temperature)
		sum += out[c]
	}
	for c := range out {
		out[c] /= sum
	}
	return out
}

// divergence returns KL(softmax(u/t) ‖ softmax(v/t)).
func divergence(u, v []float64, t float64) (kl float64) {
	var zu, zv float64
	for c := range u {
		zu += math.Exp(u[c] / t)
		zv += math.Exp(v[c] / t)
	}
	for c := range u {
		q := math.Exp(u[c]/t) / zu
		kl += q * (u[c]/t - math.Log(zu) - v[c]/t + math.Log(zv))
	}
	return kl
}

// hits returns the number of rows whose label is among the k largest logits; ties go to the lower
// class.
func (r *reference) hits(l *graph.Loss, k int) int {
	x, classes, hits := r.values[l.Logits], l.Logits.Shape().C, 0
	for i, label := range r.labels {
		if label == graph.IgnoreLabel {
			continue
		}
		rank := 0
		for c, v := range x[i*classes:][:classes] {
			if w := x[i*classes+int(label)]; v > w || v == w && c < int(label) {
				rank++
			}
		}
		if rank < k {
			hits++
		}
	}
	return hits
}
