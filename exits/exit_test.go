package exits

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tributary-ml/tributary/layers/layerstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

func attachAll(t *testing.T, g *graph.Graph, specs ...auxhead.Spec) {
	t.Helper()
	_, err := auxhead.Attach(g, specs, auxhead.Options{Classes: 5})
	require.NoError(t, err)
}

func exits(c *Cascade) (out []string) {
	for _, s := range c.Stages {
		line := s.From + ">" + s.To
		for _, e := range s.Exits {
			line += " " + e
		}
		out = append(out, line)
	}
	return out
}

// Every head's stage ends at the node that the head reads, or at the end of the module that
// contains the tower.
func TestCascadeCuts(t *testing.T) {
	for _, c := range []struct {
		name  string
		heads []string
		exits []string
		want  []string
	}{
		{"modules", []string{"m1", "m3"}, nil, []string{">m1/concat aux1", "m1/concat>m3/concat aux2", "m3/concat> main"}},
		{"a tower", []string{"m2/tower3x3"}, nil, []string{">m2/concat aux1", "m2/concat> main"}},
		{"within a tower", []string{"m2/tower1x1/bn", "m2"}, nil, []string{">m2/concat aux1 aux2", "m2/concat> main"}},
		{"one of two", []string{"m1", "m3"}, []string{"aux2", "main"}, []string{">m3/concat aux2", "m3/concat> main"}},
		{"main alone", []string{"m1"}, []string{auxhead.Main}, []string{"> main"}},
		{"the images", []string{"input"}, nil, []string{">input aux1", "input> main"}},
		{"before the classifier", []string{"avgpool"}, nil, []string{">avgpool aux1", "avgpool> main"}},
		{"within the classifier", []string{"m2", "fc/linear"}, nil, []string{">m2/concat aux1", "m2/concat>fc/linear aux2", "fc/linear> main"}},
	} {
		g := layerstest.Trunk(t, 8)
		for _, at := range c.heads {
			attachAll(t, g, auxhead.Spec{At: at, Kind: "gap"})
		}
		got, err := NewCascade(g, c.exits)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, exits(got), c.name)
		assert.Equal(t, auxhead.Main, got.Names()[len(got.Exits)-1])
		// Every stage is a plan.
		l, err := graph.NewLayout(g)
		require.NoError(t, err)
		for _, s := range got.Stages {
			o := graph.Options{Batch: 2, From: s.From, Losses: s.Exits}
			if s.To != "" {
				o.Keep = []string{s.To}
			}
			_, err := graph.Compile(g, l, o)
			require.NoError(t, err, "%s: %v", c.name, s)
		}
		// An image costs all that its exit's stage and those before it compute, each node once.
		for _, x := range got.Exits {
			var ends []*graph.Node
			for _, s := range got.Stages[:x.Stage+1] {
				for _, name := range s.Exits {
					k := slices.Index(got.Names(), name)
					n, err := g.Find(got.Exits[k].Logits)
					require.NoError(t, err)
					ends = append(ends, n)
				}
				if s.To != "" {
					n, err := g.Find(s.To)
					require.NoError(t, err)
					ends = append(ends, n)
				}
			}
			var want int64
			for n := range graph.Ancestors(ends...) {
				want += n.MACs()
			}
			assert.Equal(t, want, x.MACs, "%s: %s", c.name, x.Name)
		}
	}
}

func TestCascadeCosts(t *testing.T) {
	g := layerstest.Trunk(t, 8)
	attachAll(t, g, auxhead.Spec{At: "m1", Kind: "gap"}, auxhead.Spec{At: "m2/tower1x1", Kind: "gap"})
	c, err := NewCascade(g, nil)
	require.NoError(t, err)
	m1 := int64(64 * (4*3 + 4*9*3)) // 1×1 and 3×3 of 3 channels
	m2 := int64(64 * (4*8 + 4*9*8))
	assert.Equal(t, m1+2*m2+8*5, c.Whole)
	assert.Equal(t, []int64{m1 + 8*5, m1 + 8*5 + m2 + 4*5, c.Whole + 8*5 + 4*5}, []int64{c.Exits[0].MACs, c.Exits[1].MACs, c.Exits[2].MACs})
	assert.Equal(t, []string{"m1", "m2/tower1x1", ""}, []string{c.Exits[0].At, c.Exits[1].At, c.Exits[2].At})
	alone, err := NewCascade(g, []string{auxhead.Main})
	require.NoError(t, err)
	assert.Equal(t, c.Whole, alone.Exits[0].MACs)
}

func TestCascadeErrors(t *testing.T) {
	_, err := NewCascade(layerstest.Trunk(t, 8), nil)
	require.ErrorContains(t, err, "has no heads to leave at")
	g := layerstest.Trunk(t, 8)
	attachAll(t, g, auxhead.Spec{At: "fc/linear", Kind: "gap"})
	_, err = NewCascade(g, nil)
	require.NoError(t, err, "the bias is still to come")
	g = layerstest.Trunk(t, 8)
	attachAll(t, g, auxhead.Spec{At: "fc/bias", Kind: "gap"}, auxhead.Spec{At: "m1", Kind: "gap", Name: "early"})
	_, err = NewCascade(g, []string{"aux1"})
	require.ErrorContains(t, err, "no image can leave trunk early at aux1")
	c, err := NewCascade(g, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"early", auxhead.Main}, c.Names(), "heads that save nothing are left out")
	_, err = NewCascade(g, []string{"aux9"})
	require.ErrorContains(t, err, `unknown head of trunk "aux9"; the nearest: aux1`)

	// The head reads a node before the cut of another head.
	g = layerstest.Trunk(t, 8)
	attachAll(t, g, auxhead.Spec{At: "m1", Kind: "gap"})
	early, _ := g.Find("m1/tower1x1")
	late, _ := g.Find("m2")
	x := g.Concat("wide/concat", early, late)
	g.AddLoss(graph.Loss{Name: "wide", Logits: layers.FC(g, "wide/fc", x, 5, nil, layers.Bias{}), At: "m2"})
	_, err = NewCascade(g, nil)
	require.ErrorContains(t, err, "head wide cannot be an exit behind m1/concat")
}

func TestGuess(t *testing.T) {
	p := []float64{1, 3, 3, -800}
	Softmax(p)
	sum := 0.0
	for _, v := range p {
		sum += v
	}
	assert.InDelta(t, 1, sum, 1e-15)
	assert.InDelta(t, math.Exp(2), p[1]/p[0], 1e-12)
	g := NewGuess(p)
	assert.Equal(t, 1, g.Class, "the first of equals")
	assert.Equal(t, p[1], g.Confidence)
	assert.InDelta(t, math.Log(4), NewGuess([]float64{0.25, 0.25, 0.25, 0.25}).Entropy, 1e-15)
	assert.Equal(t, Guess{2, 0, 1}, NewGuess([]float64{0, 0, 1}))
	bad := []float64{1, math.Inf(1), 0}
	Softmax(bad)
	for _, m := range Criteria() {
		assert.False(t, Rule{Criterion(m), []float64{0}}.Leaves(0, NewGuess(bad)))
	}
}

// three is a cascade of three exits that cost 1, 2 and 5 (4 without heads).
var three = &Cascade{Whole: 4, Exits: []Exit{{Name: "aux1", MACs: 1}, {Name: "aux2", MACs: 2}, {Name: auxhead.Main, MACs: 5}}}

func guess(class int, entropy float64) Guess {
	return Guess{Class: class, Entropy: entropy, Confidence: 1 - entropy/3}
}

func TestRule(t *testing.T) {
	g := []Guess{guess(1, 0.5), guess(2, 0.2), guess(3, 0.9)}
	for _, c := range []struct {
		rule Rule
		want int
	}{
		{Rule{}, 2}, {Rule{Entropy, []float64{0.2}}, 2}, {Rule{Entropy, []float64{0.3}}, 1}, {Rule{Entropy, []float64{0.5}}, 1},
		{Rule{Entropy, []float64{0.6}}, 0}, {Rule{Entropy, []float64{0.6, 0}}, 0}, {Rule{Entropy, []float64{0.1, 0.3}}, 1},
		{Rule{Confidence, []float64{0.9}}, 1}, {Rule{Confidence, []float64{0.8}}, 0}, {Rule{Confidence, []float64{1}}, 2},
	} {
		assert.Equal(t, c.want, c.rule.Exit(g), "%v", c.rule)
	}
	for want, r := range map[string]Rule{
		"3 thresholds for 2 exits (aux1, aux2)":             {Entropy, []float64{0, 0, 0}},
		"threshold 2.5 is not from 0 to 2.303 (nats":        {Entropy, []float64{2.5}},
		"threshold 1.5 is not from 0 to 1 (a probability":   {Confidence, []float64{0.5, 1.5}},
		"threshold NaN is not from":                         {Confidence, []float64{math.NaN()}},
		`unknown rule of early exits "margin"; the nearest`: {"margin", []float64{1}},
	} {
		assert.ErrorContains(t, r.Check(three, 10), want)
	}
	assert.NoError(t, Rule{Entropy, []float64{0.1, 2.3}}.Check(three, 10))
	assert.NoError(t, Rule{}.Check(three, 10))
}

func TestOutcome(t *testing.T) {
	var o Outcome
	o.Add(0, 3, true)
	o.Add(0, 3, false)
	o.Add(2, 3, true)
	o.Add(1, 3, true)
	assert.Equal(t, Outcome{4, 3, []Counts{{2, 1}, {1, 1}, {1, 1}}}, o)
	assert.Equal(t, 0.75, o.Accuracy())
	assert.Equal(t, 9.0/4, o.MACs(three))
	assert.Equal(t, 9.0/16, o.Share(three))
}

// outcome returns the result of a rule on records, one by one.
func outcome(records []Record, r Rule) (o Outcome) {
	o.Exits = make([]Counts, len(three.Exits))
	for _, x := range records {
		at := r.Exit(x.Guesses)
		o.Add(at, len(x.Guesses), x.Guesses[at].Class == x.Label)
	}
	return o
}

// The curve's points are the results of their thresholds, image by image, and no threshold has
// another result. Some entropies are equal, at either end of the range, or not numbers.
func TestCurveIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	const classes = 10
	var records []Record
	for range 200 {
		x := Record{Label: r.IntN(3)}
		for range three.Exits {
			e := r.Float64() * math.Log(classes)
			switch r.IntN(12) {
			case 0:
				e = 1
			case 1:
				e = 0
			case 2:
				e = math.Log(classes)
			case 3:
				e = math.NaN()
			}
			x.Guesses = append(x.Guesses, guess(r.IntN(3), e))
		}
		records = append(records, x)
	}
	for _, m := range criteria {
		points, err := Curve(records, m.name, three, classes)
		require.NoError(t, err)
		require.Greater(t, len(points), 100)
		for i, p := range points {
			rule := Rule{m.name, []float64{p.Threshold}}
			require.NoError(t, rule.Check(three, classes))
			require.Equal(t, outcome(records, rule), p.Outcome, "point %d: %v", i, rule)
			if i > 0 {
				require.Greater(t, m.sign*p.Threshold, m.sign*points[i-1].Threshold)
			}
		}
		for range 200 {
			rule := Rule{m.name, []float64{r.Float64() * m.most(classes)}}
			want := outcome(records, rule)
			require.True(t, func() bool {
				for _, p := range points {
					if assert.ObjectsAreEqual(want, p.Outcome) {
						return true
					}
				}
				return false
			}(), "%v is a point", rule)
		}
	}
	_, err := Curve(nil, Entropy, three, classes)
	require.ErrorContains(t, err, "needs images")
	_, err = Curve([]Record{{Guesses: make([]Guess, 2)}}, Entropy, three, classes)
	require.ErrorContains(t, err, "2 guesses for 3 exits")
}

// The table is small enough to check by hand: of four images two are right early, one is wrong
// early and right late, and one is always wrong.
func TestBest(t *testing.T) {
	records := []Record{
		{1, []Guess{guess(1, 0.1), guess(1, 0.1), guess(1, 0.1)}},
		{2, []Guess{guess(2, 0.3), guess(2, 0.1), guess(2, 0.1)}},
		{3, []Guess{guess(4, 0.5), guess(3, 0.8), guess(3, 0.1)}},
		{0, []Guess{guess(4, 1.2), guess(4, 0.9), guess(4, 0.1)}},
	}
	points, err := Curve(records, Entropy, three, 10)
	require.NoError(t, err)
	assert.Equal(t, []Counts{{0, 0}, {0, 0}, {4, 3}}, points[0].Exits)
	for budget, want := range map[float64]struct {
		hits  int
		exits []Counts
	}{
		1:   {3, []Counts{{2, 2}, {0, 0}, {2, 1}}}, // 12/16, the cheapest with three hits
		0.7: {2, []Counts{{4, 2}, {0, 0}, {0, 0}}}, 0.25: {2, []Counts{{4, 2}, {0, 0}, {0, 0}}},
	} {
		p, err := Best(points, three, budget)
		require.NoError(t, err)
		assert.Equal(t, want.hits, p.Correct, budget)
		assert.Equal(t, want.exits, p.Exits, budget)
		assert.LessOrEqual(t, p.Share(three), budget)
	}
	_, err = Best(points, three, 0.2)
	var small *BudgetError
	require.ErrorAs(t, err, &small)
	assert.Equal(t, BudgetError{0.2, 0.25, "aux1"}, *small)
}

func TestHalves(t *testing.T) {
	for _, n := range []int{1, 2, 7, 1000} {
		a, b := Halves(n)
		assert.Len(t, a, n/2)
		assert.Len(t, b, n-n/2)
		seen := map[int]bool{}
		for _, i := range append(append([]int{}, a...), b...) {
			assert.True(t, i >= 0 && i < n)
			seen[i] = true
		}
		assert.Len(t, seen, n)
		c, d := Halves(n)
		assert.Equal(t, [][]int{a, b}, [][]int{c, d})
	}
	a, _ := Halves(1000)
	odd, low := 0, 0
	for _, i := range a {
		odd += i % 2
		if i < 500 {
			low++
		}
	}
	assert.InDelta(t, 250, odd, 50)
	assert.InDelta(t, 250, low, 50)
}

func TestParseEarlyExit(t *testing.T) {
	for text, want := range map[string]Request{
		"entropy=0.5":           {Rule: Rule{Entropy, []float64{0.5}}},
		"entropy=0.3/0.5":       {Rule: Rule{Entropy, []float64{0.3, 0.5}}},
		"confidence=0.9":        {Rule: Rule{Confidence, []float64{0.9}}},
		"curve":                 {Rule: Rule{Criterion: Entropy}, Curve: true},
		"curve:confidence":      {Rule: Rule{Criterion: Confidence}, Curve: true},
		"budget=0.6":            {Rule: Rule{Criterion: Entropy}, Budget: 0.6},
		"budget=0.6:confidence": {Rule: Rule{Criterion: Confidence}, Budget: 0.6},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		if got.Rule.Thresholds != nil {
			assert.Equal(t, text, got.Rule.String())
		}
	}
	for text, want := range map[string]string{
		"entropi=1":       `early exit "entropi=1": at position 1: unknown rule of early exits "entropi"; the nearest: entropy; there are entropy=T, confidence=T, curve and budget=SHARE`,
		"":                "unknown rule",
		"entropy":         `threshold "" is not a number`,
		"entropy=0.3/x":   `at position 13: threshold "x" is not a number from 0 (nats`,
		"entropy=-1":      `threshold "-1"`,
		"entropy=NaN":     `threshold "NaN"`,
		"entropy=Inf":     `threshold "Inf"`,
		"entropy=1:2":     "at position 10: \":2\" is too much",
		"budget=1.5":      `at position 8: budget "1.5" is not a share`,
		"budget":          `budget "" is not a share`,
		"budget=0.5:gini": `at position 12: unknown rule of early exits "gini"`,
		"curve=3":         "curve takes no value",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
		require.ErrorAs(t, err, new(*auxhead.ParseError))
	}
}

// Spread picks the points that are nearest to equal steps of computation, from the first to the
// last, each once.
func TestSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var records []Record
	for range 60 {
		records = append(records, Record{r.IntN(3), []Guess{guess(r.IntN(3), r.Float64()), guess(r.IntN(3), r.Float64()), guess(r.IntN(3), r.Float64())}})
	}
	points, err := Curve(records, Entropy, three, 10)
	require.NoError(t, err)
	for _, n := range []int{2, 3, 6, 500} {
		picked := Spread(points, three, n)
		var want []Point
		first, last := points[0].MACs(three), points[len(points)-1].MACs(three)
		for i := range n {
			at := first + (last-first)/float64(n-1)*float64(i)
			nearest := slices.MinFunc(points, func(a, b Point) int {
				return cmp.Compare(math.Abs(a.MACs(three)-at), math.Abs(b.MACs(three)-at))
			})
			if len(want) == 0 || nearest.Threshold > want[len(want)-1].Threshold {
				want = append(want, nearest)
			}
		}
		require.Equal(t, want, picked, "%d points", n)
		require.Equal(t, points[0], picked[0])
		require.InDelta(t, last, picked[len(picked)-1].MACs(three), 1e-12)
		require.LessOrEqual(t, len(picked), n)
	}
}
