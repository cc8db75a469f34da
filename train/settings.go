package train

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tributary-ml/tributary/augment"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
)

// Setting is one value of a Config: a key of a configuration file, and a flag of the command line.
type Setting struct {
	Key   string
	Group string   // heading under which help lists it
	Usage string   // one line on what it does; a word in backquotes names the value
	Value any      // pointer into the Config: *string, *int, *uint64, *float64, *bool or *Number
	Names []string // all allowed values, if the setting is a name
	Forms []string // the beginnings of its values, if it has a small language of its own
	Local bool     // changes no result: it says where the run takes place or how it is shown

	list    bool   // a file may write it as a list
	allowed string // the allowed values in words
	ok      func() bool
	parse   func(string) error // checks a value in a small language of its own
}

// The groups of settings.
const (
	groupNetwork  = "Network"
	groupData     = "Data"
	groupTraining = "Training"
	groupRun      = "Run"
)

// The sizes to which training images are decoded.
const (
	decodeFull   = "full"
	decodeScaled = "scaled"
)

var decodeModes = []string{decodeFull, decodeScaled}

// Settings returns all settings of c, in the order of a configuration file.
func (c *Config) Settings() []Setting {
	b := settingsBuilder{}
	b.group = groupNetwork
	b.text("model", &c.Model, "`network` to train: tributary inspect lists them")
	b.text("heads", &c.Heads, "auxiliary heads: default, none, auto[:weight[:kind]] (a short run finds the places), or `SPECS` where[:weight[:kind]] with commas between; where is a name, a pattern, or every:N")
	b.parsed("head-schedule", &c.HeadSchedule, auxhead.ScheduleNames(),
		"`course` of the heads' weights: constant; linear or cosine to zero, both with [:FRACTION] of the run; until:EPOCH, then zero",
		func(s string) error { _, err := auxhead.ParseSchedule(s); return err })
	b.name("head-balance", &c.HeadBalance, gradflow.Balances(), "`way` in which the heads' weights follow what training finds: none; uncertainty (Kendall et al. 2018); pcgrad (Yu et al. 2020), which costs a pass for each head")
	b.whole("image-size", &c.ImageSize, 0, 4096, "`side` of the network's input in pixels; 0: the data's, or the network's where the data varies")
	b.number("channels", &c.Channels, "0, 1 or 3", func() bool { return c.Channels == 0 || c.Channels == 1 || c.Channels == 3 },
		"`channels` of the images: 3 repeats grey, 1 makes grey; 0: the data's")
	b.real("width", &c.Width, "a number above 0 and at most 16", func() bool { return c.Width > 0 && c.Width <= 16 },
		"`factor` of the channel counts, of networks that scale")
	b.add(Setting{Key: "init", Value: &c.Init, Usage: "first weights from a `file`: safetensors with torchvision's or timm's names, or a checkpoint"})

	b.group = groupData
	b.text("data", &c.Data, "`set` to train on: fashion-mnist-mini, or fashion-mnist, mnist, cifar10, folder, tar, each with :DIR")
	b.name("augment", &c.Augment, AugmentationNames(), "`augmentation` of training images")
	b.floats("mean", &c.Mean, "`mean` of the channels, of pixels from 0 to 1, with commas between; auto: what --init says, or the network's own, of sets of small images the set's", parseMean)
	b.floats("std", &c.Std, "`deviation` of the channels, in the same way", parseStd)
	b.parsed("resize", &c.Resize, []string{auto, squash}, "`pixels` that the shorter side of test images is resized to, before the middle is cut out; squash: the whole image is resized; auto: by --crop, or as mean",
		func(s string) error { _, err := parseResize(s); return err })
	b.open("crop", &c.Crop, "a number above 0 and at most 1", func(v float64) bool { return v > 0 && v <= 1 }, "`share` of the shorter side that is cut out; auto: as mean")
	b.add(Setting{Key: "interpolation", Value: &c.Interpolation, Names: append([]string{auto}, augment.InterpolationNames()...),
		Usage: "`way` to resize test images, and training images of augment none, flip and crop-flip-cutout: " + joinOr(augment.InterpolationNames()) + ", as Pillow 13, and Pillow 12, resize; auto: as mean"})
	b.flag("exif-orientation", &c.EXIFOrientation, "turn images as their EXIF says; otherwise they stay as they are stored, as in torchvision")
	b.local = true // a run without bad images is the same without it, and a run with one could not go on
	b.flag("skip-bad", &c.SkipBad, "go on without images that cannot be read")
	b.local = false
	b.name("decode", &c.Decode, decodeModes, "`size` that training JPEGs are decoded at: full, the pixels of Pillow and torchvision, which the cache keeps; scaled, a half, a quarter or an eighth "+
		"where the crop has as many pixels as the network even so: faster for photographs of several megapixels, other pixels, and the cache keeps only images too small for it (evaluations are at full size)")

	b.group = groupTraining
	b.whole("epochs", &c.Epochs, 1, 1<<20, "`passes` over the training images")
	b.whole("batch", &c.Batch, 1, 1<<16, "`images` in a batch")
	b.whole("accumulate", &c.Accumulate, 1, 1<<16, "`batches` whose gradients make one update")
	b.name("optimizer", &c.Optimizer, ruleNames(), "update `rule`")
	b.open("lr", &c.LR, "a number above 0", func(v float64) bool { return v > 0 }, "learning `rate`"+autoHelp("lr"))
	b.open("momentum", &c.Momentum, inUnit, unit, "`momentum`"+autoHelp("momentum"))
	b.flag("nesterov", &c.Nesterov, "Nesterov's momentum, of sgd")
	b.open("alpha", &c.Alpha, inUnit, unit, "`decay` of the squared gradient"+autoHelp("alpha"))
	b.open("beta1", &c.Beta1, inUnit, unit, "`decay` of the first moment"+autoHelp("beta1"))
	b.open("beta2", &c.Beta2, inUnit, unit, "`decay` of the second moment"+autoHelp("beta2"))
	b.open("eps", &c.Eps, "a number above 0", func(v float64) bool { return v > 0 }, "`epsilon`"+autoHelp("eps"))
	b.open("weight-decay", &c.WeightDecay, atLeast0, func(v float64) bool { return v >= 0 }, "weight `decay`"+autoHelp("weight-decay"))
	b.flag("decay-all", &c.DecayAll, "decay biases and batch normalisation, too")
	b.real("clip-norm", &c.ClipNorm, atLeast0, func() bool { return c.ClipNorm >= 0 }, "largest global `norm` of the gradient; 0: no limit")
	b.parsed("schedule", &c.Schedule, ScheduleNames(), "`course` of the learning rate: "+scheduleHelp(), func(s string) error { _, err := ParseSchedule(s); return err })
	b.real("warmup", &c.Warmup, atLeast0, func() bool { return c.Warmup >= 0 }, "`epochs` over which the learning rate rises from 0")
	b.real("label-smoothing", &c.LabelSmoothing, inUnit, func() bool { return unit(c.LabelSmoothing) }, "`share` of a target that goes to all classes, in every head")
	b.real("distill", &c.Distill, inUnit, func() bool { return unit(c.Distill) }, "`share` of an auxiliary head's loss that is to agree with the main head (self-distillation)")
	b.real("temperature", &c.Temperature, "a number above 0", func() bool { return c.Temperature > 0 }, "`temperature` of the distillation")
	b.real("ema", &c.EMA, inUnit, func() bool { return unit(c.EMA) }, "`decay` of a moving average of all parameters, which is then evaluated; 0: none")
	b.add(Setting{Key: "seed", Value: &c.Seed, Usage: "`seed` of everything random"})
	b.name("precision", &c.Precision, []string{string(graph.FP32), string(graph.TF32), string(graph.BF16), string(graph.FP64)},
		"`precision` to compute in. fp64 is for reference, on a CPU; there tf32 and bf16 are float64, rounded where a GPU rounds: slow, too")

	b.group = groupRun
	b.local = true
	b.parsed("device", &c.Device, deviceKinds, "`device` to train on: cpu, cuda or cuda:N", func(s string) error { _, _, err := ParseDevice(s); return err })
	b.whole("threads", &c.Threads, 0, 1<<12, "`threads` that compute; 0: one for each CPU")
	b.whole("workers", &c.Workers, 0, 1<<12, "`goroutines` that read images; 0: one for each CPU")
	b.open("cache", &c.Cache, atLeast0, func(v float64) bool { return v >= 0 }, "`GiB` of memory for images of folders and archives, so that they are decoded once; auto: a quarter of the machine's")
	b.whole("log-every", &c.LogEvery, 1, 1<<20, "`updates` between lines of the log")
	b.whole("gradflow-every", &c.GradflowEvery, 0, 1<<20, "`updates` between measurements of the gradient that every head sends to every layer; 0: none")
	b.text("out", &c.Out, "`folder` of all runs")
	b.add(Setting{Key: "name", Value: &c.Name, Usage: "`name` of this run's folder; empty: the time and the network",
		allowed: "a name without a slash, and not " + LastRun + ", which stands for the newest run", ok: func() bool { return validName(c.Name) && c.Name != LastRun }})
	return b.list
}

// String returns the value as a flag or a file writes it.
func (s Setting) String() string {
	switch v := s.Value.(type) {
	case *string:
		return *v
	case *int:
		return strconv.Itoa(*v)
	case *uint64:
		return strconv.FormatUint(*v, 10)
	case *float64:
		return strconv.FormatFloat(*v, 'g', -1, 64)
	case *bool:
		return strconv.FormatBool(*v)
	default:
		return fmt.Sprint(s.Value)
	}
}

// Set parses a value in the form that String writes, or in another program's spelling.
func (s Setting) Set(text string) error {
	var err error
	kind := "a text"
	switch v := s.Value.(type) {
	case *string:
		*v = s.understood(text)
	case *int:
		kind = "a whole number"
		*v, err = strconv.Atoi(text)
	case *uint64:
		kind = "a whole number from 0"
		*v, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		kind = "a number"
		*v, err = strconv.ParseFloat(text, 64)
	case *bool:
		kind = "true or false"
		*v, err = strconv.ParseBool(text)
	case *Number:
		kind = "a number or auto"
		err = v.Set(text)
	}
	if err != nil {
		return &ValueError{Key: s.Key, Value: text, Allowed: "it is " + kind, Nearest: s.nearestNumber(text)}
	}
	return nil
}

func (s Setting) check() error {
	if v, ok := s.Value.(*float64); ok && !finite(*v) {
		return &ValueError{Key: s.Key, Value: s.String(), Allowed: "it is " + s.allowed}
	}
	if s.Names != nil && !slices.Contains(s.Names, s.String()) {
		return &ValueError{s.Key, s.String(), "it is one of " + joinOr(s.Names), Nearest(s.Key, s.String(), s.Names, 1)}
	}
	if s.parse != nil {
		if err := s.parse(s.String()); err != nil {
			if u := (*graph.UnknownError)(nil); errors.As(err, &u) {
				u.Nearest, u.All = Nearest(s.Key, s.String(), s.Forms, 2), s.Forms
			}
			return fmt.Errorf("%s: %w", s.Key, err)
		}
	}
	if s.ok != nil && !s.ok() {
		return &ValueError{Key: s.Key, Value: s.String(), Allowed: "it is " + s.allowed}
	}
	return nil
}

// Texts for ranges that several settings share.
const (
	atLeast0 = "a number from 0"
	inUnit   = "a number from 0 to below 1"
)

func unit(v float64) bool { return v >= 0 && v < 1 }

func validName(s string) bool {
	return s != "." && s != ".." && !slices.ContainsFunc([]rune(s), func(r rune) bool { return r == '/' || r == '\\' || r < ' ' })
}

func joinOr(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	s := names[0]
	for _, n := range names[1 : len(names)-1] {
		s += ", " + n
	}
	return s + " or " + names[len(names)-1]
}
