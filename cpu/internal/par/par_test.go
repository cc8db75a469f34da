package par

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunVisitsEveryTaskOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		for _, n := range []int{0, 1, 2, 7, 1000} {
			seen := make([]atomic.Int32, n)
			busy := make([]atomic.Int32, workers)
			New(workers).Run(n, func(task, worker int) {
				require.Equal(t, int32(1), busy[worker].Add(1), "a worker runs one task at a time")
				seen[task].Add(1)
				busy[worker].Add(-1)
			})
			for i := range seen {
				require.Equal(t, int32(1), seen[i].Load(), "task %d of %d on %d workers", i, n, workers)
			}
		}
	}
}

func TestRunPassesPanicsOn(t *testing.T) {
	require.PanicsWithValue(t, "task 3", func() {
		New(4).Run(10, func(task, _ int) {
			if task == 3 {
				panic("task 3")
			}
		})
	})
}

func TestZeroPoolRunsOnTheCaller(t *testing.T) {
	var p *Pool
	sum := 0
	p.Run(5, func(task, worker int) { sum += task + worker })
	require.Equal(t, 10, sum)
}
