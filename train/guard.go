package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// DivergedError says that losses or gradients are not finite numbers.
type DivergedError struct {
	Step       int      // updates done before the failed one
	Heads      []string // heads whose loss is not finite; empty if only the gradient is not
	Where      string   // the first number of the step that is not finite, in words; empty if it was not found
	LR         float64
	ClipNorm   float64
	Checkpoint string // the last good checkpoint; empty if there is none yet
	LastStep   int    // the step of Checkpoint
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

// diverged returns the heads whose loss is not finite. bad reports whether any number of the
// metrics is not finite.
func diverged(m *graph.Metrics) (heads []string, bad bool) {
	for _, h := range m.Heads {
		if !finite(h.Loss) {
			heads = append(heads, h.Name)
		}
	}
	return heads, len(heads) > 0 || !finite(m.GradNorm) || !finite(m.Total)
}

// The alarm's thresholds. It watches a moving average over about guardSpan updates, from update
// guardStart on.
const (
	guardSpan   = 50
	guardStart  = 200
	deadLoss    = 0.98 // times ln(classes), the loss of guessing
	learnedLoss = 0.90 // times ln(classes): a head below this has learnt something
)

// deadTrunk raises an alarm if auxiliary heads learn while the main head does not, its loss staying
// at ln(classes).
type deadTrunk struct {
	guess   float64 // ln(classes)
	average []float64
	steps   int
	raised  bool
}

// see takes the losses of an update. It returns an alarm the first time that the trunk looks dead,
// otherwise "".
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
