package gradflow

import (
	"fmt"
	"slices"
)

// Alarm is something about the heads' gradient flow that a user should know, with a remedy.
type Alarm struct {
	Kind    string // head_vanishing, head_dominating, head_fights, head_idle, dead_relus
	Where   string // the head, or the rectifier
	Message string
}

// The thresholds of Watch. Ratios and cosines are medians over the layers that a head shares with
// the main one. A single cosine, from few images, is noise, so the mean over the last measurements
// counts.
const (
	vanishing  = 1e-3 // of the main head's gradient
	dominating = 10.0
	fighting   = -0.2 // mean cosine over suspicion or more measurements, up to patience, below which a head fights
	idle       = 0.02 // mean cosine over patience measurements below which a head does not help
	suspicion  = 3
	patience   = 10
	deadShare  = 0.5 // of a rectifier's channels
)

// Watch examines the measurements of a run, one after another. It raises each alarm once, until the
// alarm's cause has passed.
type Watch struct {
	// Warmup is a number of updates. Before them heads are expected to be larger than the main one,
	// whose gradient vanishes, and to have learnt nothing that they could agree about. So no head
	// is said to dominate, fight or be idle.
	Warmup int
	raised map[[2]string]bool
	angles map[string][]float64 // the last median cosines of each head
}

// See takes a measurement and returns the new alarms.
func (w *Watch) See(f *Flow) []Alarm {
	if w.raised == nil {
		w.raised, w.angles = map[[2]string]bool{}, map[string][]float64{}
	}
	var all []Alarm
	raise := func(on bool, kind, where, format string, args ...any) {
		key := [2]string{kind, where}
		if on && !w.raised[key] {
			all = append(all, Alarm{kind, where, fmt.Sprintf(format, args...)})
		}
		w.raised[key] = on
	}
	for h, name := range f.Heads {
		if h == 0 {
			continue
		}
		ratio, cosine, layers := f.shared(h)
		if layers == 0 || f.Weights[h] == 0 {
			continue
		}
		raise(ratio < vanishing, "head_vanishing", name,
			"head %s sends %.2g times the main head's gradient to the %d layers that they share (median): it does nothing there. Raise its weight (now %.3g), "+
				"or attach it lower down", name, ratio, layers, f.Weights[h])
		warm := f.Step >= w.Warmup
		raise(warm && ratio > dominating, "head_dominating", name,
			"head %s sends %.1f times the main head's gradient to the %d layers that they share (median): it trains them for itself. Lower its weight "+
				"(now %.3g), or let it end early (--head-schedule cosine:0.5)", name, ratio, layers, f.Weights[h])
		angles := w.angles[name]
		if warm {
			angles = append(angles, cosine)
		}
		angles = angles[max(0, len(angles)-patience):]
		w.angles[name] = angles
		mean := sum(angles) / float64(max(1, len(angles)))
		raise(len(angles) >= suspicion && mean < fighting, "head_fights", name,
			"the gradient of head %s points against the main head's (cosine %.2f, median of %d shared layers, mean of %d measurements): what it gains, "+
				"the main head loses. Lower its weight (now %.3g), or attach it higher up", name, mean, layers, len(angles), f.Weights[h])
		raise(len(angles) >= patience && mean >= fighting && mean < idle, "head_idle", name,
			"head %s does not help any more: over the last %d measurements its gradient had nothing in common with the main head's (cosine %.2f on the mean). "+
				"It may end (--head-schedule until:EPOCH), and saves its cost", name, patience, mean)
	}
	for _, r := range f.ReLUs {
		raise(float64(r.Dead) > deadShare*float64(r.Channels), "dead_relus", r.Name,
			"%d of %d channels of %s are zero for every image: they learn nothing any more. Lower the learning rate or warm up longer, or start "+
				"again from another seed", r.Dead, r.Channels, r.Name)
	}
	return all
}

// shared returns the median ratio of a head's gradient to the main head's, and their median cosine,
// over the layers that both reach.
func (f *Flow) shared(h int) (ratio, cosine float64, layers int) {
	var ratios, cosines []float64
	for _, l := range f.Layers {
		if l.Gradient[0] > 0 && l.Gradient[h] > 0 {
			ratios = append(ratios, l.Gradient[h]/l.Gradient[0])
			cosines = append(cosines, l.Cosine[h-1]) // the pairs of the main head come first
		}
	}
	if len(ratios) == 0 {
		return 0, 0, 0
	}
	return Median(ratios), Median(cosines), len(ratios)
}

// Median returns the middle of some numbers, or the upper of two middle ones. It sorts them.
func Median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
