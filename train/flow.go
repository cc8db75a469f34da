package train

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/plainfile"
)

// Flowed is a measurement of the gradient flow, together with the update that followed it.
type Flowed struct{ *gradflow.Flow }

func (Flowed) event() {}

func (Flowed) kind() string { return "gradflow" }

// The step is that of the update that followed: the Interval of that update has its losses and
// weights, and a resumed run makes both again. The cosine with a head that sends no gradient is
// left out.
func (e Flowed) scalars() (int, []tagged) {
	var all []tagged
	for _, p := range e.Places {
		for i, h := range e.Heads {
			all = append(all, tagged{"gradflow/" + h + "/" + p.Name, p.Gradient[i]})
		}
	}
	for _, l := range e.Layers {
		for i, h := range e.Heads {
			all = append(all, tagged{"gradflow_layer/" + h + "/" + l.Name, l.Gradient[i]})
		}
		for k, pair := range gradflow.Pairs(len(e.Heads)) {
			if l.Gradient[pair[0]] != 0 && l.Gradient[pair[1]] != 0 {
				all = append(all, tagged{"gradflow_cosine/" + e.Heads[pair[0]] + "-" + e.Heads[pair[1]] + "/" + l.Name, l.Cosine[k]})
			}
		}
		all = append(all, tagged{"gradflow_weight/" + l.Name, l.Weight}, tagged{"gradflow_update/" + l.Name, l.Update})
	}
	for _, r := range e.ReLUs {
		all = append(all, tagged{"gradflow_dead/" + r.Name, float64(r.Dead)}, tagged{"gradflow_zeros/" + r.Name, r.Zeros})
	}
	return e.Step + 1, all
}

// flowMeter measures the gradient flow at updates whose number is a multiple of every.
type flowMeter struct {
	every int
	meter *gradflow.Meter
	watch gradflow.Watch
	log   *log
}

// newFlowMeter returns nil if the configuration asks for no measurements.
func (t *Trainer) newFlowMeter(o graph.Options) (*flowMeter, error) {
	if t.Config.GradflowEvery == 0 {
		return nil, nil
	}
	m, err := gradflow.NewMeter(t.Backend, t.state, o)
	if err != nil {
		return nil, fmt.Errorf("measuring gradient flow: %w", err)
	}
	return &flowMeter{every: t.Config.GradflowEvery, meter: m, watch: gradflow.Watch{Warmup: min(t.perEpoch, 1000)}}, nil
}

// before measures ahead of an update if a measurement is due. Otherwise it returns nil.
func (f *flowMeter) before(ctx context.Context, feed *graph.Feed) (*gradflow.Flow, error) {
	if f == nil || feed.Step%uint64(f.every) != 0 {
		return nil, nil
	}
	flow, err := f.meter.Measure(ctx, feed)
	if err != nil {
		return nil, err
	}
	return flow, f.meter.Before()
}

// flowed completes a measurement after the update, and reports it and its alarms.
func (t *Trainer) flowed(flow *gradflow.Flow) error {
	if err := t.flow.meter.After(flow); err != nil {
		return err
	}
	t.report(Flowed{flow})
	for _, a := range t.flow.watch.See(flow) {
		t.warn(a.Kind, "%s", a.Message)
	}
	return nil
}

func (f *flowMeter) close() error {
	if f == nil {
		return nil
	}
	return f.meter.Close()
}

// ReadFlows reads the measurements of a run, the oldest first.
func (f *Folder) ReadFlows() ([]*gradflow.Flow, error) {
	file, err := plainfile.Open(f.Gradflow())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the run %s has no measurements of its gradient flow: train with --gradflow-every N", f.Path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var out []*gradflow.Flow
	r := bufio.NewReader(file)
	for line := 1; ; line++ {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return out, nil // a killed run leaves its last line incomplete
		}
		if err != nil {
			return nil, err
		}
		flow := new(gradflow.Flow)
		if err := json.Unmarshal(text, flow); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", f.Gradflow(), line, err)
		}
		out = append(out, flow)
	}
}
