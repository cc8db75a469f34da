package interop

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
)

// LoadFirst is Load for a network that is to be trained further. It also accepts a file of a
// network with other classes, of a backbone without the classifier, or for images with another
// number of channels, grey or colour. Classifiers that the file lacks, or that have other classes,
// are left out of the values; the first convolution is fitted. The notes mention all this, and any
// unwrapped names.
func LoadFirst(f *File, g *graph.Graph) (Values, []string, error) {
	notes, err := f.Unwrap()
	if err != nil {
		return nil, nil, err
	}
	names, err := NewNames(g)
	if err != nil {
		return nil, nil, err
	}
	l := loader{f: f, names: names, anew: map[*graph.Param]bool{}, first: FirstConvolution(g)}
	for i, loss := range g.Losses() {
		missing, other, classes := true, []string(nil), 0
		params := classifier(loss.Logits)
		for _, p := range params {
			name, _ := names.Of(p)
			info, err := f.Info(name.File)
			if err != nil {
				continue
			}
			missing = false
			if want := name.Shape(); len(info.Shape) == len(want) && info.Shape[0] != want[0] && slices.Equal(info.Shape[1:], want[1:]) {
				other, classes = append(other, p.Name), info.Shape[0]
				l.anew[p] = true
			}
		}
		switch {
		case other != nil && len(other) == len(params):
			notes = append(notes, fmt.Sprintf("%s of %s tells %d classes apart, the data have %d: drawn anew are %s", loss.Name, f.Path, classes, loss.Logits.Shape().C, strings.Join(other, ", ")))
		case missing && i == 0:
			for _, p := range params {
				l.anew[p] = true
			}
			notes = append(notes, fmt.Sprintf("%s has no classifier: it is a backbone, and the classifier is drawn anew", f.Path))
		}
	}
	if l.first != nil {
		name, _ := names.Of(l.first)
		if info, err := f.Info(name.File); err == nil && len(info.Shape) == 4 && info.Shape[1] != name.Shape()[1] {
			notes = append(notes, channelNote(f.Path, name.File, info.Shape[1], name.Shape()[1]))
		}
	}
	v, more, err := load(l, g)
	return v, append(notes, more...), err
}

// classifier returns the parameters of a head's last layer, which has one output for each class.
func classifier(logits *graph.Node) (out []*graph.Param) {
	for n := logits; ; n = n.Inputs()[0] {
		for _, p := range n.Params() {
			out = append(out, p)
			if p.Role == graph.Weight {
				return out
			}
		}
		if len(n.Inputs()) == 0 {
			return out
		}
	}
}

// FirstConvolution returns the filters that read the images; nil if there are none or several.
func FirstConvolution(g *graph.Graph) *graph.Param {
	var first *graph.Param
	for _, n := range g.Nodes() {
		if _, ok := n.Op().(graph.Conv); !ok || n.Inputs()[0] != g.InputNode() {
			continue
		}
		if first != nil {
			return nil
		}
		first = n.Params()[0]
	}
	return first
}

func channelNote(path, name string, from, to int) string {
	how := "summed over the channels"
	if from < to {
		how = fmt.Sprintf("repeated for the channels, each divided by %d", to)
	}
	return fmt.Sprintf("%s in %s reads %d channels, the images have %d: its filters are %s", name, path, from, to, how)
}

// ofChannels fits filters (K, C, R, S) to images of c channels. Filters of colour images are summed
// for grey ones, as in timm. Filters of grey images are repeated with a third of their values, so
// that a grey image in three channels gives the same result.
func ofChannels(t Tensor, c int) Tensor {
	if len(t.Shape) != 4 || t.Shape[1] == c || t.Shape[1] != 1 && c != 1 {
		return t
	}
	switch v := t.Data.(type) {
	case []float32:
		t.Data = fitted(v, t.Shape, c)
	case []float64:
		t.Data = fitted(v, t.Shape, c)
	}
	t.Shape = []int{t.Shape[0], c, t.Shape[2], t.Shape[3]}
	return t
}

func fitted[T float](in []T, shape []int, c int) []T {
	from, area := shape[1], shape[2]*shape[3]
	out := make([]T, shape[0]*c*area)
	for k := range shape[0] {
		for i := range area {
			var sum float64
			for j := range from {
				sum += float64(in[(k*from+j)*area+i])
			}
			for j := range c {
				out[(k*c+j)*area+i] = T(sum / float64(c))
			}
		}
	}
	return out
}

// FitChannels fits the first convolution's filters, in the parameter's dimensions (K, R, S, C), in
// the way of LoadFirst, and returns a note about it. It returns nil if the filters cannot be fitted
// or need not be.
func FitChannels(path string, p *graph.Param, v *tensor.Dense) (*tensor.Dense, string) {
	s, d := []int(v.Shape()), p.Dims
	if len(s) != 4 || !slices.Equal(s[:3], d[:3]) || s[3] == d[3] || s[3] != 1 && d[3] != 1 {
		return nil, ""
	}
	data, err := values(v)
	if err != nil {
		return nil, ""
	}
	shape := []int{s[0] * s[1] * s[2], s[3], 1, 1}
	switch x := data.(type) {
	case []float32:
		v = tensor.New(tensor.WithShape(d...), tensor.WithBacking(fitted(x, shape, d[3])))
	case []float64:
		v = tensor.New(tensor.WithShape(d...), tensor.WithBacking(fitted(x, shape, d[3])))
	}
	return v, channelNote(path, p.Name, s[3], d[3])
}

// usable returns an error if values would make a network compute nonsense.
func usable(role graph.Role, t Tensor) error {
	bad := func(i int, v float64) error {
		return fmt.Errorf("tensor %s: element %d is %v: the file is damaged, or training had diverged", t.Name, i, v)
	}
	switch x := t.Data.(type) {
	case []float32:
		for i, v := range x {
			if w := float64(v); math.IsNaN(w) || math.IsInf(w, 0) || role == graph.RunningVar && v < 0 {
				return bad(i, w)
			}
		}
	case []float64:
		for i, v := range x {
			if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 || role == graph.RunningVar && v < 0 {
				return bad(i, v)
			}
		}
	}
	return nil
}
