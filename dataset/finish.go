package dataset

import (
	"errors"
	"fmt"
	"slices"
)

// finish completes a job whose tasks are done. It reports or removes bad rows and fills up the
// rest. It returns an error if bad rows are not to be skipped, or if there are only bad rows: then
// more than some files is wrong.
func (j *job) finish(opt LoaderOptions) error {
	b := j.batch
	slices.SortFunc(j.bad, func(x, y badRow) int { return x.row - y.row })
	if len(j.bad) > 0 && !opt.SkipBad && !opt.SkipAll {
		return j.bad[0].err
	}
	for _, bad := range j.bad {
		if !skippable(bad.err) {
			return bad.err
		}
		b.Skipped = append(b.Skipped, bad.err)
		b.SkippedImages = append(b.SkippedImages, j.samples[bad.row])
	}
	if len(j.bad) == len(j.samples) && !opt.SkipAll {
		return fmt.Errorf("none of the %d images of batch %d could be read, the first: %w", len(j.samples), b.Index, j.bad[0].err)
	}

	// Move the good rows together and keep their order.
	bad := j.bad
	for row := range j.samples {
		if len(bad) > 0 && bad[0].row == row {
			bad = bad[1:]
			continue
		}
		if row != b.Rows {
			b.move(b.Rows, row)
		}
		b.Rows++
	}
	b.blacken()
	b.Regions = b.Regions[:j.used]
	return nil
}

// move copies row from to row to.
func (b *Batch) move(to, from int) {
	if b.Recipes != nil {
		b.Recipes[to] = b.Recipes[from]
	} else {
		size := b.H * b.W * b.C
		copy(b.Pixels[to*size:][:size], b.Pixels[from*size:])
	}
	b.Labels[to] = b.Labels[from]
}

// blacken makes the rows without an image black and ignored.
func (b *Batch) blacken() {
	if b.Recipes != nil {
		clear(b.Recipes[b.Rows:])
	} else {
		clear(b.Pixels[b.Rows*b.H*b.W*b.C:])
	}
	for row := b.Rows; row < b.N; row++ {
		b.Labels[row] = Ignored
	}
}

// skippable reports whether an error is a file's fault rather than the source's or the transform's.
func skippable(err error) bool {
	var file *FileError
	return errors.As(err, &file)
}
