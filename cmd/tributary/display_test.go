package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/train"
)

// onTerminal returns a display on a terminal whose width may change.
func onTerminal(width *int) (*display, *bytes.Buffer) {
	var out bytes.Buffer
	d := newDisplay(&out)
	d.out.size = func() int { return *width }
	return d, &out
}

// heads returns the results of the main head and n others.
func heads(n int) []train.HeadResult {
	all := []train.HeadResult{{Name: "main", Loss: 1.5, Top1: 0.5}}
	for i := range n {
		all = append(all, train.HeadResult{Name: fmt.Sprintf("aux%d", i+1), Loss: 2.5 + float64(i), Top1: 0.25})
	}
	return all
}

// vt is the screen of a terminal that knows the sequences a bar needs.
type vt struct {
	width    int
	rows     [][]rune
	row, col int
}

func (v *vt) write(t *testing.T, text string) {
	t.Helper()
	line := func() []rune { return v.rows[v.row] }
	for text != "" {
		if v.row == len(v.rows) {
			v.rows = append(v.rows, nil)
		}
		r := []rune(text)[0]
		n := len(string(r))
		switch {
		case strings.HasPrefix(text, "\x1b[K"):
			v.rows[v.row] = line()[:min(v.col, len(line()))]
			n = 3
		case strings.HasPrefix(text, "\x1b[J"):
			v.rows[v.row] = line()[:min(v.col, len(line()))]
			v.rows = v.rows[:v.row+1]
			n = 3
		case r == 0x1b:
			up := regexp.MustCompile(`^\x1b\[(\d+)A`).FindStringSubmatch(text)
			require.NotNil(t, up, "%q", text)
			var rows int
			fmt.Sscan(up[1], &rows)
			v.row -= rows
			n = len(up[0])
		case r == '\r':
			v.col = 0
		case r == '\n':
			v.row, v.col = v.row+1, 0
		default:
			if v.col == v.width {
				v.row, v.col = v.row+1, 0
				if v.row == len(v.rows) {
					v.rows = append(v.rows, nil)
				}
			}
			v.rows[v.row] = append(v.rows[v.row][:v.col], r)
			v.col++
		}
		text = text[n:]
	}
}

// resize breaks the last line again, as terminals do.
func (v *vt) resize(width int) {
	v.width = width
	last := v.rows[v.row]
	v.rows = v.rows[:v.row]
	for len(last) > width {
		v.rows = append(v.rows, last[:width:width])
		last = last[width:]
	}
	v.rows = append(v.rows, last)
	v.row, v.col = len(v.rows)-1, len(last)
}

func (v *vt) String() string {
	var lines []string
	for _, r := range v.rows {
		lines = append(lines, strings.TrimRight(string(r), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// The bar stays on one line for any terminal width, any number of heads, and a change of width.
func TestBarFits(t *testing.T) {
	for _, width := range []int{1, 12, 20, 40, 59, 60, 61, 72, 79, 80, 83, 84, 120, 200} {
		for _, n := range []int{0, 2, 9} {
			size := width
			d, out := onTerminal(&size)
			v := vt{width: width}
			show := func() {
				v.write(t, out.String())
				out.Reset()
			}
			d.report(train.Started{Config: train.Default(), Classes: []string{"a", "b"}, Folder: "runs/x", Steps: 2000, Epochs: 12, StepImages: 8, Heads: []string{"main"}})
			d.interval.ImagesPerSecond = 12345.6
			show()
			before := v.String()
			for i := range 200 {
				d.shown = time.Time{}
				if i == 100 {
					size = max(1, width*2/3)
					v.resize(size)
				}
				d.report(train.Stepped{Step: i + 1, Steps: 2000, Epoch: 11, EpochStep: i + 1, EpochSteps: 200, Result: train.Result{Heads: heads(n)}})
				show()
				rest := strings.TrimPrefix(strings.TrimPrefix(v.String(), before), "\n")
				require.NotContains(t, rest, "\n", "%d columns, %d heads, step %d", width, n, i)
				if size >= 20 {
					require.Contains(t, rest, "epoch 11/12", "%d columns, %d heads", width, n)
				}
				require.True(t, size <= 4 || strings.Contains(rest, fmt.Sprintf("%d%%", (i+1)/2)), "%d columns: %q", width, rest)
			}
			d.shown = time.Time{}
			d.report(train.Evaluating{Images: 10, Of: 20})
			show()
			d.report(train.Warning{Message: "careful"})
			show()
			words := strings.Fields(before + " warning: careful")
			require.Equal(t, strings.Join(words, ""), strings.Join(strings.Fields(v.String()), ""), "the bar is gone")
		}
	}
}

// Parts for which there is no room are left out, the least important first.
func TestBarDrops(t *testing.T) {
	b := barLine{title: "epoch 1/8", losses: []string{"main 0.500", "aux1 0.600", "aux2 0.700"}, done: 1, of: 2, rate: "1,234 images/s", left: "20s left"}
	for width, want := range map[int]string{
		200: "epoch 1/8  loss main 0.500 aux1 0.600 aux2 0.700  50% [========        ] 1,234 images/s 20s left",
		90:  "epoch 1/8  loss main 0.500 aux1 0.600 aux2 0.700  50% [=====     ] 1,234 images/s 20s left",
		85:  "epoch 1/8  loss main 0.500 aux1 0.600 aux2 0.700  50% [==   ] 1,234 images/s 20s left",
		84:  "epoch 1/8  loss main 0.500 aux1 0.600 …  50% [==   ] 1,234 images/s 20s left",
		65:  "epoch 1/8  loss main 0.500 …  50% [==   ] 1,234 images/s 20s left",
		64:  "epoch 1/8  loss main 0.500 …  50% [==   ] 20s left",
		49:  "epoch 1/8  loss main 0.500 …  50% [==   ]",
		40:  "epoch 1/8  loss main 0.500 …  50%",
		30:  "epoch 1/8  50%",
		13:  "50%",
		2:   "",
	} {
		require.Equal(t, want, b.fit(width), width)
	}
	require.Equal(t, "testing  50% [========        ]", barLine{title: "testing", done: 5, of: 10}.fit(79))
	require.Equal(t, "testing   0%", barLine{title: "testing"}.fit(12), "of nothing")
	require.Equal(t, "epoch 1/8  loss 猫 0.500 …  50%", barLine{title: "epoch 1/8", losses: []string{"猫 0.500", "aux"}, done: 1, of: 2}.fit(32), "in columns, not bytes")
}

// The table of epochs has one heading and fits, in several lines if necessary.
func TestTableFits(t *testing.T) {
	for _, n := range []int{0, 2, 9} {
		for _, width := range []int{20, 40, 60, 80, 120, 0} {
			var tab table
			text := ""
			for epoch := range 3 {
				e := train.EpochEnded{Epoch: epoch + 1, LR: 1.234e-5, Train: train.Result{Total: 1.25}, Test: train.Result{Total: 2.5, Heads: heads(n)}, Best: epoch == 1, ImagesPerSecond: 12345, Seconds: 61}
				text += tab.row(epochCells(e, 100), width)
			}
			for line := range strings.SplitSeq(text, "\n") {
				require.True(t, width == 0 || columns(line) <= width, "%d heads, %d columns: %q", n, width, line)
			}
			require.Equal(t, 1, strings.Count(text, "epoch"))
			require.Equal(t, 1, strings.Count(text, "best"))
			require.Equal(t, 3, strings.Count(text, "50.00%"))
			require.Equal(t, 3*n, strings.Count(text, "25.00%"))
			if width == 0 {
				require.Equal(t, 6, strings.Count(text, "\n"), text)
			}
		}
	}
	var tab table
	e := train.EpochEnded{Epoch: 1, LR: 0.05, Train: train.Result{Total: 1.25}, Test: train.Result{Total: 2.5, Heads: heads(2)}, ImagesPerSecond: 1234, Seconds: 61, Best: true}
	require.Equal(t, `
                   train    test    test    test    test
  epoch       lr    loss    loss    main    aux1    aux2 images/s   time
    1/8     0.05  1.2500  2.5000  50.00%  25.00%  25.00%     1234   1m1s  best
`, tab.row(epochCells(e, 8), 80))
	e.Best = false
	require.Equal(t, `    1/8     0.05  1.2500  2.5000  50.00%  25.00%  25.00%     1234   1m1s
`, tab.row(epochCells(e, 8), 80))
	require.Equal(t, `
                   train    test    test
  epoch       lr    loss    loss    main
           test    test
           aux1    aux2 images/s   time
    1/8     0.05  1.2500  2.5000  50.00%
         25.00%  25.00%     1234   1m1s
`, tab.row(epochCells(e, 8), 40), "a narrower terminal has a new heading")
}

// Without a terminal, lines report progress, and only a few even in a long run.
func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	d := newDisplay(&out)
	d.report(train.Started{Config: train.Default(), Classes: []string{"a", "b"}, Folder: "runs/x", Steps: 1 << 20, Epochs: 1, StepImages: 8})
	out.Reset()
	step := train.Stepped{Step: 1, Steps: 1 << 20, Epoch: 1, EpochStep: 1, EpochSteps: 1 << 20, Result: train.Result{Heads: heads(1)}}
	seconds, lines := 0, 0
	for ; seconds < 24*3600; seconds++ { // a day, simulated by setting clocks back
		d.begun, d.shown = d.begun.Add(-time.Second), d.shown.Add(-time.Second)
		d.report(step)
	}
	lines = strings.Count(out.String(), "\n")
	require.Greater(t, lines, 280, "five minutes at most")
	require.Less(t, lines, 400)
	require.NotContains(t, out.String(), "\r")
	require.NotContains(t, out.String(), "\x1b")
	require.Contains(t, out.String(), "epoch 1/1  loss main 1.500 aux1 2.500  step 1/1048576")
}

func TestClassesText(t *testing.T) {
	many := make([]string, 1000)
	counts := make([]int, 1000)
	for i := range many {
		many[i], counts[i] = fmt.Sprintf("n%04d", i), 1300
	}
	require.Equal(t, "1,000 classes of 1300 images: n0000, n0001, n0002, n0003, n0004 … and 995 more", classesText(many, counts))
	counts[7], counts[8] = 732, 1301
	require.Equal(t, "1,000 classes: n0000 1,300, n0001 1,300, n0002 1,300, n0003 1,300, n0004 1,300 … and 995 more; from 732 images (n0007) to 1301 images (n0008)", classesText(many, counts))
	require.Equal(t, "3 classes: cat 5, dog 6, cow 0", classesText([]string{"cat", "dog", "cow"}, []int{5, 6, 0}))
	require.Equal(t, "2 classes of 1 image: cat, dog", classesText([]string{"cat", "dog"}, []int{1, 1}))
	require.Equal(t, "2 classes: cat, dog", classesText([]string{"cat", "dog"}, nil), "of a source that does not count")
	require.Equal(t, 10, strings.Count(classesText(many[:10], nil), "n0"))
}

func TestWrap(t *testing.T) {
	require.Equal(t, "one two\n  three\n  four", wrap("one two three four", 8, "  "))
	require.Equal(t, "one\n  indivisible\n  two", wrap("one indivisible two", 5, "  "))
	require.Equal(t, "猫 猫\n猫", wrap("猫 猫 猫", 5, ""))
	require.Equal(t, "", wrap("", 5, ""))
}
