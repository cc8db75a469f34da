// Package tributary trains image classifiers of the Inception family with auxiliary classifier heads, and uses what was trained.
// It is the front door for Go programs; the command tributary is one of them.
//
// A training takes a configuration and what a configuration cannot say:
//
//	c := train.Default()
//	c.Data, c.Model, c.ImageSize = "folder:photos", "googlenet", 128
//	summary, err := tributary.Train(ctx, c, tributary.Options{Report: func(e train.Event) { fmt.Println(e) }})
//
// Everything goes to a folder of its own, as with the command. Resume goes on with a run that ended or was interrupted, Load opens
// what it has learnt:
//
//	classifier, err := tributary.Load("last", tributary.Options{})
//	defer classifier.Close()
//	for p, err := range classifier.Predict(ctx, []string{"cat.jpg"}, tributary.PredictOptions{}) { … }
//
// Data of one's own are a dataset.Source (Options.Data), heads of one's own an auxhead.Builder (Options.Heads), networks of one's
// own a function that builds a graph (Options.Network). Devices are the CPU and, with the build tag cuda, NVIDIA GPUs
// (Config.Device).
//
// Errors are values. An impossible setting is a *ConfigError. Every function that takes long takes a context: when it ends, a
// training saves a checkpoint and returns a *train.InterruptedError.
package tributary

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/train"
)

// Options are what a configuration cannot say. The zero value leaves everything to the configuration.
type Options struct {
	// Data are data of one's own, in place of those that Config.Data names. The caller closes them. Config.Data is then a label.
	Data *dataset.Set
	// Heads are auxiliary heads of one's own, in place of Config.Heads.
	Heads []auxhead.Spec
	// Network is a network of one's own, in place of inception's Config.Model, which is then its name.
	Network Network
	// HeadDefaults say what Config.Heads "default" means for Network, and what a head without kind or weight has.
	HeadDefaults auxhead.Defaults
	// Change alters the configuration of a run that is taken up or loaded, as flags of the command do: the device, the batch, the
	// epochs.
	Change func(*train.Config) error
	// GradNorms chooses parameters, by name, of which every train.Interval has the gradient's L2 norm.
	GradNorms func(*graph.Graph) []string
	// Report receives what happens, and what the user may not expect (train.Note).
	Report train.Reporter
}

// Network builds a network of one's own: from images (height, width, channels) to the logits of the main classifier, of shape
// (1, 1, classes). Errors are left in the graph. End points that it marks (graph.Graph.Mark) are places for heads.
type Network func(g *graph.Graph, images *graph.Node, classes int) (logits *graph.Node)

// ConfigError says that what was asked for is not possible: a setting, a name or a combination of them.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *ConfigError) Unwrap() error { return e.Err }

func configError(err error) error {
	if err == nil {
		return nil
	}
	return &ConfigError{err}
}

// Note reports what the user may not expect, a train.Note for each text.
func (o *Options) Note(texts ...string) {
	for _, text := range texts {
		o.report(train.Note{Text: text})
	}
}

func (o *Options) report(e train.Event) {
	if o.Report != nil {
		o.Report(e)
	}
}
