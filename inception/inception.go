// Package inception has the networks. Each has a file of its own and is built from shared modules
// (module.go, package layers); the table networks lists them all. A network makes the output of
// every module and every tower an end point, where heads can attach, and has the heads of its
// paper.
package inception

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/nearest"
)

// Network describes a network.
type Network struct {
	Name     string
	Paper    string           // source: paper and reference implementation
	Size     int              // default height and width of the images
	Channels int              // default channels
	Classes  int              // default number of classes
	Heads    auxhead.Defaults // the paper's heads
	Input    Input            // what the pretrained weights expect of images
	// Smallest and SmallestWithHeads are the minimum height and width of images, without heads and
	// with the default ones.
	Smallest, SmallestWithHeads int
	// Scalable says that the network accepts Config.WidthMultiplier.
	Scalable bool
	build    func(*network) *graph.Node
}

// networks is the table of networks. A new network is a file with its builder, and a line here.
var networks = []Network{
	{Name: "googlenet2014", Paper: "Szegedy et al. 2014, Going Deeper with Convolutions; as Caffe's bvlc_googlenet",
		Size: 224, Channels: 3, Classes: 1000, Heads: googlenet2014Heads, Input: caffeInput, Smallest: 31, SmallestWithHeads: 47, build: googlenet2014},
	{Name: "googlenet", Paper: "Szegedy et al. 2014 with batch normalisation; as torchvision's googlenet",
		Size: 224, Channels: 3, Classes: 1000, Heads: googlenetHeads, Input: torchvisionInput, Smallest: 15, SmallestWithHeads: 15, build: googlenet},
	{Name: "inception_v3", Paper: "Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision; as torchvision's inception_v3",
		Size: 299, Channels: 3, Classes: 1000, Heads: inceptionV3Heads, Input: torchvisionInput, Smallest: 75, SmallestWithHeads: 299, build: inceptionV3},
	{Name: "inception_v4", Paper: "Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning; as timm's inception_v4",
		Size: 299, Channels: 3, Classes: 1000, Heads: inceptionV4Heads, Input: timmInput(0.875), Smallest: 75, SmallestWithHeads: 107, build: inceptionV4},
	{Name: "inception_resnet_v2", Paper: "Szegedy et al. 2016, as inception_v4; as timm's inception_resnet_v2",
		Size: 299, Channels: 3, Classes: 1000, Heads: inceptionResNetV2Heads, Input: timmInput(0.8975), Smallest: 75, SmallestWithHeads: 107, build: inceptionResNetV2},
	{Name: "inception_small", Paper: "Tributary's own, for images of 28 to 64 pixels a side",
		Size: 28, Channels: 1, Classes: 10, Heads: inceptionSmallHeads, Smallest: 8, SmallestWithHeads: 8, Scalable: true, build: inceptionSmall},
	{Name: "inception_deep", Paper: "Tributary's own: fourteen modules for small images, without batch normalisation, to see what heads do to a deep trunk",
		Size: 32, Channels: 3, Classes: 10, Heads: inceptionDeepHeads, Smallest: 8, SmallestWithHeads: 12, Scalable: true, build: inceptionDeep},
	{Name: "inception_deep_bn", Paper: "Tributary's own: inception_deep with batch normalisation",
		Size: 32, Channels: 3, Classes: 10, Heads: inceptionDeepBNHeads, Smallest: 8, SmallestWithHeads: 8, Scalable: true, build: inceptionDeepBN},
}

// Networks returns the networks.
func Networks() []Network { return slices.Clone(networks) }

// Lookup returns the network of a name, which may be spelled like InceptionV3 or inception-v3, or a
// *graph.UnknownError with the nearest names.
func Lookup(name string) (Network, error) {
	folded := strings.NewReplacer("-", "", "_", "", " ", "")
	known := make([]string, len(networks))
	for i, n := range networks {
		if strings.EqualFold(folded.Replace(n.Name), folded.Replace(name)) {
			return n, nil
		}
		known[i] = n.Name
	}
	return Network{}, &graph.UnknownError{What: "network", Name: name, Nearest: nearest.Close(name, known, 3), All: known}
}

// Config describes the network to build. Zero values stand for the network's defaults.
type Config struct {
	Classes                 int
	Height, Width, Channels int
	// WidthMultiplier scales the channels of a Scalable network; 0 means 1. Other networks accept
	// only 1.
	WidthMultiplier float64
	// Heads are the auxiliary heads: nil means the network's own, an empty slice none. The network
	// completes empty kinds.
	Heads []auxhead.Spec
	// Smoothing is the label smoothing of all heads, including the main one.
	Smoothing float64
	// Distill and Temperature let every auxiliary head also learn from the main head (graph.Loss).
	Distill, Temperature float64
}

func (c Config) shape() graph.Shape { return graph.Shape{H: c.Height, W: c.Width, C: c.Channels} }

// resolve fills in the network's defaults and checks the result.
func (c Config) resolve(n Network) (Config, error) {
	for _, f := range []struct {
		field *int
		value int
	}{{&c.Classes, n.Classes}, {&c.Height, n.Size}, {&c.Width, n.Size}, {&c.Channels, n.Channels}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if c.WidthMultiplier == 0 {
		c.WidthMultiplier = 1
	}
	if c.Heads == nil {
		c.Heads = n.Heads.Specs
	}
	c.Heads = n.Heads.Complete(c.Heads)
	switch {
	case c.Classes < 2:
		return c, fmt.Errorf("%s: %d classes: a classifier has at least 2", n.Name, c.Classes)
	case c.Height < 1 || c.Width < 1 || c.Channels < 1:
		return c, fmt.Errorf("%s: images of %s: height, width and channels must be at least 1", n.Name, c.shape())
	case !n.Scalable && c.WidthMultiplier != 1:
		return c, fmt.Errorf("%s: width multiplier %v: this network has the widths of its paper; inception_small scales", n.Name, c.WidthMultiplier)
	case !(c.WidthMultiplier >= 0.25 && c.WidthMultiplier <= 16):
		return c, fmt.Errorf("%s: width multiplier %v is not in [0.25,16]", n.Name, c.WidthMultiplier)
	case !(c.Smoothing >= 0 && c.Smoothing < 1):
		return c, fmt.Errorf("%s: label smoothing %v is not in [0,1)", n.Name, c.Smoothing)
	}
	return c, nil
}

// Model is a network that has been built. The losses of its graph are "main" and then those of the
// heads by depth.
type Model struct {
	Network Network
	Config  Config // with defaults filled in
	Graph   *graph.Graph
	Heads   []auxhead.Head
}

// Build builds a network. Errors: *graph.UnknownError for a network, a head's place or a head's
// kind that does not exist; *TooSmallError for images that are too small for the network or one of
// its heads.
func Build(name string, cfg Config) (*Model, error) {
	n, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	if cfg, err = cfg.resolve(n); err != nil {
		return nil, err
	}
	m, err := n.try(cfg)
	if tooSmall(err) {
		return nil, n.explain(cfg, err)
	}
	return m, err
}

// try builds the graph without explaining errors.
func (n Network) try(cfg Config) (*Model, error) {
	b := &network{g: graph.New(n.Name), cfg: cfg}
	logits := n.build(b)
	b.g.AddLoss(graph.Loss{Name: auxhead.Main, Logits: logits, Weight: 1, Smoothing: cfg.Smoothing})
	if err := b.g.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	heads, err := auxhead.Attach(b.g, cfg.Heads, auxhead.Options{Classes: cfg.Classes, Smoothing: cfg.Smoothing,
		Distill: cfg.Distill, Temperature: cfg.Temperature})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	return &Model{n, cfg, b.g, heads}, nil
}

func tooSmall(err error) bool {
	var window *graph.TooSmallError
	var head *auxhead.TooSmallError
	return errors.As(err, &window) || errors.As(err, &head)
}

// TooSmallError says that images are too small for a network, and which sizes would work.
type TooSmallError struct {
	Network       string
	Height, Width int
	Smallest      int // height and width that work with these heads; 0 if no size does
	WithoutHeads  int // height and width that work without heads
	Err           error
}

func (e *TooSmallError) Error() string {
	s := fmt.Sprintf("%s: images of %dx%d are too small: ", e.Network, e.Height, e.Width)
	switch {
	case e.Smallest == 0:
		s += "no size works with these heads"
	default:
		s += fmt.Sprintf("the smallest that works is %dx%d", e.Smallest, e.Smallest)
	}
	if e.WithoutHeads != e.Smallest {
		s += fmt.Sprintf(" (%dx%d without heads)", e.WithoutHeads, e.WithoutHeads)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause: the node or the head that did not fit.
func (e *TooSmallError) Unwrap() error { return e.Err }

func (n Network) explain(cfg Config, err error) error {
	e := &TooSmallError{Network: n.Name, Height: cfg.Height, Width: cfg.Width, Err: err}
	e.Smallest = n.smallest(cfg)
	cfg.Heads = []auxhead.Spec{}
	e.WithoutHeads = n.smallest(cfg)
	return e
}

// smallest finds the minimum side of square images for a configuration by trial; 0 if no side up to
// 2048 works.
func (n Network) smallest(cfg Config) int {
	fits := func(side int) bool {
		cfg.Height, cfg.Width = side, side
		_, err := n.try(cfg)
		return !tooSmall(err)
	}
	low, high := 0, 2048 // larger sides always fit if smaller ones do
	if !fits(high) {
		return 0
	}
	for high-low > 1 {
		if mid := (low + high) / 2; fits(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// Parameters returns the number of trained parameters, without running statistics, that some losses
// need: all losses if none is named, "main" for the network without heads.
func (m *Model) Parameters(losses ...string) int {
	n := 0
	for _, node := range m.needed(losses) {
		for _, p := range node.Params() {
			if !p.IsStatistic() {
				n += p.Elements()
			}
		}
	}
	return n
}

// MACs returns the number of multiply-accumulates for one image in the convolutions and fully
// connected layers that some losses need: all losses if none is named, "main" for the network
// without heads.
func (m *Model) MACs(losses ...string) int64 {
	var n int64
	for _, node := range m.needed(losses) {
		n += node.MACs()
	}
	return n
}

// needed returns the nodes that some losses need.
func (m *Model) needed(losses []string) []*graph.Node {
	var logits []*graph.Node
	for _, l := range m.Graph.Losses() {
		if len(losses) == 0 || slices.Contains(losses, l.Name) {
			logits = append(logits, l.Logits)
		}
	}
	needed := graph.Ancestors(logits...)
	var out []*graph.Node
	for _, n := range m.Graph.Nodes() {
		if needed[n] {
			out = append(out, n)
		}
	}
	return out
}
