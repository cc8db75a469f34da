package parity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
)

func fixtures(t *testing.T) []*Fixture {
	paths, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var out []*Fixture
	for _, p := range paths {
		f, err := ReadFixture(p)
		require.NoError(t, err)
		out = append(out, f)
	}
	return out
}

func write(t *testing.T, h hash.Hash, data any) {
	require.NoError(t, binary.Write(h, binary.LittleEndian, data))
}

// Weights and images equal those of common.py bit for bit, and Tributary has every gradient that
// PyTorch has.
func TestGenerateAgreesWithPython(t *testing.T) {
	for _, f := range fixtures(t) {
		m, err := inception.Build(f.Network, inception.Config{Height: f.Size, Width: f.Size})
		require.NoError(t, err)
		names, err := interop.NewNames(m.Graph)
		require.NoError(t, err)
		all := names.All()
		slices.SortFunc(all, func(a, b interop.Name) int { return strings.Compare(a.File, b.File) })
		h := sha256.New()
		trained := 0
		for _, n := range all {
			write(t, h, Generate(n.File, n.Shape()).Data)
			if !n.Param.IsStatistic() {
				trained++
				assert.Contains(t, f.Gradients, n.File)
			} else {
				assert.Contains(t, f.Statistics, n.File)
			}
		}
		assert.Equal(t, f.WeightsSHA256, hex.EncodeToString(h.Sum(nil)), f.Network)
		assert.Len(t, f.Gradients, trained)

		b, err := Batch(f.Batch, f.Size, m.Config.Classes)
		require.NoError(t, err)
		assert.Equal(t, f.Labels, b.Labels)
		h = sha256.New()
		for _, x := range b.Tensors() {
			write(t, h, x.Data)
		}
		assert.Equal(t, f.BatchSHA256, hex.EncodeToString(h.Sum(nil)), f.Network)

		layout, err := graph.NewLayout(m.Graph)
		require.NoError(t, err)
		plan, err := graph.Compile(m.Graph, layout, f.Options(graph.Target{Fusions: graph.AllFusions}))
		require.NoError(t, err)
		w := f.weights(plan)
		assert.Equal(t, 1.0, w[0])
		assert.Len(t, w, len(f.HeadWeights)+1)
	}
}

// The estimate of an error is near the error, and the samples alone find an error in their element.
func TestDigestErrorEstimates(t *testing.T) {
	const n = 5000
	ref, r := make([]float64, n), graph.NewRandom(7, "ref")
	for i := range ref {
		ref[i] = r.Normal()
	}
	norm := func(v []float64) float64 {
		var s float64
		for _, x := range v {
			s += x * x
		}
		return math.Sqrt(s)
	}
	d := Digest{Norm: norm(ref), Projections: project("x", ref, 16), Samples: [][2]float64{{3, ref[3]}}}
	e, err := d.Error(interop.Tensor{Name: "x", Data: ref})
	require.NoError(t, err)
	assert.Less(t, e, 1e-13)
	for _, scale := range []float64{1e-9, 1e-6, 1e-2} {
		for range 20 {
			bad, diff := slices.Clone(ref), make([]float64, n)
			for i := range bad {
				bad[i] += scale * r.Normal()
				diff[i] = bad[i] - ref[i]
			}
			e, err := d.Error(interop.Tensor{Name: "x", Data: bad})
			require.NoError(t, err)
			assert.InDelta(t, 1, e/(norm(diff)/d.Norm), 0.6)
		}
	}
	_, err = d.Error(interop.Tensor{Name: "x", Data: []float32{1}})
	assert.ErrorContains(t, err, "has 1 elements, the fixture's has one at 3")
	_, err = d.Error(interop.Tensor{Name: "x", Data: []int64{1}})
	assert.ErrorContains(t, err, "not floats")
}

func TestReportChecks(t *testing.T) {
	f := &Fixture{Network: "n"}
	f.Float32.Worst, f.Float32.Median = 1e-3, 1e-4
	ok := Report{Fixture: f, Precision: graph.FP32, Losses: []Deviation{{"loss.main", 9e-5}},
		Gradients: []Deviation{{"a", 2.9e-3}, {"b", 2e-4}, {"c", 1e-5}}}
	assert.NoError(t, ok.Check())
	for name, spoil := range map[string]func(*Report){
		"loss.main: error 0.0002 is above 0.0001": func(r *Report) { r.Losses = []Deviation{{"loss.main", 2e-4}} },
		"a: error NaN":                          func(r *Report) { r.Gradients = []Deviation{{"b", 1}, {"a", math.NaN()}, {"c", 2}} },
		"median gradient: error 0.00021":        func(r *Report) { r.Gradients = []Deviation{{"b", 2.1e-4}} },
		"b: error 0.0002 is above 1e-07":        func(r *Report) { r.Precision = graph.FP64 },
		"loss.main: error 9e-05 is above 1e-10": func(r *Report) { r.Precision = graph.FP64 },
	} {
		r := ok
		spoil(&r)
		assert.ErrorContains(t, r.Check(), name)
	}
}

func TestReadFixtureRefuses(t *testing.T) {
	_, err := ReadFixture("testdata/none.json")
	assert.ErrorContains(t, err, "none.json")
	_, err = ReadFixture("parity_test.go")
	assert.ErrorContains(t, err, "make it again")
}
