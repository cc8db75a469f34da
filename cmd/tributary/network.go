package main

import (
	"context"
	"fmt"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/memory"
	"github.com/tributary-ml/tributary/train"
)

// parts is what a run is made of.
type parts struct {
	data    *dataset.Set
	model   *inception.Model
	backend graph.Backend
}

func (p *parts) close() {
	p.backend.Close()
	p.data.Close()
}

// open makes the parts that a configuration describes. It fills in the image size where that was left open.
func open(ctx context.Context, c *train.Config) (*parts, error) {
	p, err := openNetwork(ctx, c)
	if err != nil {
		return nil, err
	}
	if p.backend, err = newBackend(c, p.data.Cache); err != nil {
		p.data.Close()
		return nil, err
	}
	return p, nil
}

// openNetwork is open without a device.
func openNetwork(ctx context.Context, c *train.Config) (*parts, error) {
	data, err := dataset.Open(ctx, c.Data, dataset.OpenOptions{Channels: c.Channels, Seed: c.Seed, Orientation: c.EXIFOrientation, Cache: cacheBytes(c)})
	if err != nil {
		return nil, err
	}
	info := data.Train.Info()
	if c.ImageSize == 0 {
		c.ImageSize = imageSize(c.Model, info)
	}
	model, err := buildModel(c, len(info.Classes), info.C)
	if err != nil {
		data.Close()
		return nil, err
	}
	return &parts{data: data, model: model}, nil
}

// cacheBytes is the memory for decoded images: never more than there is.
func cacheBytes(c *train.Config) int64 {
	all := float64(memory.Limit()) / (1 << 30)
	most := all
	if all == 0 { // nobody says
		most = 1 << 20
	}
	return int64(min(c.Cache.Or(all/4), most) * (1 << 30))
}

// imageSize is the side that a network reads images of a set at: their own where the network is made for such a size, that
// is for at most its double, otherwise the network's.
func imageSize(model string, info dataset.Info) int {
	n, err := inception.Lookup(model)
	if err == nil && info.H == info.W && 2*info.H >= n.Size {
		return info.H
	}
	return n.Size
}

// buildModel builds a configuration's network. Classes and channels of 0 are the network's own.
func buildModel(c *train.Config, classes, channels int) (*inception.Model, error) {
	heads, err := headSpecs(c)
	if err != nil {
		return nil, err
	}
	return buildWith(c, classes, channels, heads)
}

// buildWith is buildModel with other heads than the configuration's.
func buildWith(c *train.Config, classes, channels int, heads []auxhead.Spec) (*inception.Model, error) {
	return inception.Build(c.Model, inception.Config{
		Classes: classes, Height: c.ImageSize, Width: c.ImageSize, Channels: channels, WidthMultiplier: c.Width,
		Heads: heads, Smoothing: c.LabelSmoothing, Distill: c.Distill, Temperature: c.Temperature,
	})
}

// headSpecs are the heads of a configuration's network.
func headSpecs(c *train.Config) ([]auxhead.Spec, error) {
	n, err := inception.Lookup(c.Model)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return auxhead.ParseSpecs(c.Heads, n.Heads)
}
