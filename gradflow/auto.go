package gradflow

import "slices"

// What a run for Choose is like: a light head on every module, so many updates, and as many measurements as make a mean of them.
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

// Choose scores the places of heads by the gradient flow of a short run with a head on each of them, best first, and picks at most n.
//
// A head is worth having where it sends to the layers below it what the main head sends as well, and more of it. So its score is
// the part of its gradient that lies along the main head's, relative to the main head's own: cosine·|g|/|g_main|, the median over
// the layers that both reach, and the mean over the measurements. Places with a score of zero or less are left out, and so are
// those next to a better one: neighbours say the same. places has the head's place for each name in Flow.Heads.
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
