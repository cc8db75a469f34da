package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
)

// scheduleRule is one course of the learning rate. factor returns the factor of the learning rate
// after t of total epochs, both counted from the end of the warm-up. t grows with every update.
type scheduleRule struct {
	name   string
	params []scheduleParam
	factor func(p []float64, t, total float64) float64
}

type scheduleParam struct {
	name    string
	def     float64
	allowed string
	ok      func(float64) bool
}

var (
	every  = scheduleParam{"EPOCHS", 30, "above 0", func(v float64) bool { return v > 0 }}
	factor = scheduleParam{"FACTOR", 0.1, "above 0 and at most 1", func(v float64) bool { return v > 0 && v <= 1 }}
	power  = scheduleParam{"POWER", 0.5, "above 0", func(v float64) bool { return v > 0 }}
	least  = scheduleParam{"LEAST", 0, "from 0 to 1", func(v float64) bool { return v >= 0 && v <= 1 }}
)

// scheduleRules are the courses:
//
//   - constant: 1.
//   - step: FACTOR^⌊t/EPOCHS⌋, a drop every EPOCHS epochs (Krizhevsky et al. 2012; Caffe's "step").
//   - exponential: FACTOR^(t/EPOCHS), the same without stairs (TensorFlow's exponential_decay;
//     Szegedy et al. 2016, section 8: "decayed every two epochs using an exponential rate of
//     0.94").
//   - poly: (1-t/T)^POWER (Caffe's "poly"; its quick GoogLeNet has POWER 0.5).
//   - cosine: LEAST + (1-LEAST)·(1+cos(π·t/T))/2 (Loshchilov and Hutter 2017, SGDR, equation 5, one
//     period).
var scheduleRules = []scheduleRule{
	{"constant", nil, func(_ []float64, _, _ float64) float64 { return 1 }},
	{"step", []scheduleParam{every, factor}, func(p []float64, t, _ float64) float64 { return math.Pow(p[1], math.Floor(t/p[0])) }},
	{"exponential", []scheduleParam{every, factor}, func(p []float64, t, _ float64) float64 { return math.Pow(p[1], t/p[0]) }},
	{"poly", []scheduleParam{power}, func(p []float64, t, total float64) float64 { return math.Pow(max(0, 1-t/total), p[0]) }},
	{"cosine", []scheduleParam{least}, func(p []float64, t, total float64) float64 {
		return p[0] + (1-p[0])*(1+math.Cos(math.Pi*min(1, t/total)))/2
	}},
}

// ScheduleNames returns the names of the courses of the learning rate.
func ScheduleNames() []string {
	var names []string
	for _, r := range scheduleRules {
		names = append(names, r.name)
	}
	return names
}

// scheduleHelp returns all courses with their parameters.
func scheduleHelp() string {
	var all []string
	for _, r := range scheduleRules {
		s := r.name
		for _, p := range r.params {
			s += "[:" + p.name
		}
		all = append(all, s+strings.Repeat("]", len(r.params)))
	}
	return strings.Join(all, ", ")
}

// Schedule is a course of the learning rate with its parameters.
type Schedule struct {
	rule   scheduleRule
	params []float64
}

// ParseSchedule reads NAME or NAME:PARAMETER:…, such as "cosine", "step:30:0.1" or "poly:0.5".
func ParseSchedule(spec string) (Schedule, error) {
	name, rest, more := strings.Cut(spec, ":")
	for _, r := range scheduleRules {
		if r.name != name {
			continue
		}
		s := Schedule{rule: r}
		for _, p := range r.params {
			s.params = append(s.params, p.def)
		}
		for i := 0; more; i++ {
			var field string
			field, rest, more = strings.Cut(rest, ":")
			if i >= len(r.params) {
				return Schedule{}, fmt.Errorf("%q has too many parameters: there are %s", spec, scheduleHelp())
			}
			v, err := strconv.ParseFloat(field, 64)
			if err != nil || !finite(v) || !r.params[i].ok(v) {
				return Schedule{}, fmt.Errorf("%q: %s is %q; it must be a number %s", spec, r.params[i].name, field, r.params[i].allowed)
			}
			s.params[i] = v
		}
		return s, nil
	}
	return Schedule{}, &graph.UnknownError{What: "schedule", Name: name, Nearest: graph.Nearest(name, ScheduleNames(), 2)}
}

// rate computes the learning rate of every update: the base rate times the schedule's factor. A
// linear warm-up (Goyal et al. 2017, section 2.2) precedes it and reaches the base rate at its last
// update.
type rate struct {
	base     float64
	schedule Schedule
	warmup   int // updates
	perEpoch int // updates
	total    int // updates
}

func newRate(c *Config, perEpoch int) (rate, error) {
	s, err := ParseSchedule(c.Schedule)
	if err != nil {
		return rate{}, fmt.Errorf("schedule: %w", err)
	}
	return rate{c.LR.Or(0), s, int(math.Round(c.Warmup * float64(perEpoch))), perEpoch, c.Epochs * perEpoch}, nil
}

// extension describes what another number of epochs changes in a run that has begun.
func (c *Config) extension(longer *Config) string {
	const points = 8 // updates in an epoch, enough to compare the courses
	var courses []string
	a, errA := newRate(c, points)
	b, errB := newRate(longer, points)
	heads, errHeads := auxhead.ParseSchedule(c.HeadSchedule)
	if errA != nil || errB != nil || errHeads != nil { // Check returns these errors
		return ""
	}
	var rates, weights bool
	for step := range points * min(c.Epochs, longer.Epochs) {
		rates = rates || a.at(step) != b.at(step)
		epoch := float64(step) / points
		weights = weights || heads.At(epoch, float64(c.Epochs)) != heads.At(epoch, float64(longer.Epochs))
	}
	if rates {
		courses = append(courses, "the learning rate ("+c.Schedule+")")
	}
	if weights {
		courses = append(courses, "the heads' weights ("+c.HeadSchedule+")")
	}
	s := fmt.Sprintf("%d epochs instead of %d: ", longer.Epochs, c.Epochs)
	if courses == nil {
		return s + "the run is the same as one of so many epochs from its start"
	}
	return s + fmt.Sprintf("from here on, the course of %s is that of a run of %d epochs; up to here it was that of %d, so this run is not the same as one of %d from its start",
		strings.Join(courses, " and of "), longer.Epochs, c.Epochs, longer.Epochs)
}

// at returns the learning rate of an update, counted from 0.
func (r rate) at(step int) float64 {
	if step < r.warmup {
		return r.base * float64(step+1) / float64(r.warmup)
	}
	epochs := func(n int) float64 { return float64(n) / float64(r.perEpoch) }
	return r.base * r.schedule.rule.factor(r.schedule.params, epochs(step-r.warmup), epochs(r.total-r.warmup))
}
