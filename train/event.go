package train

import (
	"maps"
	"slices"

	"github.com/tributary-ml/tributary/gradflow"
)

// Event is something that happens in a run: one of Note, HeadsPlaced, Started, Stepped, Interval, Evaluating, EpochEnded, Saved,
// Warning, Flowed.
// Everything that shows a run or writes it down reads events.
type Event interface{ event() }

// Reporter receives the events of a run, in order, from the goroutine that trains: it should return soon.
type Reporter func(Event)

// Started is the first event: what the run is.
type Started struct {
	Resumed       bool     `json:"resumed"`
	Step          int      `json:"step"` // updates done
	Steps         int      `json:"steps"`
	Epoch         int      `json:"epoch"` // epochs done
	Epochs        int      `json:"epochs"`
	StepImages    int      `json:"step_images"` // images in an update
	Parameters    int      `json:"parameters"`  // elements, of the trunk and all heads
	Heads         []string `json:"heads"`
	TrainImages   int      `json:"train_images"`
	TestImages    int      `json:"test_images"`
	Device        string   `json:"device"`
	Input         Input    `json:"-"`              // the configuration says it
	JPEG          string   `json:"jpeg,omitempty"` // what decodes JPEG files (dataset.Set)
	Augments      bool     `json:"augments"`       // the device augments training images; otherwise the goroutines that read them do
	ArenaBytes    int64    `json:"arena_bytes"`    // of the training plan
	UnsharedBytes int64    `json:"unshared_bytes"` // the same without sharing memory between buffers
	CacheBytes    int64    `json:"cache_bytes"`    // of decoded images that may stay in memory (dataset.Set)

	// What the run's folder says elsewhere.
	Config      Config   `json:"-"`
	Folder      string   `json:"-"`
	Classes     []string `json:"-"`
	ClassImages []int    `json:"-"` // training images of each class; nil where only decoding them would tell
}

// Stepped is one update. Losses are means over its images, before the update.
type Stepped struct {
	Step, Steps int // updates done with this one, and in all
	Epoch       int // from 1
	EpochStep   int // updates of this epoch done
	EpochSteps  int
	LR          float64
	GradNorm    float64 // global L2 norm before clipping
	Result      Result
	Weights     []float64 // of the heads, in the order of Result.Heads
}

// Interval is the mean over some updates: a line of the log.
type Interval struct {
	Step            int       `json:"step"`
	Epoch           int       `json:"epoch"`
	LR              float64   `json:"lr"`
	GradNorm        float64   `json:"grad_norm"` // of the last update
	ImagesPerSecond float64   `json:"images_per_second"`
	Weights         []float64 `json:"head_weights"` // of the last update
	Train           Result    `json:"train"`
	// GradNorms are the L2 norms of the gradients that Setup.GradNorms names, of the last update, before clipping.
	GradNorms map[string]float64 `json:"grad_norms,omitempty"`
}

// Evaluating is progress of an evaluation.
type Evaluating struct {
	Images, Of int
}

// EpochEnded is an epoch with its evaluation.
type EpochEnded struct {
	Epoch           int     `json:"epoch"` // from 1
	Step            int     `json:"step"`
	LR              float64 `json:"lr"` // of the last update
	Train           Result  `json:"train"`
	Test            Result  `json:"test"`
	Averaged        bool    `json:"averaged"` // the test is of the moving averages
	Best            bool    `json:"best"`     // the main head's accuracy is the highest so far
	ImagesPerSecond float64 `json:"images_per_second"`
	Seconds         float64 `json:"seconds"` // of training and evaluation
}

// Saved says that a checkpoint was written.
type Saved struct {
	Path string `json:"path"`
	Step int    `json:"step"`
}

// Warning is something that the user should know; the run goes on.
type Warning struct {
	Step    int    `json:"step"`
	Kind    string `json:"warning"` // dead_trunk, skipped_image, decoder, checkpoint, log, last, lock, data, or an auxhead.Alarm's kind
	Message string `json:"message"`
}

// Note is something that the user may not expect, such as a setting that was adapted to the data. It comes before Started.
type Note struct{ Text string }

// HeadsPlaced says where a short run has put heads (Config.Heads "auto").
type HeadsPlaced struct {
	Heads        string            // as Config.Heads has them
	Measurements int               // of the gradient flow
	Updates      int               // of the short run
	Scores       []gradflow.Choice // of all places, best first
}

func (Note) event()        {}
func (HeadsPlaced) event() {}
func (Started) event()     {}
func (Stepped) event()     {}
func (Interval) event()    {}
func (Evaluating) event()  {}
func (EpochEnded) event()  {}
func (Saved) event()       {}
func (Warning) event()     {}

func (Started) kind() string    { return "start" }
func (Interval) kind() string   { return kindInterval }
func (EpochEnded) kind() string { return kindEpoch }
func (Saved) kind() string      { return "checkpoint" }
func (Warning) kind() string    { return "warning" }

func (e Interval) scalars() (int, []tagged) {
	all := append(e.Train.scalars("train"), tagged{"train/lr", e.LR}, tagged{"train/grad_norm", e.GradNorm}, tagged{"train/images_per_s", e.ImagesPerSecond})
	for i, h := range e.Train.Heads {
		all = append(all, tagged{"head_weight/" + h.Name, e.Weights[i]})
	}
	for _, name := range slices.Sorted(maps.Keys(e.GradNorms)) {
		all = append(all, tagged{"grad_norm/" + name, e.GradNorms[name]})
	}
	return e.Step, all
}

// The learning rate is that of the epoch's last interval.
func (e EpochEnded) scalars() (int, []tagged) {
	all := append(e.Test.scalars("test"), e.Train.scalars("epoch")...)
	return e.Step, append(all, tagged{"epoch/images_per_s", e.ImagesPerSecond}, tagged{"epoch/seconds", e.Seconds})
}

func (e Started) scalars() (int, []tagged) { return e.Step, nil }
func (e Saved) scalars() (int, []tagged)   { return e.Step, nil }
func (e Warning) scalars() (int, []tagged) { return e.Step, nil }
