package exits

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// Guess is a head's guess about an image.
type Guess struct {
	Class      int     // class with the largest probability; the first of equals
	Entropy    float64 // of the probabilities, in nats: -Σ p·ln p, from 0 to ln(classes)
	Confidence float64 // the largest probability
}

// Softmax turns logits into probabilities, in place.
func Softmax(logits []float64) {
	top := math.Inf(-1)
	for _, v := range logits {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range logits {
		logits[i] = math.Exp(v - top)
		sum += logits[i]
	}
	for i := range logits {
		logits[i] /= sum
	}
}

// NewGuess returns the guess for a head's probabilities.
func NewGuess(probabilities []float64) Guess {
	var g Guess
	for i, p := range probabilities {
		if p > g.Confidence {
			g.Class, g.Confidence = i, p
		}
		if p > 0 {
			g.Entropy -= p * math.Log(p)
		}
	}
	if math.IsNaN(probabilities[0]) { // logits that are not finite make all probabilities NaN
		g.Entropy, g.Confidence = math.NaN(), math.NaN()
	}
	g.Entropy = max(g.Entropy, 0)
	return g
}

// Criterion is the way to judge how sure a head is of its guess; one of Criteria.
type Criterion string

// The criteria.
const (
	Entropy    Criterion = "entropy"    // leave below a threshold (Teerapittayanon et al. 2016, algorithm 1), in nats
	Confidence Criterion = "confidence" // leave above a threshold, a probability
)

// criterion describes a criterion.
type criterion struct {
	name Criterion
	// doubt is smaller the surer a head is. An image leaves if its doubt is below sign·threshold.
	doubt func(Guess) float64
	sign  float64
	most  func(classes int) float64 // the maximum threshold
	unit  string
}

var criteria = []criterion{
	{Entropy, func(g Guess) float64 { return g.Entropy }, 1, func(classes int) float64 { return math.Log(float64(classes)) }, "nats, at most the logarithm of the number of classes"},
	{Confidence, func(g Guess) float64 { return -g.Confidence }, -1, func(int) float64 { return 1 }, "a probability"},
}

// Criteria returns the names of the criteria.
func Criteria() []string {
	var names []string
	for _, m := range criteria {
		names = append(names, string(m.name))
	}
	return names
}

func lookupCriterion(name string) (criterion, error) {
	for _, m := range criteria {
		if string(m.name) == name {
			return m, nil
		}
	}
	return criterion{}, &graph.UnknownError{What: "rule of early exits", Name: name, Nearest: graph.Nearest(name, Criteria(), 1)}
}

// Rule says at which exit an image leaves: the first, in order of depth, that is sure enough,
// otherwise the main classifier.
type Rule struct {
	Criterion  Criterion // empty: Entropy
	Thresholds []float64 // one for each exit except the main one, or one for all of them; empty: no image leaves early
}

// String returns the rule in the form that Parse reads.
func (r Rule) String() string {
	var list []string
	for _, t := range r.Thresholds {
		list = append(list, strconv.FormatFloat(t, 'g', -1, 64))
	}
	return string(r.Criterion) + "=" + strings.Join(list, "/")
}

// Check returns an error if the rule does not suit a cascade with the given number of classes: its
// number of thresholds is wrong, or no head can reach a threshold.
func (r Rule) Check(c *Cascade, classes int) error {
	if len(r.Thresholds) == 0 {
		return nil
	}
	m, err := lookupCriterion(string(cmp.Or(r.Criterion, Entropy)))
	if err != nil {
		return err
	}
	if n, exits := len(r.Thresholds), c.Names()[:len(c.Exits)-1]; n != 1 && n != len(exits) {
		return fmt.Errorf("early exit %s: %d thresholds for %d exits (%s): give one for all, or one for each", r, n, len(exits), strings.Join(exits, ", "))
	}
	for _, t := range r.Thresholds {
		if !(t >= 0 && t <= m.most(classes)) {
			return fmt.Errorf("early exit %s: threshold %v is not from 0 to %.4g (%s; there are %d)", r, t, m.most(classes), m.unit, classes)
		}
	}
	return nil
}

// Leaves reports whether an image leaves at an exit other than the main one, counted from 0 in
// order of depth. A guess that is not a number never leaves.
func (r Rule) Leaves(exit int, g Guess) bool {
	if len(r.Thresholds) == 0 {
		return false
	}
	m, err := lookupCriterion(string(cmp.Or(r.Criterion, Entropy)))
	t := r.Thresholds[0]
	if len(r.Thresholds) > 1 {
		t = r.Thresholds[exit]
	}
	return err == nil && m.doubt(g) < m.sign*t
}

// Exit returns the exit at which an image leaves, given the guesses of all exits, the main one
// last.
func (r Rule) Exit(guesses []Guess) int {
	for i, g := range guesses[:len(guesses)-1] {
		if r.Leaves(i, g) {
			return i
		}
	}
	return len(guesses) - 1
}

// Outcome counts images and their results.
type Outcome struct {
	Images  int
	Correct int      // images whose label is the guess of the exit where they left
	Exits   []Counts // in order of depth, the main one last
}

// Counts counts the images that left at one exit.
type Counts struct{ Images, Correct int }

// Add counts an image that left at exit exit of exits.
func (o *Outcome) Add(exit, exits int, hit bool) {
	if o.Exits == nil {
		o.Exits = make([]Counts, exits)
	}
	o.Images++
	o.Exits[exit].Images++
	if hit {
		o.Correct++
		o.Exits[exit].Correct++
	}
}

// Accuracy returns the share of images with a correct guess.
func (o *Outcome) Accuracy() float64 { return float64(o.Correct) / float64(max(1, o.Images)) }

// MACs returns the mean number of multiply-accumulates for an image.
func (o *Outcome) MACs(c *Cascade) float64 {
	sum := 0.0
	for i, e := range o.Exits {
		sum += float64(e.Images) * float64(c.Exits[i].MACs)
	}
	return sum / float64(max(1, o.Images))
}

// Share returns MACs relative to the network without heads. It is above 1 if heads cost more than
// leaving images save.
func (o *Outcome) Share(c *Cascade) float64 { return o.MACs(c) / float64(c.Whole) }
