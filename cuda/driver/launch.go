//go:build cuda

package driver

import (
	"errors"
	"fmt"
)

// Dim is the size of a grid in blocks, or of a block in threads.
type Dim struct{ X, Y, Z int }

// Launch is one run of a kernel.
type Launch struct {
	Function *Function
	Node     string // node of the network: for errors and traces
	Grid     Dim
	Block    Dim
	Shared   int // bytes of dynamic shared memory
	Params   any // the kernel's one parameter, a struct laid out as in C (PackParams)
	// FLOPs and Bytes are the least that the work of the launch needs: the arithmetic of its
	// definition, and one transfer of every operand.
	FLOPs, Bytes int64
}

func (l Launch) String() string {
	return fmt.Sprintf("%s of %s: grid %v, block %v, %d bytes shared", l.Function.Name, l.Node, l.Grid, l.Block, l.Shared)
}

// check returns an error for a launch that no GPU runs. The driver itself refuses what only some
// GPUs or kernels do not run.
func (l Launch) check() error {
	for _, d := range []Dim{l.Grid, l.Block} {
		if d.X < 1 || d.Y < 1 || d.Z < 1 {
			return errors.New("a grid or a block is empty")
		}
	}
	if n := l.Block.X * l.Block.Y * l.Block.Z; n > l.Function.MaxThreads {
		return fmt.Errorf("a block has %d threads, the kernel is built for at most %d", n, l.Function.MaxThreads)
	}
	if l.Grid.X > 1<<31-1 || l.Grid.Y > 1<<16-1 || l.Grid.Z > 1<<16-1 {
		return errors.New("the grid is too large: x up to 2³¹-1, y and z up to 65535 blocks")
	}
	return nil
}

// List is a list of launches that run one after another. Their parameters are fixed when the list
// is made.
type List struct {
	device   *Device
	launches []Launch
	array    launchArray
}

// NewList checks launches and packs them, so that one call runs them all.
func (d *Device) NewList(launches []Launch) (*List, error) {
	params := make([][]byte, len(launches))
	for i, l := range launches {
		err := l.check()
		if err == nil {
			params[i], err = PackParams(l.Params)
		}
		if n := len(params[i]); err == nil && n != l.Function.ParamSize {
			err = fmt.Errorf("its parameters have %d bytes, the kernel takes %d", n, l.Function.ParamSize)
		}
		if err != nil {
			return nil, fmt.Errorf("cuda: launch %s: %w", l, err)
		}
	}
	return &List{device: d, launches: launches, array: newLaunchArray(launches, params)}, nil
}

// Launches returns the launches of the list.
func (l *List) Launches() []Launch { return l.launches }

// Run puts the launches into a stream. On a blocking device it waits for each.
func (l *List) Run(s *Stream) error { return l.RunSome(s, 0, len(l.launches)) }

// RunSome runs launches first to end-1, like Run.
func (l *List) RunSome(s *Stream, first, end int) error {
	if err := l.device.usable(); err != nil {
		return err
	}
	if r := s.recording; r != nil {
		r.lists.add(l)
	} else {
		s.launched.add(l)
	}
	at, err := l.array.run(l.device.context, s.s, first, end, l.device.Blocking && s.recording == nil)
	if err == nil {
		return nil
	}
	err = failed(err, "cuLaunchKernel (launch %d of %d)", at+1, len(l.launches))
	e := (*Error)(nil)
	if errors.As(err, &e) && (!e.Code.Lost() || l.device.Blocking) {
		e.Kernel, e.Node = l.launches[at].Function.Name, l.launches[at].Node
	}
	return l.device.note(s.launched.blame(err))
}

// Close frees the list.
func (l *List) Close() {
	l.array.free()
	l.array = launchArray{}
}
