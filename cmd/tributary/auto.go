package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/train"
)

// autoHeads reads the heads of a configuration that a short run is to place.
func autoHeads(c *train.Config) (auxhead.Spec, bool, error) {
	n, err := inception.Lookup(c.Model)
	if err != nil {
		return auxhead.Spec{}, false, fmt.Errorf("model: %w", err)
	}
	return auxhead.ParseAuto(c.Heads, n.Heads)
}

// shortConfig is the configuration of the run that places heads.
func shortConfig(c *train.Config) train.Config {
	short := *c
	short.Heads, short.HeadSchedule, short.HeadBalance, short.Distill, short.EMA = gradflow.AutoSpecs, "constant", "none", 0, 0
	short.GradflowEvery, short.Init = gradflow.AutoUpdates/gradflow.AutoMeasurements, ""
	return short
}

// buildable is a configuration whose network can be built: that of the short run where one is to place the heads.
func buildable(c *train.Config) train.Config {
	if _, auto, err := autoHeads(c); err == nil && auto {
		return shortConfig(c)
	}
	return *c
}

// placeHeads replaces the heads "auto" of a configuration, if it has them, by places that a short run finds. The run leaves nothing
// behind; the configuration then names the places, so that it repeats without looking for them again.
func placeHeads(ctx context.Context, out io.Writer, c *train.Config) error {
	auto, ok, err := autoHeads(c)
	if err != nil || !ok {
		return err
	}
	short := shortConfig(c)
	p, err := open(ctx, &short)
	if err != nil {
		return fmt.Errorf("heads auto: %w", err)
	}
	defer p.close()
	flows, err := shortRun(ctx, &short, p)
	if err != nil {
		return fmt.Errorf("heads auto: %w", err)
	}
	places := map[string]string{}
	for _, h := range p.model.Heads {
		places[h.Name] = h.At
	}
	picked, all := gradflow.Choose(flows, places, gradflow.AutoHeads)
	var scores []string
	for _, s := range all {
		scores = append(scores, fmt.Sprintf("%s %+.3f", s.At, s.Score))
	}
	heads := func(kind string) string {
		var specs []auxhead.Spec
		for _, s := range picked {
			specs = append(specs, auxhead.Spec{At: s.At, Weight: auto.Weight, Kind: kind})
		}
		return auxhead.Format(specs)
	}
	c.Heads = heads(auto.Kind)
	short.Heads = c.Heads // on images of the size that open has found
	info := p.data.Train.Info()
	if _, err := buildModel(&short, len(info.Classes), info.C); errors.As(err, new(*inception.TooSmallError)) && auto.Kind == "" {
		c.Heads = heads("gap") // the network's own kind of head does not fit there
	}
	printf(out, "heads auto: %s, from %d measurements in %d updates; what a head there adds along the main head's gradient: %s\n",
		c.Heads, len(flows), gradflow.AutoUpdates, strings.Join(scores, ", "))
	return nil
}

// shortRun trains for some updates in a folder that it removes. The folder is where the run's own will be: there is room for a run.
func shortRun(ctx context.Context, c *train.Config, p *parts) ([]*gradflow.Flow, error) {
	_, err := os.Stat(c.Out)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(c.Out, ".heads-auto-")
	if err != nil {
		return nil, err
	}
	defer func() {
		os.RemoveAll(dir)
		if made {
			os.Remove(c.Out) // unless another run is there by now
		}
	}()
	folder, err := train.CreateFolder(dir, "run", c)
	if err != nil {
		return nil, err
	}
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	var flows []*gradflow.Flow
	t, err := train.New(train.Setup{Config: *c, Graph: p.model.Graph, Backend: p.backend, Data: p.data, Report: func(e train.Event) {
		switch e := e.(type) {
		case train.Flowed:
			flows = append(flows, e.Flow)
		case train.Stepped:
			if e.Step >= gradflow.AutoUpdates {
				cancel()
			}
		}
	}})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	_, err = t.Run(short, folder)
	if errors.As(err, new(*train.InterruptedError)) { // of which nothing stays
		err = ctx.Err()
	}
	return flows, err
}
