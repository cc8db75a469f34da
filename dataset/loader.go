package dataset

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/tributary-ml/tributary/augment"
)

// deferredPixels is the mean size of an image's region for which a deferred batch has room, if the
// images' size varies.
const deferredPixels = 384 * 384

// defaultPrefetch is enough to hide variations of decoding times.
const defaultPrefetch = 2

// LoaderOptions are the settings of a [Loader].
type LoaderOptions struct {
	Batch   int    // images in a batch
	Shuffle bool   // draws a new order for each epoch; otherwise the order is the source's
	Seed    uint64 // of the order and of all transforms

	// DropLast leaves out the images that do not fill a last batch, as training does. Otherwise the
	// last batch is filled up with rows labelled Ignored.
	DropLast bool

	// SkipBad skips images that cannot be decoded and reports them in Batch.Skipped. Otherwise the
	// first such image ends the epoch with its error.
	SkipBad bool

	// SkipAll also skips a batch without any image that can be decoded; its Rows is 0. Otherwise
	// that is an error even with SkipBad, because more than some files is wrong.
	SkipAll bool

	// Defer leaves cutting, resizing and recolouring to the plan, if a recipe can express the
	// transform. Batches then carry regions of decoded images and recipes, and the plan makes the
	// same images from them.
	Defer bool

	// Scaled decodes large JPEGs at 1/2, 1/4 or 1/8 of their size, if the cut still has enough
	// pixels and the decoder can do it. This is faster and gives different pixels.
	Scaled bool

	Workers  int // goroutines that decode and transform; 0: one for each CPU
	Prefetch int // batches made in advance; 0: 2
}

// Loader makes batches of a source's images. It holds no goroutines and no position; each call of
// Epoch has its own. Its methods may be called from several goroutines at once.
type Loader struct {
	src     Source
	info    Info
	tf      Transform
	opt     LoaderOptions
	recipes bool // recipes can express tf for most images
	pool    *batchPool
}

// NewLoader returns a loader. It checks that transform brings all of src's images to one size. A
// nil transform leaves them unchanged.
func NewLoader(src Source, transform Transform, opt LoaderOptions) (*Loader, error) {
	info := src.Info()
	if transform == nil {
		transform = Pipeline{}
	}
	if opt.Workers == 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Prefetch == 0 {
		opt.Prefetch = defaultPrefetch
	}
	h, w, err := transform.OutSize(info.H, info.W)
	switch {
	case err != nil:
		return nil, fmt.Errorf("loader for %s: %w", info.Name, err)
	case h == 0 || w == 0:
		return nil, fmt.Errorf("loader for %s: its images differ in size: the transform must end with one, such as CenterCrop or RandomResizedCrop", info.Name)
	case opt.Batch < 1:
		return nil, fmt.Errorf("loader for %s: a batch of %d images", info.Name, opt.Batch)
	case opt.Workers < 0 || opt.Prefetch < 0:
		return nil, fmt.Errorf("loader for %s: %d workers, %d batches of prefetch: neither can be negative", info.Name, opt.Workers, opt.Prefetch)
	case src.Len() == 0:
		return nil, fmt.Errorf("loader for %s: the source has no images", info.Name)
	case opt.DropLast && src.Len() < opt.Batch:
		return nil, fmt.Errorf("loader for %s: %d images do not fill a batch of %d: choose a batch of at most %d", info.Name, src.Len(), opt.Batch, src.Len())
	}
	l := &Loader{
		src: src, info: info, tf: transform, opt: opt,
		pool: &batchPool{n: opt.Batch, h: h, w: w, c: info.C, keep: opt.Prefetch + 2},
	}
	l.recipes = drafts(transform, info)
	if opt.Defer && l.recipes {
		pixels := info.H * info.W
		if pixels == 0 {
			pixels = deferredPixels
		}
		l.pool.regions = opt.Batch * max(pixels, h*w) * info.C
	}
	return l, nil
}

// Regions returns the maximum number of bytes of regions in a batch; 0 if the loader makes finished
// images.
func (l *Loader) Regions() int { return l.pool.regions }

// Batches returns the number of batches in an epoch.
func (l *Loader) Batches() int {
	n := l.src.Len()
	if !l.opt.DropLast {
		n += l.opt.Batch - 1
	}
	return n / l.opt.Batch
}

// Shape returns the shape of every batch's images.
func (l *Loader) Shape() (n, h, w, c int) {
	return l.pool.n, l.pool.h, l.pool.w, l.pool.c
}

// Epoch iterates over the batches of an epoch in order, starting with batch first. The batches do
// not depend on how they are made: neither on the number of workers, nor on whether the epoch began
// at 0 or was resumed. The caller releases each batch after use.
//
// An error comes with a nil batch, after all batches before it, and ends the iteration. It is the
// source's error, or ctx's after ctx is cancelled. Goroutines run while the loop runs; none is left
// when the loop ends or breaks.
func (l *Loader) Epoch(ctx context.Context, epoch, first int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if first < 0 || first > l.Batches() {
			yield(nil, fmt.Errorf("loader for %s: no batch %d in an epoch of %d", l.info.Name, first, l.Batches()))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()

		pending := make(chan *job, l.opt.Prefetch)
		tasks := make(chan task)
		running.Go(func() { l.plan(ctx, epoch, first, pending, tasks) })
		for range l.opt.Workers {
			running.Go(func() { l.work(ctx, tasks) })
		}
		for j := range pending {
			select {
			case <-j.done:
			case <-ctx.Done():
			}
			err := ctx.Err() // after cancellation even a job that is done may lack rows
			if err == nil {
				err = j.finish(l.opt)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(j.batch, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// job is a batch that is being made.
type job struct {
	batch   *Batch        // set before the first task is sent
	samples []int         // the source's images for the first rows; at most N
	done    chan struct{} // closed when no task is left

	mu    sync.Mutex
	tasks int // tasks left
	bad   []badRow
	used  int // bytes of the batch's regions in use
	spare int // bytes that regions may take in addition to the size of finished images
}

// place finds room for a region of n bytes in the batch. It succeeds unless the region is larger
// than a finished image and the spare room is used up.
func (j *job) place(n, image int) (offset int, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	extra := max(0, n-image)
	if extra > j.spare {
		return 0, false
	}
	offset = j.used
	j.used += n
	j.spare -= extra
	return offset, true
}

// badRow is a row whose image could not be made.
type badRow struct {
	row int
	err error
}

// task is rows [from, to) of job.samples.
type task struct {
	job      *job
	from, to int
}

// plan sends the epoch's jobs in order, and the tasks of each. A job gets memory only once pending
// has room for it, so that at most Prefetch+1 batches exist besides the caller's.
func (l *Loader) plan(ctx context.Context, epoch, first int, pending chan<- *job, tasks chan<- task) {
	defer close(tasks)
	defer close(pending)
	order := l.order(epoch)
	// Several tasks a worker let all workers finish a batch at about the same time.
	rows := max(1, l.opt.Batch/(4*l.opt.Workers))
	for index := first; index < l.Batches(); index++ {
		start := index * l.opt.Batch
		j := &job{
			samples: order[start:min(start+l.opt.Batch, len(order))],
			done:    make(chan struct{}),
		}
		j.tasks = (len(j.samples) + rows - 1) / rows
		select {
		case pending <- j:
		case <-ctx.Done():
			return
		}
		j.batch = l.pool.get()
		j.batch.Epoch, j.batch.Index = epoch, index
		if l.pool.regions > 0 {
			j.spare = l.pool.regions - len(j.batch.Recipes)*l.pool.h*l.pool.w*l.pool.c
		}
		for from := 0; from < len(j.samples); from += rows {
			select {
			case tasks <- task{j, from, min(from+rows, len(j.samples))}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// order returns the order of the samples in an epoch.
func (l *Loader) order(epoch int) []int {
	n := l.src.Len()
	if l.opt.Shuffle {
		var pcg rand.PCG
		seedFrom(&pcg, streamOrder, l.opt.Seed, uint64(epoch))
		return rand.New(&pcg).Perm(n)
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// worker is the state of a goroutine that makes rows.
type worker struct {
	Work
	pcg   rand.PCG
	r     *rand.Rand
	asked bool   // draft belongs to the current image
	draft *draft // what becomes of the current image; nil if no recipe can express it
	lease lease  // of the current image
}

// work makes rows until there are no more tasks.
func (l *Loader) work(ctx context.Context, tasks <-chan task) {
	var p worker
	p.r = rand.New(&p.pcg)
	p.lease.ctx = ctx
	for t := range tasks {
		var bad []badRow
		for row := t.from; row < t.to && ctx.Err() == nil; row++ {
			if err := l.fill(t.job, row, &p); err != nil {
				bad = append(bad, badRow{row, err})
			}
		}
		t.job.end(bad)
	}
}

// unload gives the memory of the image back.
func (p *worker) unload() {
	p.lease.release()
	p.shrink()
}

// fill makes one row of a batch.
func (l *Loader) fill(j *job, row int, p *worker) error {
	b, sample := j.batch, j.samples[row]
	p.Load().lease = &p.lease
	defer p.unload()
	p.asked = false
	ask := func(h, w int) need {
		l.seed(p, b.Epoch, sample)
		return l.need(h, w, b, p)
	}
	label, got, err := decodePiece(l.src, sample, ask, p.Image)
	if err != nil {
		return err
	}
	m := p.Image
	if label < 0 || int(label) >= len(l.info.Classes) {
		return fmt.Errorf("%s: image %d has label %d, there are %d classes", l.info.Name, sample, label, len(l.info.Classes))
	}
	if m.H < 1 || m.W < 1 || m.C != b.C {
		return fmt.Errorf("%s: image %d is %d×%d with %d channels, not %d", l.info.Name, sample, m.H, m.W, m.C, b.C)
	}
	b.Labels[row] = label
	if !p.asked { // the source did not ask
		ask(got.h, got.w)
	}
	if p.draft != nil {
		l.draw(j, row, p, got)
		return nil
	}
	l.seed(p, b.Epoch, sample) // start the same random choices again
	l.tf.Apply(&p.Work, p.r)
	m = p.Image
	if m.H != b.H || m.W != b.W || m.C != b.C {
		return fmt.Errorf("%s: image %d came out as %d×%d×%d, not %d×%d×%d", l.info.Name, sample, m.H, m.W, m.C, b.H, b.W, b.C)
	}
	copy(j.finished(row), m.Pix)
	return nil
}

// seed starts the random choices for a sample.
func (l *Loader) seed(p *worker, epoch, sample int) {
	seedFrom(&p.pcg, streamAugment, l.opt.Seed, uint64(epoch), uint64(sample))
}

// need draws what becomes of an image of h×w pixels, and returns the part of the image that this
// needs. That is the whole image if no recipe can express the transform, or if a recipe would not
// be faster.
func (l *Loader) need(h, w int, b *Batch, p *worker) need {
	p.asked, p.draft = true, nil
	whole := everything(h, w)
	if !l.recipes {
		return whole
	}
	d := newDraft(h, w, b.C)
	if !d.add(l.tf, p.r) {
		return whole
	}
	// shrinks must be the same for each draw. Without a resize, or if the cut is too large for a
	// recipe, the whole image is decoded, and the same image may be decoded smaller in another
	// epoch.
	rows, cols := b.H, b.W
	if d.resized {
		rows, cols = d.rows.size, d.cols.size
	}
	whole.shrinks = l.opt.Scaled && h >= 2*rows && w >= 2*cols
	if b.Recipes == nil && !d.resized {
		return whole
	}
	if h, w := d.size(); h != b.H || w != b.W {
		return whole
	}
	n := need{shrink: 1, shrinks: whole.shrinks}
	if l.opt.Scaled {
		n.shrink = d.shrink()
	}
	for _, shrink := range []int{1, n.shrink} {
		var r augment.Recipe
		if r, n.box = d.recipe(shrink); r.Check(b.H, b.W, b.C, n.box.h*n.box.w*b.C) != nil {
			return whole
		}
	}
	p.draft = d
	if n.box.h == 0 { // a black row
		n.box = box{h: 1, w: 1}
	}
	return n
}

// draw makes a row from its draft, or stores the region and the recipe from which the plan makes
// it.
func (l *Loader) draw(j *job, row int, p *worker, got piece) {
	b, m := j.batch, p.Image
	r, from := p.draft.recipe(got.shrink)
	var region []byte
	if from.h > 0 {
		// The slice includes the memory behind the image: the resampler's kernels may read some of
		// it, with weights of zero.
		region = m.Pix[((from.y-got.y)*m.W+from.x-got.x)*m.C : cap(m.Pix)]
	}
	n := from.w * m.C
	if b.Recipes != nil {
		if offset, ok := j.place(from.h*n, b.H*b.W*b.C); ok {
			for y := range from.h {
				copy(b.Regions[offset+y*n:][:n], region[y*m.W*m.C:])
			}
			r.Offset = offset
			b.Recipes[row] = r
			return
		}
	}
	p.resample.RenderFrom(j.finished(row), b.H, b.W, b.C, &r, region, m.W*m.C)
}

// finished returns the memory for a row's finished image.
func (j *job) finished(row int) []byte {
	b := j.batch
	n := b.H * b.W * b.C
	if b.Recipes == nil {
		return b.Pixels[row*n:][:n]
	}
	offset, _ := j.place(n, n)
	b.Recipes[row] = augment.Recipe{Offset: offset, Rows: augment.Resized(b.H, b.H), Cols: augment.Resized(b.W, b.W)}
	return b.Regions[offset:][:n]
}

// end counts a task as done.
func (j *job) end(bad []badRow) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bad = append(j.bad, bad...)
	if j.tasks--; j.tasks == 0 {
		close(j.done)
	}
}
