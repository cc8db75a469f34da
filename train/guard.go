package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// DivergedError says that losses or gradients are no longer numbers.
type DivergedError struct {
	Step       int      // updates done before
	Heads      []string // whose loss is not finite; none if it is the gradient alone
	Where      string   // the first number of the step that was not finite, in words; empty if that was not found
	LR         float64
	ClipNorm   float64
	Checkpoint string // the last good one; empty if there is none yet
	LastStep   int    // its step
}

func (e *DivergedError) Error() string {
	var s strings.Builder
	what := "the gradient"
	if len(e.Heads) > 0 {
		what = "the loss of " + strings.Join(e.Heads, ", ")
	}
	fmt.Fprintf(&s, "step %d: %s is not a finite number: training has diverged. ", e.Step, what)
	if e.Where != "" {
		fmt.Fprintf(&s, "The first such number is in %s. ", e.Where)
	}
	fmt.Fprintf(&s, "Lower the learning rate (--lr %.3g)", e.LR/4)
	if e.ClipNorm == 0 {
		s.WriteString(", limit the gradient (--clip-norm 2)")
	} else {
		fmt.Fprintf(&s, ", lower --clip-norm %v", e.ClipNorm)
	}
	s.WriteString(" or warm up longer (--warmup)")
	if e.Checkpoint != "" {
		fmt.Fprintf(&s, ". The checkpoint %s of step %d is intact", e.Checkpoint, e.LastStep)
	}
	return s.String()
}

// diverged lists the heads whose loss is not finite, and says whether anything in the metrics is not.
func diverged(m *graph.Metrics) (heads []string, bad bool) {
	for _, h := range m.Heads {
		if !finite(h.Loss) {
			heads = append(heads, h.Name)
		}
	}
	return heads, len(heads) > 0 || !finite(m.GradNorm) || !finite(m.Total)
}

// The alarm's thresholds: a moving average over about guardSpan updates, looked at after guardStart of them.
const (
	guardSpan   = 50
	guardStart  = 200
	deadLoss    = 0.98 // of ln(classes): what guessing scores
	learnedLoss = 0.90 // of ln(classes): a head below that has learnt something
)

// deadTrunk watches for a main head that learns nothing while auxiliary heads do: the main loss stays at ln(classes).
type deadTrunk struct {
	guess   float64 // ln(classes)
	average []float64
	steps   int
	raised  bool
}

// see takes an update's losses, and returns an alarm the first time that the trunk looks dead.
func (d *deadTrunk) see(r Result) string {
	if d.average == nil {
		d.average = make([]float64, len(r.Heads))
		for i, h := range r.Heads {
			d.average[i] = h.Loss
		}
	}
	for i, h := range r.Heads {
		d.average[i] += (h.Loss - d.average[i]) / guardSpan
	}
	d.steps++
	if d.steps < guardStart || len(d.average) < 2 {
		return ""
	}
	if d.average[0] < learnedLoss*d.guess {
		d.raised = false
	}
	if d.raised || d.average[0] < deadLoss*d.guess {
		return ""
	}
	best := 1
	for i := range d.average[1:] {
		if d.average[i+1] < d.average[best] {
			best = i + 1
		}
	}
	if d.average[best] > learnedLoss*d.guess {
		return ""
	}
	d.raised = true
	return fmt.Sprintf("the main head learns nothing while %s does: its loss is %.3f, guessing among %.0f classes scores %.3f, and %s is at %.3f. "+
		"The trunk behind %s may be dead: lower the learning rate, or the heads' weights",
		r.Heads[best].Name, d.average[0], math.Exp(d.guess), d.guess, r.Heads[best].Name, d.average[best], r.Heads[best].Name)
}
