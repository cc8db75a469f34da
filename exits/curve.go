package exits

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// Record has the label of an image and the guesses of all exits of a cascade, in order of depth,
// the main one last.
type Record struct {
	Label   int
	Guesses []Guess
}

// Point is the result of one threshold for all exits.
type Point struct {
	Threshold float64
	Outcome
}

// Curve returns accuracy against computation on some images, over the thresholds of one criterion.
// It is exact: every set of images that some threshold lets leave is a point, from no image to all,
// with the threshold in the middle of those that give this set. Its cost is that of sorting images
// times exits.
//
// As the threshold lets more images leave, an image moves from one exit to an earlier one when the
// threshold passes its doubt there. So the points are running sums over these moves.
func Curve(records []Record, of Criterion, c *Cascade, classes int) ([]Point, error) {
	m, err := lookupCriterion(string(of))
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("a curve of early exits needs images")
	}
	type move struct {
		doubt            float64
		from, to         int
		hitFrom, hitThen bool
	}
	last := len(c.Exits) - 1
	now := Outcome{Exits: make([]Counts, len(c.Exits))}
	var moves []move
	for _, r := range records {
		if len(r.Guesses) != len(c.Exits) {
			return nil, fmt.Errorf("a record has %d guesses for %d exits", len(r.Guesses), len(c.Exits))
		}
		hit := func(exit int) bool { return r.Guesses[exit].Class == r.Label }
		now.Add(last, len(c.Exits), hit(last))
		// Go through the earlier exits, the surest first: the image leaves at the first one whose
		// doubt is below the threshold.
		at := last
		for _, exit := range byDoubt(r.Guesses[:last], m) {
			if exit < at {
				moves = append(moves, move{m.doubt(r.Guesses[exit]), at, exit, hit(at), hit(exit)})
				at = exit
			}
		}
	}
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(a.doubt, b.doubt) })
	count := func(exit, n int, hit bool) {
		now.Exits[exit].Images += n
		if hit {
			now.Exits[exit].Correct += n
			now.Correct += n
		}
	}
	// Doubts range from the surest to the least sure: entropy from 0 to its maximum, confidence
	// from -1 to 0.
	surest, least := 0.0, m.most(classes)
	if m.sign < 0 {
		surest, least = -m.most(classes), 0
	}
	points := []Point{{Threshold: m.sign * surest, Outcome: now.clone()}}
	for i := 0; i < len(moves); {
		doubt := moves[i].doubt
		for ; i < len(moves) && moves[i].doubt == doubt; i++ {
			count(moves[i].from, -1, moves[i].hitFrom)
			count(moves[i].to, 1, moves[i].hitThen)
		}
		next := least
		if i < len(moves) {
			next = moves[i].doubt
		}
		t := doubt + (next-doubt)/2
		if t <= doubt { // no number lies between the two; an image whose doubt equals the threshold stays
			t = next
		}
		if t > doubt && t <= least { // otherwise no valid threshold is that high
			points = append(points, Point{m.sign * t, now.clone()})
		}
	}
	return points, nil
}

// byDoubt returns the exits in order of doubt, the surest first and the deeper of equals first. It
// leaves out guesses that are not numbers.
func byDoubt(guesses []Guess, m criterion) []int {
	var order []int
	for i := len(guesses) - 1; i >= 0; i-- {
		if !math.IsNaN(m.doubt(guesses[i])) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(m.doubt(guesses[a]), m.doubt(guesses[b])) })
	return order
}

func (o Outcome) clone() Outcome {
	o.Exits = slices.Clone(o.Exits)
	return o
}

// Spread returns up to n points at equal distances of computation.
func Spread(points []Point, c *Cascade, n int) []Point {
	high, low := points[0].MACs(c), points[len(points)-1].MACs(c)
	var out []Point
	last := -1
	for i := range n {
		want := high + (low-high)*float64(i)/float64(n-1)
		best := 0
		for j := range points {
			if math.Abs(points[j].MACs(c)-want) < math.Abs(points[best].MACs(c)-want) {
				best = j
			}
		}
		if best > last {
			out, last = append(out, points[best]), best
		}
	}
	return out
}

// BudgetError says that a budget is below the cost of the first exit.
type BudgetError struct {
	Budget, Least float64 // shares of the network's multiply-accumulates
	Exit          string
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("early exit: a budget of %.4g of the network's computation is too small: even if every image leaves at %s, that takes %.4g; give at least that, or put a head on an earlier module",
		e.Budget, e.Exit, e.Least)
}

// Best returns the point of the highest accuracy whose mean computation is at most the share budget
// of the computation of the network without heads. Of points with equal accuracy it returns the
// cheapest. If there is no such point, the error is a *BudgetError.
func Best(points []Point, c *Cascade, budget float64) (Point, error) {
	best := -1
	for i := range points {
		p := &points[i]
		if p.Share(c) > budget {
			continue
		}
		if best < 0 || p.Correct > points[best].Correct || p.Correct == points[best].Correct && p.MACs(c) < points[best].MACs(c) {
			best = i
		}
	}
	if best < 0 {
		least := slices.MinFunc(points, func(a, b Point) int { return cmp.Compare(a.MACs(c), b.MACs(c)) })
		return Point{}, &BudgetError{budget, least.Share(c), c.Exits[0].Name}
	}
	return points[best], nil
}

// Halves splits n images at random into two halves, always the same for the same n: one to choose a
// threshold on, the other to measure it on. If n is odd, the second half has one more. Each half is
// sorted.
func Halves(n int) (choose, measure []int) {
	r := graph.NewRandom(0, "early exit halves")
	order := make([]int, n)
	for i := range order {
		j := int(uint64(r.Uint32()) * uint64(i+1) >> 32) // Fisher and Yates, inside out
		order[i] = order[j]
		order[j] = i
	}
	choose, measure = order[:n/2], order[n/2:]
	slices.Sort(choose)
	slices.Sort(measure)
	return choose, measure
}
