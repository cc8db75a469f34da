package ablate

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"github.com/tributary-ml/tributary/train"
)

// Results are the results of an ablation so far.
type Results struct {
	Model      string           `json:"model"`
	Data       string           `json:"data"`
	Epochs     int              `json:"epochs"`
	Device     string           `json:"device"`
	Seeds      []uint64         `json:"seeds"`
	LearntLoss float64          `json:"learnt_loss"` // loss of the main head below which it has learnt something
	Stem       string           `json:"stem"`        // the parameter whose gradient is StemGradient
	Variants   []*VariantResult `json:"variants"`    // the baseline is first
	Files      []string         `json:"-"`           // files written to the ablation's folder
}

// VariantResult is a variant's result over the seeds. Samples are over its finished runs.
type VariantResult struct {
	Heads      string       `json:"heads"`
	Top1       Sample       `json:"top1"`       // the main head's accuracy on the test images after the last epoch
	TrainLoss  Sample       `json:"train_loss"` // of the main head in the last epoch
	Learnt     Sample       `json:"learnt"`     // see RunResult; over the runs that reached the loss
	Reached    Sample       `json:"reached"`    // see RunResult; over the runs that reached the loss
	Stem       Sample       `json:"stem_gradient"`
	Cost       Sample       `json:"cost"`       // training time of an epoch relative to the baseline's at the same seed
	Difference *Difference  `json:"difference"` // in accuracy from the baseline at the same seeds; null for the baseline
	Verdict    Verdict      `json:"verdict,omitempty"`
	Runs       []*RunResult `json:"runs"` // by seed
}

// RunResult is one run.
type RunResult struct {
	Seed      uint64  `json:"seed"`
	Folder    string  `json:"folder"` // within the ablation's folder
	State     State   `json:"state"`
	Note      string  `json:"note,omitempty"` // why it diverged
	Top1      float64 `json:"top1"`           // after the last epoch that is done
	TrainLoss float64 `json:"train_loss"`     // in the last epoch that is done
	// Learnt and Reached are numbers of epochs, possibly fractions. After them the main head's
	// training loss, as a mean over the last span updates, was for the first time at most
	// LearntLoss, or the baseline's TrainLoss at the same seed. 0 means that it never was.
	Learnt  float64 `json:"learnt_after"`
	Reached float64 `json:"reached_baseline_after"`
	Stem    float64 `json:"stem_gradient"` // mean norm in the first epoch
	Seconds float64 `json:"epoch_seconds"` // training time alone, the median over epochs
	Device  string  `json:"device"`        // the device on which it ended
	heads   string  // of the variant

	intervals []train.Interval
	epochs    []train.EpochEnded
	updates   float64 // updates in an epoch; 0 until a run of the ablation has finished an epoch
}

// span is the number of updates over which the training loss at a moment is averaged.
const span = 50

// learnt is the share of ln(classes), the loss of guessing, below which a head has learnt
// something.
const learnt = 0.9

// collect reads the runs' folders.
func (a *Ablation) collect() (*Results, error) {
	c := a.Plan.Base
	out := &Results{Model: c.Model, Data: c.Data, Epochs: c.Epochs, Seeds: a.Plan.Seeds, LearntLoss: learnt * math.Log(float64(a.Classes))}
	byVariant := map[string]*VariantResult{}
	for _, v := range a.Plan.Variants {
		byVariant[v] = &VariantResult{Heads: v}
		out.Variants = append(out.Variants, byVariant[v])
	}
	for _, r := range a.Plan.Runs(a.Folder) {
		one, err := out.read(r)
		if err != nil {
			return nil, err
		}
		byVariant[r.Variant].Runs = append(byVariant[r.Variant].Runs, one)
	}
	updates := 0
	for _, run := range out.runs() {
		for _, e := range run.epochs {
			updates = e.Step / e.Epoch
		}
	}
	for _, run := range out.runs() {
		run.updates = float64(updates)
		run.Learnt = run.firstBelow(out.LearntLoss)
	}
	base := out.Variants[0]
	for _, v := range out.Variants {
		v.compare(base)
	}
	return out, nil
}

// read reads a run's folder, as far as the run has come.
func (r *Results) read(run *Run) (*RunResult, error) {
	out := &RunResult{Seed: run.Seed, Folder: filepath.Join(folderName(run.Variant), run.Config.Name), heads: run.Variant}
	state, summary, err := run.state()
	if err != nil {
		return nil, err
	}
	out.State = state
	if summary != nil {
		out.Note, out.Device = summary.Diverged, summary.Device
	}
	if r.Device == "" {
		r.Device = out.Device
	}
	out.intervals, out.epochs, err = run.Folder.ReadLog()
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, i := range out.intervals {
		for name := range i.GradNorms {
			r.Stem = name
		}
	}
	out.Stem = out.stemIn(1)
	if n := len(out.epochs); n > 0 {
		last := out.epochs[n-1]
		out.Top1, out.TrainLoss = last.Test.Main().Top1, last.Train.Main().Loss
		var seconds []float64
		for _, e := range out.epochs {
			seconds = append(seconds, trainSeconds(e))
		}
		slices.Sort(seconds)
		out.Seconds = (seconds[(n-1)/2] + seconds[n/2]) / 2
	}
	return out, nil
}

// trainSeconds returns the time to train a whole epoch at its measured images a second. The
// measured time would not do: in a resumed run it covers only a part of the epoch.
func trainSeconds(e train.EpochEnded) float64 {
	if e.ImagesPerSecond == 0 {
		return 0
	}
	return float64(e.Train.Images) / e.ImagesPerSecond
}

// stemIn returns the mean norm of the stem's gradient in an epoch.
func (r *RunResult) stemIn(epoch int) float64 {
	var norms []float64
	for _, i := range r.intervals {
		for _, v := range i.GradNorms { // it has only the stem's
			if i.Epoch == epoch {
				norms = append(norms, v)
			}
		}
	}
	return sample(norms).Mean
}

// position returns the position of an update in epochs.
func (r *RunResult) position(step int) float64 {
	if r.updates == 0 {
		return 0
	}
	return float64(step) / r.updates
}

// firstBelow returns the first position at which the main head's training loss, as a mean over span
// updates, is at most loss; 0 if it never is.
func (r *RunResult) firstBelow(loss float64) float64 {
	for i, at := range r.intervals {
		images, sum, from := 0, 0.0, 0
		for j := i; j >= 0; j-- {
			images += r.intervals[j].Train.Images
			sum += float64(r.intervals[j].Train.Images) * r.intervals[j].Train.Main().Loss
			if from = 0; j > 0 {
				from = r.intervals[j-1].Step
			}
			if at.Step-from >= span {
				break
			}
		}
		if (at.Step-from >= span || i == len(r.intervals)-1) && sum/float64(images) <= loss {
			return r.position(at.Step)
		}
	}
	return 0
}

// compare fills in a variant's samples and its difference from the baseline at equal seeds.
func (v *VariantResult) compare(base *VariantResult) {
	var top1, loss, learnt, reached, stem, cost, better []float64
	var diverged, rescued int
	for i, r := range v.Runs {
		b := base.Runs[i]
		if b.State == Finished {
			r.Reached = r.firstBelow(b.TrainLoss)
		}
		switch {
		case r.State == Diverged && b.State == Finished:
			diverged++
		case r.State == Finished && b.State == Diverged:
			rescued++
		}
		if r.State != Finished {
			continue
		}
		top1, loss, stem = append(top1, r.Top1), append(loss, r.TrainLoss), append(stem, r.Stem)
		if r.Learnt > 0 {
			learnt = append(learnt, r.Learnt)
		}
		if r.Reached > 0 {
			reached = append(reached, r.Reached)
		}
		if b.State != Finished {
			continue
		}
		better = append(better, r.Top1-b.Top1)
		if b.Seconds > 0 {
			cost = append(cost, r.Seconds/b.Seconds)
		}
	}
	v.Top1, v.TrainLoss, v.Learnt, v.Reached, v.Stem, v.Cost = sample(top1), sample(loss), sample(learnt), sample(reached), sample(stem), sample(cost)
	if v != base {
		d := difference(better)
		v.Difference, v.Verdict = &d, d.verdict(diverged, rescued)
	}
}

// Conclusion returns a variant's verdict in words: "inception4a:0.3: +0.60 ± 0.20 points at 3
// seeds, keep".
func (v *VariantResult) Conclusion() string {
	d := v.Difference
	if d == nil || d.N == 0 {
		return fmt.Sprintf("%s: %s", v.Heads, v.Verdict)
	}
	return fmt.Sprintf("%s: %s points at %s, %s", v.Heads, d.points(), count(d.N, "seed"), v.Verdict)
}

// points returns a difference in points, with half of its confidence interval.
func (d *Difference) points() string {
	if d.N < 2 {
		return fmt.Sprintf("%+.2f", 100*d.Mean)
	}
	return fmt.Sprintf("%+.2f ± %.2f", 100*d.Mean, 100*d.Half)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
