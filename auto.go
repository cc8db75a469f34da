package tributary

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/train"
)

// autoHeads parses the heads of a configuration if a short run is to place them.
func (o *Options) autoHeads(c *train.Config) (auxhead.Spec, bool, error) {
	defaults, err := o.Defaults(c)
	if err != nil || o.Heads != nil {
		return auxhead.Spec{}, false, err
	}
	return auxhead.ParseAuto(c.Heads, defaults)
}

// shortConfig returns the configuration of the run that places heads.
func shortConfig(c *train.Config) train.Config {
	short := *c
	short.Heads, short.HeadSchedule, short.HeadBalance, short.Distill, short.EMA = gradflow.AutoSpecs, "constant", "none", 0, 0
	short.GradflowEvery, short.Init = gradflow.AutoUpdates/gradflow.AutoMeasurements, ""
	return short
}

// Buildable returns a configuration whose network can be built: c, or the configuration of the
// short run if one is to place the heads.
func (o *Options) Buildable(c *train.Config) train.Config {
	if _, auto, err := o.autoHeads(c); err == nil && auto {
		return shortConfig(c)
	}
	return *c
}

// placeHeads replaces heads "auto" in a configuration by places that a short run finds. The run
// leaves nothing behind. The configuration then names the places, so that repeating it needs no
// short run.
func (o *Options) placeHeads(ctx context.Context, c *train.Config) error {
	auto, ok, err := o.autoHeads(c)
	if err != nil || !ok {
		return err
	}
	short := shortConfig(c)
	p, err := o.Open(ctx, &short)
	if err != nil {
		return fmt.Errorf("heads auto: %w", err)
	}
	defer p.Close()
	flows, err := shortRun(ctx, &short, p)
	if err != nil {
		return fmt.Errorf("heads auto: %w", err)
	}
	places := map[string]string{}
	for _, h := range p.Model.Heads {
		places[h.Name] = h.At
	}
	picked, all := gradflow.Choose(flows, places, gradflow.AutoHeads)
	heads := func(kind string) string {
		var specs []auxhead.Spec
		for _, s := range picked {
			specs = append(specs, auxhead.Spec{At: s.At, Weight: auto.Weight, Kind: kind})
		}
		return auxhead.Format(specs)
	}
	c.Heads = heads(auto.Kind)
	short.Heads = c.Heads // for images of the size that Open has determined
	info := p.Data.Train.Info()
	if _, err := o.Build(&short, len(info.Classes), info.C); errors.As(err, new(*inception.TooSmallError)) && auto.Kind == "" {
		c.Heads = heads("gap") // the network's own kind of head does not fit at these places
	}
	o.report(train.HeadsPlaced{Heads: c.Heads, Measurements: len(flows), Updates: gradflow.AutoUpdates, Scores: all})
	return nil
}

// shortRun trains for some updates in a folder that it removes. The folder is within c.Out, like
// the run's own later, because the disk there has room for a run.
func shortRun(ctx context.Context, c *train.Config, p *Parts) ([]*gradflow.Flow, error) {
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
			os.Remove(c.Out) // fails if another run is there by now
		}
	}()
	folder, err := train.CreateFolder(dir, "run", c)
	if err != nil {
		return nil, err
	}
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	var flows []*gradflow.Flow
	t, err := train.New(train.Setup{Config: *c, Graph: p.Model.Graph, Backend: p.Backend, Data: p.Data, Report: func(e train.Event) {
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
	if errors.As(err, new(*train.InterruptedError)) { // the run is not kept
		err = ctx.Err()
	}
	return flows, err
}
