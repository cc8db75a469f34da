package tributary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/memory"
	"github.com/tributary-ml/tributary/train"
)

// Parts are the parts of a run.
type Parts struct {
	Data     *dataset.Set
	Model    *inception.Model
	Backend  graph.Backend // nil if no device is open
	borrowed bool          // the data belong to the caller
}

// Close closes the device. It also closes the data, unless they belong to the caller.
func (p *Parts) Close() error {
	var err error
	if p.Backend != nil {
		err = p.Backend.Close()
	}
	if p.Data != nil && !p.borrowed {
		p.Data.Close()
	}
	return err
}

// Open opens what a configuration describes. It fills in the image size if that is open.
func (o *Options) Open(ctx context.Context, c *train.Config) (*Parts, error) {
	p, err := o.openNetwork(ctx, c)
	if err != nil {
		return nil, err
	}
	if p.Backend, err = OpenDevice(c, p.Data.Cache); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// openNetwork is Open without a device.
func (o *Options) openNetwork(ctx context.Context, c *train.Config) (*Parts, error) {
	p := &Parts{Data: o.Data, borrowed: o.Data != nil}
	var err error
	if p.Data == nil {
		if p.Data, err = dataset.Open(ctx, c.Data, dataset.OpenOptions{Channels: c.Channels, Seed: c.Seed, Orientation: c.EXIFOrientation, Cache: cacheBytes(c)}); err != nil {
			return nil, err
		}
	}
	info := p.Data.Train.Info()
	if c.ImageSize == 0 {
		c.ImageSize = o.imageSize(c.Model, info)
	}
	if p.Model, err = o.Build(c, len(info.Classes), info.C); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// cacheBytes returns the memory for decoded images, at most the machine's memory.
func cacheBytes(c *train.Config) int64 {
	all := float64(memory.Limit()) / (1 << 30)
	most := all
	if all == 0 { // the memory is unknown
		most = 1 << 20
	}
	return int64(min(c.Cache.Or(all/4), most) * (1 << 30))
}

// imageSize returns the side at which a network reads images of a set. It is the images' own side
// if they are square and the network's default side is at most its double. Otherwise it is the
// network's default.
func (o *Options) imageSize(model string, info dataset.Info) int {
	n, err := inception.Lookup(model)
	if o.Network != nil {
		n, err = inception.Network{Size: info.H}, nil
	}
	if err == nil && info.H == info.W && 2*info.H >= n.Size {
		return info.H
	}
	return n.Size
}

// Build builds the network of a configuration with its heads. If classes or channels is 0, the
// network's own number is used. Errors: *graph.UnknownError, *inception.TooSmallError,
// *auxhead.ParseError.
func (o *Options) Build(c *train.Config, classes, channels int) (*inception.Model, error) {
	heads, err := o.HeadSpecs(c)
	if err != nil {
		return nil, err
	}
	return o.buildWith(c, classes, channels, heads)
}

// buildWith is Build with the given heads in place of the configuration's.
func (o *Options) buildWith(c *train.Config, classes, channels int, heads []auxhead.Spec) (*inception.Model, error) {
	if o.Network != nil {
		return o.buildOwn(c, classes, channels, heads)
	}
	return inception.Build(c.Model, inception.Config{
		Classes: classes, Height: c.ImageSize, Width: c.ImageSize, Channels: channels, WidthMultiplier: c.Width,
		Heads: heads, Smoothing: c.LabelSmoothing, Distill: c.Distill, Temperature: c.Temperature,
	})
}

// buildOwn is buildWith for a custom network.
func (o *Options) buildOwn(c *train.Config, classes, channels int, heads []auxhead.Spec) (*inception.Model, error) {
	if c.ImageSize == 0 {
		return nil, &ConfigError{fmt.Errorf("image-size: network %s is the program's own and its images vary in size: say at which side it reads them", c.Model)}
	}
	m := &inception.Model{Network: inception.Network{Name: c.Model, Size: c.ImageSize}, Graph: graph.New(c.Model),
		Config: inception.Config{Classes: classes, Height: c.ImageSize, Width: c.ImageSize, Channels: channels, Heads: heads,
			Smoothing: c.LabelSmoothing, Distill: c.Distill, Temperature: c.Temperature}}
	images := m.Graph.Input("input", graph.Shape{H: c.ImageSize, W: c.ImageSize, C: channels})
	if logits := o.Network(m.Graph, images, classes); logits != nil {
		if have := logits.Shape().C; m.Graph.Err() == nil && have != classes {
			return nil, &ConfigError{fmt.Errorf("%s: Options.Network returned %d logits for %d classes", c.Model, have, classes)}
		}
		m.Graph.AddLoss(graph.Loss{Name: auxhead.Main, Logits: logits, Weight: 1, Smoothing: c.LabelSmoothing})
	}
	err := m.Graph.Err()
	if err == nil && m.Graph.MainLoss() == nil {
		err = &ConfigError{errors.New("Options.Network returned no logits")}
	}
	if err == nil {
		m.Heads, err = auxhead.Attach(m.Graph, heads, auxhead.Options{Classes: classes, Smoothing: c.LabelSmoothing,
			Distill: c.Distill, Temperature: c.Temperature})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	return m, nil
}

// HeadSpecs returns the heads of a configuration's network.
func (o *Options) HeadSpecs(c *train.Config) ([]auxhead.Spec, error) {
	defaults, err := o.Defaults(c)
	switch {
	case err != nil:
		return nil, err
	case o.Heads != nil:
		return defaults.Complete(o.Heads), nil
	}
	return auxhead.ParseSpecs(c.Heads, defaults)
}

// Defaults returns the default heads of a configuration's network.
func (o *Options) Defaults(c *train.Config) (auxhead.Defaults, error) {
	if o.Network != nil {
		d := o.HeadDefaults
		if d.Kind == "" {
			d.Kind, d.Weight = "gap", 0.3
		}
		return d, nil
	}
	n, err := inception.Lookup(c.Model)
	if err != nil {
		return auxhead.Defaults{}, &ConfigError{fmt.Errorf("model: %w", err)}
	}
	return n.Heads, nil
}

// Complete completes the names of the network and the data in a configuration, and checks that its
// settings are possible. It reports a train.Note if it takes a folder for a data set.
func (o *Options) Complete(c *train.Config) error {
	if o.Data != nil && (o.Data.Train == nil || o.Data.Test == nil) {
		return &ConfigError{errors.New("Options.Data: it needs images for training and images for testing")}
	}
	if o.Network != nil && (c.Model == "" || c.Model != filepath.Base(c.Model)) {
		return &ConfigError{fmt.Errorf("model: %q cannot be the name of a network and of folders", c.Model)}
	}
	if o.Network == nil {
		n, err := inception.Lookup(c.Model)
		if err != nil {
			if u := (*graph.UnknownError)(nil); errors.As(err, &u) && u.Nearest == nil {
				u.Nearest = train.Nearest("model", c.Model, nil, 1)
			}
			return &ConfigError{fmt.Errorf("model: %w", err)}
		}
		c.Model = n.Name
	}
	if o.Data == nil {
		data, err := o.resolveData(c.Data)
		if err != nil {
			return err
		}
		c.Data = data
	} else {
		c.Data = cmp.Or(o.Data.Train.Info().Name, c.Data)
	}
	if o.Heads != nil {
		c.Heads = ownHeads(o.Heads)
	}
	return configError(c.Check())
}

// resolveData completes the name of a data set.
func (o *Options) resolveData(name string) (string, error) {
	data, err := dataset.Resolve(name)
	if err != nil {
		return "", &ConfigError{fmt.Errorf("data: %w", err)}
	}
	if data != name && !strings.Contains(name, ":") && strings.Contains(data, ":") {
		o.Note(fmt.Sprintf("data: the folder %s is taken as %s", name, data))
	}
	return data, nil
}

// ownHeads returns custom heads in the form of the configuration. A network with custom heads
// cannot be built from it without Options.Heads: their kind is then unknown, and the error says so.
func ownHeads(specs []auxhead.Spec) string {
	all := slices.Clone(specs)
	for i, s := range all {
		if s.Build != nil {
			all[i].Kind = cmp.Or(s.Kind, "custom")
		}
	}
	return auxhead.Format(all)
}

// OpenNetwork builds the network of a configuration for the classes and images of its data, without
// reading an image.
func OpenNetwork(ctx context.Context, c train.Config, o Options) (*graph.Graph, error) {
	if err := o.Complete(&c); err != nil {
		return nil, err
	}
	p, err := o.openNetwork(ctx, &c)
	if err != nil {
		return nil, err
	}
	return p.Model.Graph, p.Close()
}
