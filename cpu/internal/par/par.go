// Package par runs numbered tasks on a fixed number of goroutines.
//
// Every task writes only its own output. What a task computes depends on its number alone, never on
// the worker that runs it, so results are the same bits for any number of workers.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool is a number of workers. The zero Pool runs all tasks on the calling goroutine.
type Pool struct {
	workers int
}

// New returns a pool of n workers; n <= 0 means one for each processor that Go may use.
func New(n int) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &Pool{workers: n}
}

// Workers returns the largest number of goroutines that Run uses. A worker's number indexes the
// memory of workers.
func (p *Pool) Workers() int {
	if p == nil || p.workers < 1 {
		return 1
	}
	return p.workers
}

// Run calls f(task, worker) once for every task in [0,n), with worker in [0,Workers()), and returns
// when all are done. Two calls with the same worker never overlap. A panic in a task is re-raised
// on the calling goroutine.
func (p *Pool) Run(n int, f func(task, worker int)) {
	w := min(p.Workers(), n)
	if w <= 1 {
		for i := range n {
			f(i, 0)
		}
		return
	}
	var (
		next     atomic.Int64
		wg       sync.WaitGroup
		once     sync.Once
		panicked any
	)
	work := func(worker int) {
		defer func() {
			if r := recover(); r != nil {
				once.Do(func() { panicked = r })
				next.Store(int64(n))
			}
		}()
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(i, worker)
		}
	}
	wg.Add(w - 1)
	for k := 1; k < w; k++ {
		go func() {
			defer wg.Done()
			work(k)
		}()
	}
	work(0)
	wg.Wait()
	if panicked != nil {
		panic(panicked)
	}
}
