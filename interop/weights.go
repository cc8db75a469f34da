package interop

import (
	"errors"
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/plain"
)

// Values are the values of parameters, in the parameters' dimensions.
type Values map[*graph.Param]*tensor.Dense

// Load reads the weights of a graph from a file. Its notes say what it ignored.
//
// Every parameter must be in the file, in the right shape, and the file must have no other tensors.
// There are two exceptions, which only cause a note. The file may have heads that the graph does
// not have; a head's tensors begin with aux or AuxLogits, or with a prefix that the file's metadata
// list under "heads". And the graph may have heads of which the file has no tensors; they keep
// their values. num_batches_tracked is ignored without a note. Values must be finite. The error
// lists every missing tensor, every unexpected one and every wrong shape.
func Load(f *File, g *graph.Graph) (v Values, notes []string, err error) {
	names, err := NewNames(g)
	if err != nil {
		return nil, nil, err
	}
	return load(loader{f: f, names: names}, g)
}

func load(l loader, g *graph.Graph) (v Values, notes []string, err error) {
	f := l.f
	fresh := l.freshHeads(g)
	ignored := l.foreign(g)
	v = Values{}
	for _, n := range l.names.all {
		if fresh.covers(n.File) || l.anew[n.Param] {
			continue
		}
		if _, ok := f.byName[n.File]; !ok {
			l.problem("missing: %s %v", n.File, n.Shape())
			continue
		}
		l.read(n, v)
	}
	if len(l.problems) > 0 {
		return nil, nil, l.err(g)
	}
	for _, h := range fresh {
		notes = append(notes, fmt.Sprintf("%s has no weights for the head %s*: it keeps its initial values", f.Path, h))
	}
	for _, h := range ignored {
		notes = append(notes, fmt.Sprintf("%s has weights for a head %s* that this network is built without: they are ignored", f.Path, h))
	}
	return v, notes, nil
}

type loader struct {
	f        *File
	names    *Names
	anew     map[*graph.Param]bool // parameters for which the file's values are of no use
	first    *graph.Param          // the first convolution's filters, which may have another number of channels
	problems []string
	unfit    bool // some problems are about names or shapes
}

// prefixes are prefixes of tensors' names, one for each head.
type prefixes []string

func (p prefixes) covers(name string) bool { return p.of(name) != "" }

func (p prefixes) of(name string) string {
	for _, x := range p {
		if strings.HasPrefix(name, x) {
			return x
		}
	}
	return ""
}

func (l *loader) problem(format string, args ...any) {
	l.problems, l.unfit = append(l.problems, fmt.Sprintf(format, args...)), true
}

// unusable records a tensor that fits but whose values are no weights.
func (l *loader) unusable(err error) { l.problems = append(l.problems, err.Error()) }

// freshHeads returns the heads of the graph of which the file has no tensors.
func (l *loader) freshHeads(g *graph.Graph) (out prefixes) {
	for _, loss := range g.Losses() {
		if loss.At == "" {
			continue
		}
		p := l.names.Head(loss.Name)
		if !anyHas(l.f.Names(), p) && anyHas(fileNames(l.names), p) {
			out = append(out, p)
		}
	}
	return out
}

// foreign returns the heads of the file that the graph does not have. It records all other
// unexpected tensors as problems.
func (l *loader) foreign(g *graph.Graph) (out prefixes) {
	named := prefixes{}
	for h := range strings.SplitSeq(l.f.Metadata[headsKey], ",") {
		if h != "" {
			named = append(named, h)
		}
	}
	mine := fileNames(l.names)
	for _, name := range l.f.Names() {
		if _, ok := l.names.byFile[name]; ok || strings.HasSuffix(name, "."+counter) || name == averaged || out.covers(name) {
			continue
		}
		p := named.of(name)
		if root, _, nested := strings.Cut(name, "."); p == "" && nested && (strings.HasPrefix(root, "aux") || root == "AuxLogits") {
			p = root + "."
		}
		if p != "" && !anyHas(mine, p) {
			out = append(out, p)
			continue
		}
		info, _ := l.f.Info(name)
		l.problem("unexpected: %s %v", name, info.Shape)
	}
	return out
}

func (l *loader) read(n Name, v Values) {
	t, err := l.f.Tensor(n.File)
	if err == nil {
		err = usable(n.Param.Role, t)
	}
	if err != nil {
		l.unusable(err)
		return
	}
	if n.Param == l.first {
		t = ofChannels(t, n.Param.Dims[3])
	}
	d, err := n.FromFile(t)
	if err != nil {
		l.problem("%v", err)
		return
	}
	v[n.Param] = d
}

func (l *loader) err(g *graph.Graph) error {
	const most = 12
	last := g.MainLoss().Logits.Shape().C
	list := plain.List{fmt.Sprintf("%s does not fit %s with %d classes; build the network with the classes and heads that the file was made with:", l.f.Path, g.Name(), last)}
	if !l.unfit {
		list[0] = l.f.Path + ": its weights cannot be used:"
	}
	for _, p := range l.problems[:min(most, len(l.problems))] {
		list = append(list, "  "+p)
	}
	if more := len(l.problems) - most; more > 0 {
		list = append(list, fmt.Sprintf("  and %d more", more))
	}
	return list
}

func anyHas(names []string, prefix string) bool {
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			return true
		}
	}
	return false
}

func fileNames(n *Names) []string {
	out := make([]string, len(n.all))
	for i, x := range n.all {
		out[i] = x.File
	}
	return out
}

// LoadFile opens a file and calls Load, after removing prefixes that wrappers have added to names
// (Unwrap).
func LoadFile(path string, g *graph.Graph) (Values, []string, error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	wrapped, err := f.Unwrap()
	if err != nil {
		return nil, nil, err
	}
	v, notes, err := Load(f, g)
	return v, append(wrapped, notes...), err
}

// Set copies values into a state, as one of its parts.
func (v Values) Set(s graph.State, part graph.Part) error {
	for _, p := range s.Layout().Params {
		d, ok := v[p]
		if !ok {
			continue
		}
		if err := s.Set(part, p, d); err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	return nil
}

// headsKey is the metadata key under which Save lists the prefixes of the heads' tensors, separated
// by commas.
const headsKey = "heads"

// Save writes a part of a state (graph.Value, or graph.Average for the moving averages) as a
// weights file. It has all parameters and running statistics, and zeros for num_batches_tracked, so
// that torchvision's load_state_dict accepts it. The metadata are the network's name, its heads,
// and extra.
func Save(path string, s graph.State, part graph.Part, extra map[string]string) error {
	g := s.Layout().Graph
	names, err := weightNames(g, part)
	if err != nil {
		return err
	}
	var out []Tensor
	for _, n := range names.all {
		t, err := n.get(s, part)
		if err != nil {
			return err
		}
		out = append(out, t)
	}
	for _, c := range names.Counters() {
		out = append(out, Tensor{Name: c, Shape: []int{}, Data: []int64{0}})
	}
	meta := metadata(g, names, extra)
	meta["format"] = "pt"
	return WriteFile(path, out, meta)
}

// weightNames returns the names of a graph's parameters for a file of a part, which must be
// weights.
func weightNames(g *graph.Graph, part graph.Part) (*Names, error) {
	if part != graph.Value && part != graph.Average {
		return nil, fmt.Errorf("save weights: part %s of a state is not weights: use value or ema", part)
	}
	return NewNames(g)
}

func metadata(g *graph.Graph, names *Names, extra map[string]string) map[string]string {
	var heads []string
	for _, l := range g.Losses() {
		if l.At != "" {
			heads = append(heads, names.Head(l.Name))
		}
	}
	m := map[string]string{"network": g.Name()}
	if len(heads) > 0 {
		m[headsKey] = strings.Join(heads, ",")
	}
	for k, v := range extra {
		m[k] = v
	}
	return m
}

func (n Name) get(s graph.State, part graph.Part) (Tensor, error) {
	d, err := s.Get(part, n.Param)
	if err == nil && d == nil {
		err = errors.New("the state has no values")
	}
	if err != nil {
		return Tensor{}, fmt.Errorf("parameter %s, %s: %w", n.Param.Name, part, err)
	}
	return n.ToFile(d)
}
