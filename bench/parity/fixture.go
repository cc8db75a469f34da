package parity

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/interop"
)

// Digest is a fixture's summary of a tensor of PyTorch's float64 results.
type Digest struct {
	Norm        float64      `json:"norm"` // L2
	Sum         float64      `json:"sum"`
	Projections []float64    `json:"projections"` // dot products with vectors of random signs
	Samples     [][2]float64 `json:"samples"`     // index and value of elements
	// Float32 is the relative L2 error of PyTorch's own float32 result, over the whole tensor. Only
	// gradients have it.
	Float32 float64 `json:"float32"`
}

// Fixture is one training step of a network as PyTorch computes it in float64.
type Fixture struct {
	Network       string             `json:"network"`
	Size          int                `json:"size"` // height and width of the images
	Batch         int                `json:"batch"`
	MadeWith      string             `json:"made_with"`
	WeightsSHA256 string             `json:"weights_sha256"` // of all generated values, by name
	BatchSHA256   string             `json:"batch_sha256"`   // of the images and labels
	Labels        []int32            `json:"labels"`
	HeadWeights   map[string]float64 `json:"head_weights"`
	Losses        map[string]float64 `json:"losses"` // of each head, and "total"
	Float32       struct {           // PyTorch's own float32 results against its float64 results
		Losses        map[string]float64 `json:"losses"` // relative
		Worst, Median float64            // relative L2 error of a gradient
	} `json:"float32"`
	Logits     map[string]Digest `json:"logits"`     // by head
	Gradients  map[string]Digest `json:"gradients"`  // by name in files
	Statistics map[string]Digest `json:"statistics"` // running statistics after the step, by name in files
}

// ReadFixture reads a fixture that make_fixture.py wrote.
func ReadFixture(path string) (*Fixture, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &Fixture{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("fixture %s: %w; make it again with make_fixture.py", path, err)
	}
	if f.Network == "" || len(f.Gradients) == 0 || len(f.Losses) == 0 {
		return nil, fmt.Errorf("fixture %s has no gradients or losses; make it again with make_fixture.py", path)
	}
	return f, nil
}

// Error estimates the relative L2 error of a tensor with digest d. For the error e = t - reference
// and vectors r of independent random signs, E[(r·e)²] = |e|². So the root of the mean of (r·t -
// r·reference)² over all projections estimates |e|. The relative standard deviation of the estimate
// is 1/sqrt(2·projections) (18 % for 16), and the probability that the estimate is below a third of
// |e| is under 1e-5. Error also compares the stored elements, which give a lower bound.
func (d Digest) Error(t interop.Tensor) (float64, error) {
	v, err := doubles(t)
	if err != nil {
		return 0, err
	}
	if len(d.Projections) == 0 {
		return 0, fmt.Errorf("tensor %s: the fixture has no projections", t.Name)
	}
	var sum float64
	for i, p := range project(t.Name, v, len(d.Projections)) {
		sum += (p - d.Projections[i]) * (p - d.Projections[i])
	}
	e := math.Sqrt(sum / float64(len(d.Projections)))
	for _, s := range d.Samples {
		i := int(s[0])
		if i < 0 || i >= len(v) {
			return 0, fmt.Errorf("tensor %s has %d elements, the fixture's has one at %d", t.Name, len(v), i)
		}
		e = math.Max(e, math.Abs(v[i]-s[1]))
	}
	if d.Norm > 0 {
		e /= d.Norm
	}
	return e, nil
}

// project returns dot products of v with vectors of random signs. Bit j of word i of the stream
// (seedProjection, name) is set if element i counts negative in projection j.
func project(name string, v []float64, count int) []float64 {
	r := graph.NewRandom(seedProjection, name)
	out := make([]float64, count)
	for _, x := range v {
		w := r.Uint32()
		for j := range out {
			out[j] += math.Float64frombits(math.Float64bits(x) ^ uint64(w>>j)<<63)
		}
	}
	return out
}

func doubles(t interop.Tensor) ([]float64, error) {
	switch d := t.Data.(type) {
	case []float64:
		return d, nil
	case []float32:
		out := make([]float64, len(d))
		for i, x := range d {
			out[i] = float64(x)
		}
		return out, nil
	}
	return nil, fmt.Errorf("tensor %s has elements of type %T, not floats", t.Name, t.Data)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}
