package ablate

import (
	"bytes"
	"encoding/csv"
	"strconv"
)

func number(v float64) string { return strconv.FormatFloat(v, 'g', 7, 64) }

// csvText returns rows as comma-separated values. It cannot fail, because it writes to memory.
func csvText(rows [][]string) []byte {
	var b bytes.Buffer
	csv.NewWriter(&b).WriteAll(rows)
	return b.Bytes()
}

// runs returns all runs, variant by variant.
func (r *Results) runs() []*RunResult {
	var out []*RunResult
	for _, v := range r.Variants {
		out = append(out, v.Runs...)
	}
	return out
}

// Curves returns a CSV of every run by epoch: losses and accuracy of the main head.
func (r *Results) Curves() []byte {
	rows := [][]string{{"heads", "seed", "epoch", "step", "train_loss", "train_top1", "test_loss", "test_top1", "stem_gradient", "train_seconds"}}
	for _, run := range r.runs() {
		for _, e := range run.epochs {
			rows = append(rows, []string{run.heads, strconv.FormatUint(run.Seed, 10), strconv.Itoa(e.Epoch), strconv.Itoa(e.Step),
				number(e.Train.Main().Loss), number(e.Train.Main().Top1), number(e.Test.Main().Loss), number(e.Test.Main().Top1),
				number(run.stemIn(e.Epoch)), number(trainSeconds(e))})
		}
	}
	return csvText(rows)
}

// Steps returns a CSV of every run by interval: the main head's training loss, and the norms of the
// stem's gradient and of the whole gradient in the interval's last update.
func (r *Results) Steps() []byte {
	rows := [][]string{{"heads", "seed", "epoch", "step", "train_loss", "stem_gradient", "gradient"}}
	for _, run := range r.runs() {
		for _, i := range run.intervals {
			rows = append(rows, []string{run.heads, strconv.FormatUint(run.Seed, 10), number(run.position(i.Step)), strconv.Itoa(i.Step),
				number(i.Train.Main().Loss), number(i.GradNorms[r.Stem]), number(i.GradNorm)})
		}
	}
	return csvText(rows)
}
