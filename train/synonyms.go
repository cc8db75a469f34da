package train

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/nearest"
)

// This file knows the names that other programs use: the training scripts of torchvision and timm,
// Keras, Lightning, fastai and YOLO. A name that is only spelled differently is accepted. For a
// name with another meaning the user gets a hint.

// synonyms maps other programs' names of settings, and of flags that only commands have, to ours.
// An answer may contain a value after the name. If there are several answers, the first that a
// command has is right.
var synonyms = map[string][]string{
	// The network.
	"arch": {"model"}, "architecture": {"model"}, "net": {"model"}, "network": {"model"}, "model-name": {"model"}, "backbone": {"model"},
	"aux": {"heads"}, "aux-logits": {"heads"}, "aux-heads": {"heads"}, "auxiliary": {"heads"}, "head": {"heads"}, "auxiliary-heads": {"heads"},
	"aux-weight": {"heads default"}, "aux-loss-weight": {"heads default"},
	"img-size": {"image-size"}, "imgsz": {"image-size"}, "input-size": {"image-size"}, "size": {"image-size"}, "resolution": {"image-size"},
	"train-crop-size": {"image-size"}, "val-crop-size": {"image-size"}, "side": {"image-size"},
	"in-chans": {"channels"}, "in-channels": {"channels"}, "chans": {"channels"}, "input-channels": {"channels"},
	"width-mult": {"width"}, "width-multiplier": {"width"}, "num-classes": {"classes"},
	"pretrained": {"init"}, "weights": {"checkpoint", "init"}, "initial-checkpoint": {"init"}, "pretrained-path": {"init"}, "finetune": {"init"},
	"load-weights": {"checkpoint", "init"}, "init-weights": {"init"}, "model-path": {"checkpoint", "init"},
	// The data.
	"dataset": {"data"}, "data-path": {"data"}, "data-dir": {"data"}, "dataset-path": {"data"}, "datadir": {"data"}, "root": {"data"},
	"train-dir": {"data"}, "train-data": {"data"}, "folder": {"data"}, "input": {"data"}, "images": {"data"}, "tar": {"data"},
	"aug": {"augment"}, "augmentation": {"augment"}, "augmentations": {"augment"}, "transform": {"augment"}, "transforms": {"augment"},
	"auto-augment": {"augment"}, "aa": {"augment"}, "randaugment": {"augment"}, "rand-augment": {"augment"}, "hflip": {"augment flip"},
	"cutout": {"augment crop-flip-cutout"}, "random-erase": {"augment crop-flip-cutout"}, "reprob": {"augment crop-flip-cutout"},
	"ignore-errors": {"skip-bad"}, "skip-errors": {"skip-bad"}, "skip-corrupt": {"skip-bad"},
	// The training.
	"num-epochs": {"epochs"}, "n-epochs": {"epochs"}, "nepochs": {"epochs"}, "max-epochs": {"epochs"}, "epoch": {"epochs"}, "num-train-epochs": {"epochs"},
	"batch-size": {"batch"}, "batchsize": {"batch"}, "bs": {"batch"}, "b": {"batch"}, "train-batch-size": {"batch"}, "per-device-train-batch-size": {"batch"},
	"mini-batch-size": {"batch"}, "validation-batch-size": {"batch"},
	"grad-accum-steps": {"accumulate"}, "gradient-accumulation-steps": {"accumulate"}, "accum-iter": {"accumulate"}, "accumulate-grad-batches": {"accumulate"},
	"update-freq": {"accumulate"}, "grad-accum": {"accumulate"}, "accumulation-steps": {"accumulate"},
	"opt": {"optimizer"}, "optim": {"optimizer"}, "optimiser": {"optimizer"}, "solver": {"optimizer"},
	"learning-rate": {"lr"}, "learningrate": {"lr"}, "base-lr": {"lr"}, "lr-base": {"lr"}, "initial-lr": {"lr"}, "lr0": {"lr"}, "max-lr": {"lr"}, "eta": {"lr"}, "rate": {"lr"},
	"opt-eps": {"eps"}, "epsilon": {"eps"}, "adam-beta1": {"beta1"}, "adam-beta2": {"beta2"}, "rho": {"alpha"},
	"wd": {"weight-decay"}, "l2": {"weight-decay"}, "decay": {"weight-decay"}, "weight-decay-rate": {"weight-decay"},
	"clip-grad": {"clip-norm"}, "clip-grad-norm": {"clip-norm"}, "grad-clip": {"clip-norm"}, "gradient-clip-val": {"clip-norm"}, "clipnorm": {"clip-norm"},
	"global-clipnorm": {"clip-norm"}, "max-grad-norm": {"clip-norm"}, "gradient-clip": {"clip-norm"},
	"lr-scheduler": {"schedule"}, "lr-schedule": {"schedule"}, "scheduler": {"schedule"}, "sched": {"schedule"}, "lr-policy": {"schedule"},
	"learning-rate-schedule": {"schedule"}, "lr-scheduler-type": {"schedule"}, "cosine": {"schedule cosine"}, "cos-lr": {"schedule cosine"},
	"lr-step-size": {"schedule step:EPOCHS:FACTOR"}, "step-size": {"schedule step:EPOCHS:FACTOR"}, "decay-epochs": {"schedule step:EPOCHS:FACTOR"},
	"lr-gamma": {"schedule step:EPOCHS:FACTOR"}, "gamma": {"schedule step:EPOCHS:FACTOR"}, "lr-decay": {"schedule step:EPOCHS:FACTOR"}, "decay-rate": {"schedule step:EPOCHS:FACTOR"},
	"min-lr": {"schedule cosine:LEAST"}, "lr-min": {"schedule cosine:LEAST"},
	"warmup-epochs": {"warmup"}, "lr-warmup-epochs": {"warmup"}, "lr-warmup": {"warmup"}, "warm-up": {"warmup"}, "warmup-steps": {"warmup"}, "warmup-ratio": {"warmup"},
	"smoothing": {"label-smoothing"}, "label-smooth": {"label-smoothing"}, "label-smoothing-factor": {"label-smoothing"},
	"model-ema": {"ema 0.999"}, "ema-decay": {"ema"}, "model-ema-decay": {"ema"}, "use-ema": {"ema 0.999"},
	"random-seed": {"seed"}, "manual-seed": {"seed"}, "random-state": {"seed"},
	"amp": {"precision bf16"}, "fp16": {"precision bf16"}, "bf16": {"precision bf16"}, "half": {"precision bf16"}, "mixed-precision": {"precision bf16"},
	"tf32": {"precision tf32"}, "dtype": {"precision"}, "amp-dtype": {"precision"},
	// Where and how.
	"gpu": {"device cuda"}, "gpus": {"device cuda"}, "cuda": {"device cuda"}, "use-gpu": {"device cuda"}, "gpu-id": {"device cuda:N"}, "accelerator": {"device"},
	"cpu": {"device cpu"}, "no-cuda": {"device cpu"},
	"num-workers": {"workers"}, "nworkers": {"workers"}, "data-workers": {"workers"}, "j": {"workers"}, "dataloader-num-workers": {"workers"},
	"num-threads": {"threads"}, "nthreads": {"threads"}, "intra-op": {"threads"},
	"print-freq": {"log-every"}, "log-interval": {"log-every"}, "log-freq": {"log-every"}, "logging-steps": {"log-every"}, "log-every-n-steps": {"log-every"},
	"output": {"out"}, "output-dir": {"out"}, "o": {"out"}, "save-dir": {"out"}, "log-dir": {"out"}, "logdir": {"out"}, "project": {"out"}, "runs": {"out"},
	"default-root-dir": {"out"}, "save": {"out"}, "output-file": {"out"},
	"exp-name": {"name"}, "experiment": {"name"}, "run-name": {"name"}, "experiment-name": {"name"},
	// Flags of single commands.
	"ckpt": {"checkpoint", "resume"}, "ckpt-path": {"checkpoint", "resume"}, "checkpoint": {"resume"}, "resume": {"checkpoint"}, "run": {"checkpoint", "resume"},
	"resume-from": {"resume"}, "resume-from-checkpoint": {"resume"}, "load": {"checkpoint", "resume"}, "model": {"checkpoint"}, "m": {"checkpoint", "model"},
	"topk": {"top"}, "top-k": {"top"}, "k": {"top"}, "cfg": {"config"}, "c": {"config"}, "yaml": {"config"}, "config-file": {"config"}, "hyp": {"config"},
	"exit": {"exits", "early-exit"}, "early-exits": {"early-exit"}, "threshold": {"early-exit"}, "verbose": {"steps"},
}

// spelled maps other programs' spellings of values to ours. They are accepted.
var spelled = map[string]map[string]string{
	"precision": {"float32": "fp32", "single": "fp32", "32": "fp32", "f32": "fp32", "full": "fp32", "bfloat16": "bf16", "float64": "fp64", "double": "fp64", "64": "fp64", "f64": "fp64", "tensorfloat32": "tf32"},
	"device":    {"gpu": "cuda", "nvidia": "cuda"},
	"heads":     {"none": "none", "off": "none", "no": "none", "false": "none", "default": "default", "true": "default", "yes": "default", "paper": "default"},
}

// similar maps values that no setting has to the closest value, for a hint.
var similar = map[string]map[string]string{
	"precision": {"fp16": "bf16", "float16": "bf16", "half": "bf16", "16": "bf16", "amp": "bf16", "mixed": "bf16", "mixedfloat16": "bf16",
		"mixedbfloat16": "bf16", "16mixed": "bf16", "bf16mixed": "bf16", "fp8": "bf16"},
	"optimizer": {"adam": "adamw", "nadam": "adamw", "radam": "adamw", "lamb": "adamw", "lion": "adamw", "adamax": "adamw", "momentum": "sgd", "nesterov": "sgd",
		"sgdmomentum": "sgd", "lars": "sgd", "adagrad": "rmsprop", "adadelta": "rmsprop", "rmspropclassic": "rmsprop"},
	"augment": {"randaugment": "inception", "rand": "inception", "ra": "inception", "autoaugment": "inception", "aa": "inception", "trivialaugment": "inception",
		"tawide": "inception", "trivialaugmentwide": "inception", "augmix": "inception", "imagenet": "inception", "randomresizedcrop": "inception", "colorjitter": "inception",
		"jitter": "inception", "cutout": "crop-flip-cutout", "randomerasing": "crop-flip-cutout", "erase": "crop-flip-cutout", "mixup": "crop-flip-cutout",
		"cutmix": "crop-flip-cutout", "hflip": "flip", "horizontalflip": "flip", "mirror": "flip", "randomcrop": "crop-flip", "crop": "crop-flip", "cifar": "crop-flip",
		"off": "none", "no": "none", "false": "none", "true": "auto", "yes": "auto"},
	"schedule": {"multistep": "step", "multisteplr": "step", "steplr": "step", "stair": "step", "exp": "exponential", "exponentiallr": "exponential",
		"cosineannealing": "cosine", "cosineannealinglr": "cosine", "cosinedecay": "cosine", "cos": "cosine", "onecycle": "cosine", "onecyclelr": "cosine", "plateau": "cosine",
		"reducelronplateau": "cosine", "polynomial": "poly", "polynomiallr": "poly", "linear": "poly:1", "linearlr": "poly:1", "none": "constant", "fixed": "constant",
		"const": "constant"},
	"device": {"mps": "cpu", "rocm": "cuda", "hip": "cuda", "tpu": "cuda", "xla": "cuda", "auto": "cuda"},
	"model": {"inceptionv1": "googlenet", "inception1": "googlenet", "bninception": "googlenet", "inceptionv2": "googlenet", "inceptionresnet": "inception_resnet_v2",
		"inceptionresnetv1": "inception_resnet_v2", "tfinceptionv3": "inception_v3", "gluoninceptionv3": "inception_v3", "advinceptionv3": "inception_v3",
		"tfinceptionv4": "inception_v4", "ensadvinceptionresnetv2": "inception_resnet_v2"},
}

// Fold returns a name in lower case without separators, so that different spellings become equal.
func Fold(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(name))
}

// Meant returns the known setting or flag that a user means by another program's name for it,
// followed by a value if the answer contains one.
func Meant(name string, known []string) (string, bool) {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	if slices.Contains(known, name) {
		return name, true
	}
	for _, ours := range synonyms[name] {
		if key, _, _ := strings.Cut(ours, " "); slices.Contains(known, key) {
			return ours, true
		}
	}
	return "", false
}

// Nearest returns up to n of the known values of a setting that a user may mean by value.
func Nearest(key, value string, known []string, n int) []string {
	head, _, _ := strings.Cut(value, ":")
	if ours, ok := similar[key][Fold(head)]; ok {
		return []string{ours}
	}
	return nearest.Close(head, known, n)
}

// unknown returns an error for an unknown name, with a hint from Meant or the nearest names.
func unknown(what, name string, known []string) *graph.UnknownError {
	if ours, ok := Meant(name, known); ok {
		return &graph.UnknownError{What: what, Name: name, Means: ours}
	}
	return &graph.UnknownError{What: what, Name: name, Nearest: graph.Nearest(name, known, 3)}
}

// understood returns a value in the setting's own spelling. The part before the first colon may be
// in another program's spelling.
func (s Setting) understood(text string) string {
	head, rest, more := strings.Cut(text, ":")
	ours, ok := spelled[s.Key][Fold(head)]
	for _, k := range slices.Concat(s.Names, s.Forms) {
		if Fold(k) == Fold(head) {
			ours, ok = k, true
		}
	}
	switch {
	case !ok:
		return text
	case more:
		return ours + ":" + rest
	}
	return ours
}

// nearestNumber returns the number in a form that the setting accepts, if text is a number in
// another form: 100 for 1e2 or 100.0, 0.1 for 0,1.
func (s Setting) nearestNumber(text string) []string {
	v, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(text), ",", ".", 1), 64)
	if err != nil || !finite(v) {
		return nil
	}
	switch s.Value.(type) {
	case *int, *uint64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil
		}
		return []string{strconv.FormatFloat(v, 'f', 0, 64)}
	case *float64, *Number:
		return []string{strconv.FormatFloat(v, 'g', -1, 64)}
	}
	return nil
}
