package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
)

// Config describes a run completely: with the same Config, data and kind of machine, a run repeats
// bit for bit. The keys of a configuration file and the flags of the command line are the Settings
// of a Config.
type Config struct {
	// The network.
	Model        string  // network, by its name in package inception
	Heads        string  // auxiliary heads: default, none or specs
	HeadBalance  string  // how the heads' weights adapt during training, one of gradflow.Balances
	HeadSchedule string  // course of the heads' weights over time
	ImageSize    int     // side of the input; 0 takes the data's or the network's
	Channels     int     // of the images; 0 takes the data's
	Width        float64 // factor of all channel counts
	Init         string  // file with initial weights; empty: drawn from the seed

	// The data.
	Data    string // data set, in the syntax of dataset.Open
	Augment string // training augmentation, one of AugmentationNames
	SkipBad bool   // skip images that cannot be read
	Decode  string // how JPEGs are decoded for training, one of decodeModes

	// The network's input; ResolveInput fills in "auto".
	Mean, Std       string // of the channels, in units of [0,1], separated by commas
	Resize          string // length in pixels of the shorter side after resizing, or squash
	Crop            Number // share of that side that is cut out of the middle
	Interpolation   string // how images are resized, one of augment.InterpolationNames
	EXIFOrientation bool   // turn images as their EXIF says

	// The training.
	Epochs         int
	Batch          int // images in one pass
	Accumulate     int // passes whose gradients are added up for one update
	Optimizer      string
	LR             Number // after the warm-up
	Momentum       Number
	Nesterov       bool
	Alpha          Number // RMSProp's decay of the squared gradient
	Beta1, Beta2   Number // AdamW
	Eps            Number
	WeightDecay    Number
	DecayAll       bool // decay biases and batch normalisation too
	ClipNorm       float64
	Schedule       string // course of the learning rate
	Warmup         float64
	LabelSmoothing float64
	Distill        float64 // share of the main head's answer in an auxiliary head's loss (graph.Loss)
	Temperature    float64 // of the distillation
	EMA            float64 // decay of the moving average of all parameters; 0: no average

	Seed      uint64
	Precision string

	// Where the run takes place. None of these settings changes a result.
	Device   string
	Threads  int
	Workers  int
	Cache    Number // GiB of memory for decoded images of folders and archives; auto: a quarter of the machine's
	LogEvery int
	// GradflowEvery is the number of updates between measurements of the gradient that each head
	// sends to each layer; 0: no measurements.
	GradflowEvery int
	Out           string
	Name          string
}

// Default returns the configuration of a first run: a small network and the embedded data, half a
// minute on two cores.
func Default() Config {
	return Config{
		Model:        "inception_small",
		Heads:        "default",
		HeadSchedule: "constant",
		HeadBalance:  "none",
		Width:        1,
		Data:         "fashion-mnist-mini",
		Augment:      auto,
		Decode:       decodeFull,
		Mean:         auto, Std: auto, Resize: auto, Interpolation: auto,
		Epochs:      8,
		Batch:       32,
		Accumulate:  1,
		Optimizer:   string(graph.SGD),
		Schedule:    "cosine",
		Warmup:      0.5,
		Temperature: 3,
		Seed:        1,
		Precision:   string(graph.FP32),
		Device:      "cpu",
		LogEvery:    20,
		Out:         "runs",
	}
}

// ValueError says which setting has an impossible value, and which values are possible.
type ValueError struct {
	Key     string
	Value   string
	Allowed string // such as "a number above 0"
	Nearest []string
}

func (e *ValueError) Error() string {
	s := fmt.Sprintf("%s: %q is not possible: %s", e.Key, e.Value, e.Allowed)
	if len(e.Nearest) > 0 {
		s += "; did you mean " + e.Nearest[0] + "?"
	}
	return s
}

// Check returns an error that names every impossible setting, its value and what is allowed.
func (c *Config) Check() error {
	var errs []error
	for _, s := range c.Settings() {
		if err := s.check(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if c.Warmup >= float64(c.Epochs) {
		return &ValueError{Key: "warmup", Value: fmt.Sprint(c.Warmup), Allowed: fmt.Sprintf("a number of epochs below the run's %d", c.Epochs)}
	}
	if c.HeadBalance == "pcgrad" && c.Accumulate > 1 {
		return &ValueError{Key: "head-balance", Value: c.HeadBalance, Allowed: fmt.Sprintf("it looks at whole updates, which here are made of %d batches: set accumulate to 1", c.Accumulate)}
	}
	heads, err := auxhead.ParseSchedule(c.HeadSchedule)
	if err == nil {
		err = heads.CheckRun(c.Epochs)
	}
	if err == nil {
		_, err = c.Update()
	}
	return err
}

// FitBatch lowers the batch if there are too few training images for the batches of one update. It
// returns a note about the change, or "" if there is none.
func (c *Config) FitBatch(images int) string {
	fits := images / c.Accumulate
	if c.Batch <= fits || fits < 1 {
		return ""
	}
	was := c.Batch
	c.Batch = fits
	return fmt.Sprintf("batch: %d instead of %d: there are only %d training images", fits, was, images)
}

// Differences lists the settings in which two configurations would give different results, one line
// each. The lines call c here and other there.
func (c *Config) Differences(here string, other *Config, there string) []string {
	a, b := *c, *other
	a.Resolve()
	b.Resolve()
	var out []string
	theirs := b.Settings()
	for i, s := range a.Settings() {
		if v, w := s.String(), theirs[i].String(); v != w && !s.Local {
			out = append(out, fmt.Sprintf("%s: %s in the %s, %s %s", s.Key, quoteEmpty(v), here, quoteEmpty(w), there))
		}
	}
	return out
}

func quoteEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
