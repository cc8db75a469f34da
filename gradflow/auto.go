package gradflow

import "slices"

// The run for Choose has a light head on every module, AutoUpdates updates, and enough measurements
// for a mean.
const (
	AutoSpecs        = "every:1:0.3:gap"
	AutoUpdates      = 40
	AutoMeasurements = 10
	AutoHeads        = 2
)

// Choice is a place for a head, and its score.
type Choice struct {
	At    string
	Score float64
}

// Choose scores the places of heads by the gradient flow of a short run with a head on each place.
// It returns all choices, the best first, and picks at most n.
//
// A head is useful if it sends to the layers below it what the main head also sends, and more of
// it. So its score is the part of its gradient along the main head's, relative to the main head's
// own: cosine·|g|/|g_main|, as the median over the layers that both reach and the mean over the
// measurements. Places with a score of zero or less are not picked, nor are those next to a better
// one, because neighbours have the same effect. places maps each name in Flow.Heads to the head's
// place.
func Choose(flows []*Flow, places map[string]string, n int) (picked, all []Choice) {
	if len(flows) == 0 {
		return nil, nil
	}
	order := map[string]int{} // of places, by depth
	for h, name := range flows[0].Heads {
		if h == 0 {
			continue
		}
		score := 0.0
		for _, f := range flows {
			var along []float64
			for _, l := range f.Layers {
				if l.Gradient[0] > 0 && l.Gradient[h] > 0 {
					along = append(along, l.Cosine[h-1]*l.Gradient[h]/l.Gradient[0])
				}
			}
			if len(along) > 0 {
				score += Median(along) / float64(len(flows))
			}
		}
		order[places[name]] = h
		all = append(all, Choice{places[name], score})
	}
	slices.SortStableFunc(all, func(a, b Choice) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	for _, c := range all {
		near := slices.ContainsFunc(picked, func(p Choice) bool { d := order[p.At] - order[c.At]; return d*d <= 1 })
		if len(picked) < n && c.Score > 0 && !near {
			picked = append(picked, c)
		}
	}
	slices.SortFunc(picked, func(a, b Choice) int { return order[a.At] - order[b.At] })
	return picked, all
}
