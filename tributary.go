// Package tributary trains image classifiers of the Inception family with auxiliary classifier
// heads, and uses the trained networks. It is the front door for Go programs; the command tributary
// is one of them.
//
// A training run takes a configuration, and options for what a configuration cannot express:
//
//	c := train.Default()
//	c.Data, c.Model, c.ImageSize = "folder:photos", "googlenet", 128
//	summary, err := tributary.Train(ctx, c, tributary.Options{Report: func(e train.Event) { fmt.Println(e) }})
//
// The run writes to a folder of its own, as with the command. Resume continues a run that ended or
// was interrupted, and Load opens the trained network:
//
//	classifier, err := tributary.Load("last", tributary.Options{})
//	defer classifier.Close()
//	for p, err := range classifier.Predict(ctx, []string{"cat.jpg"}, tributary.PredictOptions{}) { … }
//
// Classifier.Evaluate measures it on labelled images, Classifier.Save writes it as safetensors or
// ONNX, and Classifier.Cascade cuts it at its heads for early exits, which an Evaluation (of
// Classifier.On) runs.
//
// Custom data are a dataset.Source (Options.Data), custom heads an auxhead.Builder (Options.Heads),
// and a custom network a function that builds a graph (Options.Network). Devices are the CPU and,
// with the build tag cuda, NVIDIA GPUs (Config.Device).
//
// Errors are values. The error for an impossible setting is a *ConfigError. Every function that may
// take long has a context: when it ends, a training run saves a checkpoint and returns a
// *train.InterruptedError.
package tributary

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/train"
)

// Options are what a configuration cannot express. The zero value leaves everything to the
// configuration.
type Options struct {
	// Data are custom data in place of those that Config.Data names. The caller closes them.
	// Config.Data is then only a label.
	Data *dataset.Set
	// Heads are custom auxiliary heads in place of Config.Heads.
	Heads []auxhead.Spec
	// Network is a custom network in place of package inception's. Config.Model is then its name.
	Network Network
	// HeadDefaults say what Config.Heads "default" means for Network, and which kind and weight a
	// head gets that has none.
	HeadDefaults auxhead.Defaults
	// Change changes the configuration of a run that is resumed or loaded, as the command's flags
	// do: the device, the batch, the epochs.
	Change func(*train.Config) error
	// GradNorms chooses parameters, by name, whose gradient's L2 norm is in every train.Interval.
	GradNorms func(*graph.Graph) []string
	// Report receives the run's events, and notes on what the user may not expect (train.Note).
	Report train.Reporter
}

// Network builds a custom network: from images (height, width, channels) to the logits of the main
// classifier, of shape (1, 1, classes). The graph keeps errors. End points that the function marks
// (graph.Graph.Mark) are places for heads.
type Network func(g *graph.Graph, images *graph.Node, classes int) (logits *graph.Node)

// ConfigError says that a request is not possible: a setting, a name or a combination of them.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns the underlying error.
func (e *ConfigError) Unwrap() error { return e.Err }

func configError(err error) error {
	if err == nil {
		return nil
	}
	return &ConfigError{err}
}

// Note reports what the user may not expect, with a train.Note for each text.
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
