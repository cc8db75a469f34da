package ablate

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns are the headings of the table's columns, with explanations.
var columns = []struct{ head, what string }{
	{"heads", "the variant, as --heads takes it"},
	{"runs", "finished, of all; and how many diverged"},
	{"test", "accuracy of the main head on the test images after the last epoch, in percent: mean and standard deviation over the seeds"},
	{"less none", "the difference from the network without heads at equal seeds, in points: mean, and half of its 95 % confidence interval by Student's t"},
	{"verdict", "keep or drop where the whole interval is above or below zero, no difference where it is within half a point; a variant that diverges where the baseline does not is dropped"},
	{"train loss", "of the main head in the last epoch"},
	{"learns", "epochs until the main head's training loss (mean over 50 updates) is below 0.9·ln(classes), which is where guessing ends; in brackets how many runs got there, if not all"},
	{"catches up", "epochs until that loss is as low as the baseline's in its last epoch"},
	{"stem gradient", "mean norm of the gradient of the first convolution in the first epoch"},
	{"time", "to train an epoch, relative to the baseline at equal seeds"},
}

// rows returns the table's cells.
func (r *Results) rows() [][]string {
	var out [][]string
	for _, v := range r.Variants {
		finished, diverged := 0, 0
		for _, one := range v.Runs {
			switch one.State {
			case Finished:
				finished++
			case Diverged:
				diverged++
			}
		}
		runs := fmt.Sprintf("%d/%d", finished, len(v.Runs))
		if diverged > 0 {
			runs += fmt.Sprintf(", %d diverged", diverged)
		}
		less := ""
		if v.Difference != nil && v.Difference.N > 0 {
			less = v.Difference.points()
		}
		got := func(s Sample) string {
			if s.N < finished {
				return fmt.Sprintf("%s (%d/%d)", s.text(1, "%.2f"), s.N, finished)
			}
			return s.text(1, "%.2f")
		}
		out = append(out, []string{v.Heads, runs, v.Top1.text(100, "%.2f"), less, string(v.Verdict), v.TrainLoss.text(1, "%.3f"),
			got(v.Learnt), got(v.Reached), v.Stem.text(1, "%.2g"), v.Cost.text(1, "%.2f")})
	}
	return out
}

// text returns a sample as mean ± standard deviation.
func (s Sample) text(factor float64, format string) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf(format, factor*s.Mean)
	}
	return fmt.Sprintf(format+" ± "+format, factor*s.Mean, factor*s.SD)
}

// Print writes the table for a terminal.
func (r *Results) Print(w io.Writer) error {
	table := [][]string{nil}
	for _, c := range columns {
		table[0] = append(table[0], c.head)
	}
	table = append(table, r.rows()...)
	width := make([]int, len(columns))
	for _, row := range table {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range table {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown returns the table with explanations of its columns.
func (r *Results) Markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s on %s\n\n%s, seeds %s. %s.\n\n", r.Model, r.Data, count(r.Epochs, "epoch"), strings.Trim(fmt.Sprint(r.Seeds), "[]"), r.Device)
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	var heads, lines []string
	for _, c := range columns {
		heads, lines = append(heads, c.head), append(lines, "---")
	}
	row(heads)
	row(lines)
	for _, cells := range r.rows() {
		cells[0] = "`" + cells[0] + "`"
		row(cells)
	}
	b.WriteString("\n")
	for _, v := range r.Variants[1:] {
		fmt.Fprintf(&b, "- %s\n", v.Conclusion())
	}
	b.WriteString("\n")
	for _, c := range columns {
		fmt.Fprintf(&b, "- **%s**: %s\n", c.head, c.what)
	}
	return []byte(b.String())
}
