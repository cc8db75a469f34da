package dataset

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"

	"github.com/tributary-ml/tributary/dataset/internal/raster"
	machine "github.com/tributary-ml/tributary/internal/memory"
)

// The default memory for decoding: a share of the memory of the machine or of its cgroup, or a
// fixed amount if that is unknown.
const (
	memoryShare   = 8
	unknownMemory = 1 << 30
)

// budget limits the memory of a set's files and images that are being decoded, over all goroutines.
// A quarter is for files. A goroutine takes memory for an image only after memory for its file, and
// then waits for nothing more, so there is no deadlock.
type budget struct {
	files, pixels share
}

// share is a part of the memory.
type share struct {
	size int64
	left *semaphore.Weighted
}

// newBudget returns a budget of size bytes; 0 stands for the default.
func newBudget(size int64) *budget {
	if size <= 0 {
		if size = machine.Limit() / memoryShare; size == 0 {
			size = unknownMemory
		}
	}
	of := func(n int64) share { return share{n, semaphore.NewWeighted(n)} }
	return &budget{files: of(size / 4), pixels: of(size - size/4)}
}

// take waits until n bytes are free.
func (s *share) take(ctx context.Context, n int64) error {
	if err := s.check(n); err != nil {
		return err
	}
	return s.left.Acquire(ctx, n)
}

// check returns an error if n bytes will never be available.
func (s *share) check(n int64) error {
	if n > s.size {
		return fmt.Errorf("%s, and there are %s for all that is decoded at a time", mebibytes(n), mebibytes(s.size))
	}
	return nil
}

// takeFile takes memory for a file of n bytes. The caller calls free.
func (m *budget) takeFile(l *lease, n int64) (free func(), err error) {
	if err := m.files.take(l.context(), n); err != nil {
		return nil, fmt.Errorf("its %d bytes take %w: use a smaller file, or decode where there is more memory", n, err)
	}
	return func() { m.files.left.Release(n) }, nil
}

// takePixels takes memory for decoding an image of the given number of bytes. The caller calls free
// and says whether there is an image. If there is, and l is not nil, the image's memory passes to
// the lease.
func (m *budget) takePixels(l *lease, h raster.Header, pixels int64) (free func(ok bool), err error) {
	if m == nil {
		return func(bool) {}, nil
	}
	n := pixels + h.Memory
	if err := m.pixels.take(l.context(), n); err != nil {
		return nil, tooLarge(h, err)
	}
	return func(ok bool) {
		if ok && l != nil {
			l.from, l.held = m, pixels
			n -= pixels
		}
		m.pixels.left.Release(n)
	}, nil
}

// fits reports whether the budget is large enough to decode an image of the given number of bytes.
func (m *budget) fits(h raster.Header, pixels int64) bool {
	return m == nil || m.pixels.check(pixels+h.Memory) == nil
}

func tooLarge(h raster.Header, err error) error {
	return fmt.Errorf("decoding its %d×%d pixels takes %w: make the image smaller, or decode where there is more memory", h.Width, h.Height, err)
}

// lease is the memory of an image in use. The caller that puts a lease into an [Image] releases it
// when the pixels are no longer needed.
type lease struct {
	ctx  context.Context // ends the wait for memory
	from *budget
	held int64
}

func (l *lease) context() context.Context {
	if l == nil {
		return context.Background()
	}
	return l.ctx
}

// release gives the memory back.
func (l *lease) release() {
	if l != nil && l.held > 0 {
		l.from.pixels.left.Release(l.held)
		l.held = 0
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }
