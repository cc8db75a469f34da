package backendtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
)

// faulty is a backend with a fault: it changes the plans that it runs, or the results of its
// probes.
type faulty struct {
	graph.Backend
	spoil  func(*graph.Plan)
	change func(*graph.ProbeResult)
}

type faultyProgram struct {
	graph.Program
	change func(*graph.ProbeResult)
}

func (b faulty) Load(p *graph.Plan, s graph.State) (graph.Program, error) {
	if b.spoil != nil {
		b.spoil(p)
	}
	pr, err := b.Backend.Load(p, s)
	return &faultyProgram{pr, b.change}, err
}

func (p *faultyProgram) ProbeResults() ([]graph.ProbeResult, error) {
	results, err := p.Program.ProbeResults()
	for i := range results {
		if p.change != nil {
			p.change(&results[i])
		}
	}
	return results, err
}

// firstStep spoils the first step of a kind for which spoil returns true.
func firstStep[S graph.Step](spoil func(S) bool) func(*graph.Plan) {
	return func(p *graph.Plan) {
		for _, s := range p.Steps {
			if x, ok := s.(S); ok && spoil(x) {
				return
			}
		}
	}
}

// The checks of probes find faults in every precision. A fault of the plan is in the model too; a
// fault of the backend is not.
func TestProbesFindPlantedFaults(t *testing.T) {
	at := func(p graph.Probe, change func(*graph.ProbeResult)) func(*graph.ProbeResult) {
		return func(r *graph.ProbeResult) {
			if r.Probe == p {
				change(r)
			}
		}
	}
	times := func(factor float64) func(*graph.ProbeResult) {
		return func(r *graph.ProbeResult) {
			for c := range r.Squares {
				r.Squares[c] *= factor
			}
		}
	}
	turn := func(v []float64) []float64 { return append(v[1:], v[0]) }
	mixed, tower := graph.Probe{Node: "mixed1", Gradient: true}, graph.Probe{Node: "mixed1/tower3x3"}
	faults := map[string]faulty{
		"squares times 7":             {change: at(mixed, times(7))},
		"squares that are half":       {change: at(tower, times(0.5))},
		"squares of the next channel": {change: at(mixed, func(r *graph.ProbeResult) { r.Squares = turn(r.Squares) })},
		"zeros of the next channel":   {change: at(tower, func(r *graph.ProbeResult) { r.Zeros = turn(r.Zeros) })},
		"no zeros":                    {change: at(tower, func(r *graph.ProbeResult) { clear(r.Zeros) })},
		"no zeros of a gradient":      {change: at(graph.Probe{Node: "stem/bn", Gradient: true}, func(r *graph.ProbeResult) { clear(r.Zeros) })},
		"values above zero for those below": {change: at(mixed, func(r *graph.ProbeResult) {
			for c, z := range r.Zeros {
				r.Zeros[c] = float64(r.Rows) - z
			}
		})},
		"rows of one image":                     {change: at(mixed, func(r *graph.ProbeResult) { r.Rows /= 2 })},
		"a data gradient that is not added":     {spoil: firstStep(func(s *graph.ConvBackwardData) bool { return off(&s.Accumulate) })},
		"a head's gradient that is not added":   {spoil: firstStep(func(s *graph.AvgPoolBackward) bool { return off(&s.Accumulate) })},
		"a ReLU that a normalisation has not":   {spoil: firstStep(func(s *graph.BatchNormForward) bool { return off(&s.ReLU) })},
		"a slice of a concatenation beside one": {spoil: firstStep(func(s *graph.ProbeStep) bool { return s.Probe == tower && move(&s.X) })},
		"a gradient that others still add to": {spoil: func(p *graph.Plan) { // the probe comes before the last step that writes its operand
			at := slices.IndexFunc(p.Steps, func(s graph.Step) bool { x, ok := s.(*graph.ProbeStep); return ok && x.Probe == mixed })
			for i := at - 1; i >= 0; i-- {
				writes := false
				p.Steps[i].Views(func(v graph.View, a graph.Access) {
					writes = writes || a&graph.Write != 0 && v.Buffer == p.Steps[at].(*graph.ProbeStep).X.Buffer
				})
				p.Steps[i], p.Steps[i+1] = p.Steps[i+1], p.Steps[i]
				if writes {
					return
				}
			}
		}},
	}
	for _, precision := range []graph.Precision{graph.FP64, graph.FP32, graph.TF32, graph.BF16} {
		t.Run(string(precision), func(t *testing.T) {
			rounds := precision == graph.TF32 || precision == graph.BF16
			wrong := func(fault faulty) []error {
				s := &suite{bounds: tolerance[precision], seed: 1}
				for _, b := range []*graph.Backend{&s.b, &s.model} {
					if b == &s.model && !rounds {
						continue
					}
					exact, err := cpu.New(cpu.Options{Precision: precision, Debug: cpu.Debug{Poison: true}})
					require.NoError(t, err)
					*b = faulty{exact, fault.spoil, fault.change}
					if b == &s.model {
						*b = faulty{Backend: exact, spoil: fault.spoil}
					}
				}
				return s.wrongProbes(t)
			}
			require.Empty(t, wrong(faulty{}))
			for name, fault := range faults {
				t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { require.NotEmpty(t, wrong(fault)) })
			}
		})
	}
}

// move moves a view of a slice by one channel.
func move(v *graph.View) bool {
	if v.Stride == v.Shape.C {
		return false
	}
	v.Offset++
	return true
}
