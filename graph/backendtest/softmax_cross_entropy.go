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

// divergence is KL(softmax(u/t) ‖ softmax(v/t)).
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

// hits counts the rows whose label is among the k largest logits, ties to the lower class.
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
