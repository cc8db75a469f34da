package train

import (
	"maps"
	"slices"

	"github.com/tributary-ml/tributary/gradflow"
)

// Event is something that happens in a run: one of Note, HeadsPlaced, Started, Stepped, Interval,
// Evaluating, EpochEnded, Saved, Warning, Flowed. All that displays or records a run reads events.
type Event interface{ event() }

// Reporter receives the events of a run, in order, on the goroutine that trains. It should return
// soon.
type Reporter func(Event)

// Started is the first event of a run; it describes the run.
type Started struct {
	Resumed       bool     `json:"resumed"`
	Step          int      `json:"step"` // updates done
	Steps         int      `json:"steps"`
	Epoch         int      `json:"epoch"` // epochs done
	Epochs        int      `json:"epochs"`
	StepImages    int      `json:"step_images"` // images in one update
	Parameters    int      `json:"parameters"`  // number of elements, in the trunk and all heads
	Heads         []string `json:"heads"`
	TrainImages   int      `json:"train_images"`
	TestImages    int      `json:"test_images"`
	Device        string   `json:"device"`
	Input         Input    `json:"-"`              // not in the log: the configuration has it
	JPEG          string   `json:"jpeg,omitempty"` // the program that decodes JPEG files (dataset.Set)
	Augments      bool     `json:"augments"`       // the device augments training images; otherwise the loader's goroutines do
	ArenaBytes    int64    `json:"arena_bytes"`    // size of the training plan's arena
	UnsharedBytes int64    `json:"unshared_bytes"` // its size if buffers shared no memory
	CacheBytes    int64    `json:"cache_bytes"`    // limit of the cache of decoded images (dataset.Set)

	// The log leaves out what other files of the run's folder have.
	Config      Config   `json:"-"`
	Folder      string   `json:"-"`
	Classes     []string `json:"-"`
	ClassImages []int    `json:"-"` // training images of each class; nil if counting would need decoding
}

// Stepped is one update. Its losses are means over its images, measured before the update.
type Stepped struct {
	Step, Steps int // updates done including this one, and updates in all
	Epoch       int // from 1
	EpochStep   int // updates done in this epoch
	EpochSteps  int
	LR          float64
	GradNorm    float64 // global L2 norm before clipping
	Result      Result
	Weights     []float64 // of the heads, in the order of Result.Heads
}

// Interval is the mean over several updates: a line of the log.
type Interval struct {
	Step            int       `json:"step"`
	Epoch           int       `json:"epoch"`
	LR              float64   `json:"lr"`
	GradNorm        float64   `json:"grad_norm"` // of the last update
	ImagesPerSecond float64   `json:"images_per_second"`
	Weights         []float64 `json:"head_weights"` // of the last update
	Train           Result    `json:"train"`
	// GradNorms are the L2 norms of the gradients of the parameters that Setup.GradNorms names, at
	// the last update, before clipping.
	GradNorms map[string]float64 `json:"grad_norms,omitempty"`
}

// Evaluating is the progress of an evaluation.
type Evaluating struct {
	Images, Of int
}

// EpochEnded is an epoch and its evaluation.
type EpochEnded struct {
	Epoch           int     `json:"epoch"` // from 1
	Step            int     `json:"step"`
	LR              float64 `json:"lr"` // of the last update
	Train           Result  `json:"train"`
	Test            Result  `json:"test"`
	Averaged        bool    `json:"averaged"` // the evaluation used the moving averages
	Best            bool    `json:"best"`     // the main head's accuracy is the highest so far
	ImagesPerSecond float64 `json:"images_per_second"`
	Seconds         float64 `json:"seconds"` // duration of training and evaluation
}

// Saved says that a checkpoint was written.
type Saved struct {
	Path string `json:"path"`
	Step int    `json:"step"`
}

// Warning is something that the user should know. The run goes on.
type Warning struct {
	Step    int    `json:"step"`
	Kind    string `json:"warning"` // dead_trunk, skipped_image, decoder, checkpoint, log, last, lock, data, or a gradflow.Alarm's kind
	Message string `json:"message"`
}

// Note is something that the user may not expect, such as a setting that was adapted to the data.
// Notes come before Started.
type Note struct{ Text string }

// HeadsPlaced says where a short run has placed the heads (Config.Heads "auto").
type HeadsPlaced struct {
	Heads        string            // in the form of Config.Heads
	Measurements int               // of the gradient flow
	Updates      int               // of the short run
	Scores       []gradflow.Choice // of all places, the best first
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

// The learning rate is not among them: the epoch's last interval has it.
func (e EpochEnded) scalars() (int, []tagged) {
	all := append(e.Test.scalars("test"), e.Train.scalars("epoch")...)
	return e.Step, append(all, tagged{"epoch/images_per_s", e.ImagesPerSecond}, tagged{"epoch/seconds", e.Seconds})
}

func (e Started) scalars() (int, []tagged) { return e.Step, nil }
func (e Saved) scalars() (int, []tagged)   { return e.Step, nil }
func (e Warning) scalars() (int, []tagged) { return e.Step, nil }
