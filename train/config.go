package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
)

// Config describes a run completely: with the same Config, data and machine kind, a run repeats bit for bit. The keys of a
// configuration file and the flags of the command line are the Settings of a Config.
type Config struct {
	// The network.
	Model        string  // network, by inception's name
	Heads        string  // auxiliary heads: default, none or specs
	HeadBalance  string  // how the heads' weights follow what training finds, one of auxhead.Balances
	HeadSchedule string  // course of the heads' weights
	ImageSize    int     // side of the input; 0 leaves it to the data and the network
	Channels     int     // of the images; 0 leaves it to the data
	Width        float64 // factor of all channel counts
	Init         string  // file of first weights; empty: drawn from the seed

	// The data.
	Data    string // data set, by dataset.Open's spec
	Augment string // training augmentation, one of Augmentations
	SkipBad bool   // go on without images that cannot be read
	Decode  string // how JPEGs are decoded for training, one of decodeModes

	// The network's input; see ResolveInput. "auto" is left open.
	Mean, Std       string // of the channels, in units of [0,1], with commas between
	Resize          string // shorter side in pixels that images are resized to, or squash
	Crop            Number // share of that side that is cut out of the middle
	Interpolation   string // how images are resized, one of augment.InterpolationNames
	EXIFOrientation bool   // images are turned as their EXIF says

	// The training.
	Epochs         int
	Batch          int // images that one pass takes
	Accumulate     int // passes whose gradients make one update
	Optimizer      string
	LR             Number // at the start, after the warm-up
	Momentum       Number
	Nesterov       bool
	Alpha          Number // RMSProp's decay of the squared gradient
	Beta1, Beta2   Number // AdamW
	Eps            Number
	WeightDecay    Number
	DecayAll       bool // decay biases and batch normalisation, too
	ClipNorm       float64
	Schedule       string // course of the learning rate
	Warmup         float64
	LabelSmoothing float64
	Distill        float64 // share of an auxiliary head's loss that the main head's answer has (graph.Loss)
	Temperature    float64 // of the distillation
	EMA            float64 // decay of the moving average of all parameters; 0: none

	Seed      uint64
	Precision string

	// Where the run takes place. Nothing of this changes a result.
	Device   string
	Threads  int
	Workers  int
	Cache    Number // GiB of decoded images of folders and archives that stay in memory; auto: a quarter of the machine's
	LogEvery int
	// GradflowEvery is how many updates lie between measurements of the gradient that every head sends to every layer; 0: none.
	GradflowEvery int
	Out           string
	Name          string
}

// Default is the run of a newcomer's first command: it takes a small network, the embedded data, and half a minute on two cores.
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

// ValueError says which setting has a value that is not possible, and what is.
type ValueError struct {
	Key     string
	Value   string
	Allowed string // "a number above 0"
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

// FitBatch lowers the batch where the training images do not fill as many batches as one update takes, and says so; "" where they do.
func (c *Config) FitBatch(images int) string {
	fits := images / c.Accumulate
	if c.Batch <= fits || fits < 1 {
		return ""
	}
	was := c.Batch
	c.Batch = fits
	return fmt.Sprintf("batch: %d instead of %d: there are only %d training images", fits, was, images)
}

// Differences lists the settings in which two configurations would give different results, one line each; here and there
// are what the two are called.
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
