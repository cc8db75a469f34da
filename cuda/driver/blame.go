//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// launched collects the lists from which work in a stream came, each once. A fault in a kernel is
// reported later, by a call that does not know the kernel.
type launched struct {
	mu    sync.Mutex // one goroutine may wait for events while another launches
	lists []*List
}

func (p *launched) add(lists ...*List) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lists {
		if !slices.Contains(p.lists, l) {
			p.lists = append(p.lists, l)
		}
	}
}

func (p *launched) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lists = p.lists[:0]
}

// blame adds the possible origin of a fault to its error: the kernel, if only one was launched, and
// otherwise the range of launches.
func (p *launched) blame(err error) error {
	e := (*Error)(nil)
	if !errors.As(err, &e) || !e.Code.Lost() || e.Kernel != "" {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Launch
	for _, l := range p.lists {
		all = append(all, l.launches...)
	}
	switch n := len(all); n {
	case 0:
	case 1:
		e.Kernel, e.Node = all[0].Function.Name, all[0].Node
	default:
		e.Detail = fmt.Sprintf("a fault in one of the %d launches from kernel %s of node %s to kernel %s of node %s, "+
			"which CUDA_LAUNCH_BLOCKING=1 would name", n, all[0].Function.Name, all[0].Node, all[n-1].Function.Name, all[n-1].Node)
	}
	return err
}
