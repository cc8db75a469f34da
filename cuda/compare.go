//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// comparer compares parts of a state. It keeps a table of chunks, memory for the results, and a
// list of launches for each pair of parts.
type comparer struct {
	memory *driver.Arena // two pieces: the table, the results
	chunks []kernels.Chunk
	owner  []int // for each chunk, the index of its parameter in the layout
	lists  map[[2]graph.Part]*driver.List
}

// comparable returns the memory in use of a part that Copy and Compare accept.
func (s *state) comparable(p graph.Part) (driver.Span, error) {
	if span, ok := s.copies[p]; ok {
		return span, nil
	}
	if p == graph.Value || p == graph.Gradient {
		return s.parts[p], nil
	}
	return driver.Span{}, fmt.Errorf("cuda: part %q is neither the values, the gradient nor one of the state's %d snapshots", p, len(s.copies))
}

// Copy implements graph.State.
func (s *state) Copy(to, from graph.Part) error {
	src, err := s.comparable(from)
	if err != nil {
		return err
	}
	if _, ok := s.copies[to]; !ok {
		return fmt.Errorf("cuda: copies go to snapshots, of which the state has %d, not to %q", len(s.copies), to)
	}
	dst, err := s.parts[to].Sub(0, src.Bytes)
	if err != nil {
		return err
	}
	s.copies[to] = dst
	if src.Bytes == 0 {
		return nil
	}
	return s.compute.Copy(dst, src)
}

// Compare implements graph.State.
func (s *state) Compare(a, b graph.Part) ([]graph.Comparison, error) {
	x, err := s.comparable(a)
	if err != nil {
		return nil, err
	}
	y, err := s.comparable(b)
	if err != nil {
		return nil, err
	}
	if err := s.comparer.prepare(s); err != nil {
		return nil, err
	}
	c := &s.comparer
	shared := min(x.Bytes, y.Bytes) / 4
	count := 0
	for count < len(c.chunks) && c.chunks[count].Offset+int64(c.chunks[count].Count) <= shared {
		count++
	}
	out := make([]graph.Comparison, len(s.layout.Params))
	if count == 0 {
		return out, nil
	}
	list, err := c.list(s, a, b, count)
	if err != nil {
		return nil, err
	}
	if err := list.Run(s.compute); err != nil {
		return nil, err
	}
	sums := make([]float64, 3*count)
	from, err := c.memory.Span(1).Sub(0, 8*int64(len(sums)))
	if err != nil {
		return nil, err
	}
	if err := s.compute.Read(driver.Bytes(sums), from); err != nil {
		return nil, err
	}
	for i, o := range c.owner[:count] {
		out[o].Dot += sums[3*i]
		out[o].Squares += sums[3*i+1]
		out[o].Apart += sums[3*i+2]
	}
	return out, nil
}

// prepare makes the table on the first call.
func (c *comparer) prepare(s *state) (err error) {
	if c.memory != nil {
		return nil
	}
	for i, p := range s.layout.Params {
		c.chunks = kernels.CutChunks(c.chunks, s.layout.Offset(p), p.Elements(), 0, 0, false)
		for len(c.owner) < len(c.chunks) {
			c.owner = append(c.owner, i)
		}
	}
	table := memoryOf(c.chunks)
	c.lists = map[[2]graph.Part]*driver.List{}
	if c.memory, err = s.backend.device.NewArena([]int64{int64(len(table)), 3 * 8 * int64(len(c.chunks))}, s.backend.options.Debug.Isolated); err != nil {
		return err
	}
	return s.compute.Write(c.memory.Span(0), table)
}

// list returns the launch that compares the first chunks of parts a and b.
func (c *comparer) list(s *state, a, b graph.Part, chunks int) (*driver.List, error) {
	key := [2]graph.Part{a, b}
	if l := c.lists[key]; l != nil && l.Launches()[0].Grid.X == chunks {
		return l, nil
	}
	f, err := s.backend.library.Function("compare")
	if err != nil {
		return nil, err
	}
	l, err := s.backend.device.NewList([]driver.Launch{{Function: f, Node: fmt.Sprintf("%s and %s", a, b), Grid: driver.Dim{X: chunks, Y: 1, Z: 1}, Block: driver.Dim{X: kernels.Threads, Y: 1, Z: 1},
		Params: kernels.CompareParams{A: s.parts[a].Address, B: s.parts[b].Address, Chunks: c.memory.Span(0).Address, Y: c.memory.Span(1).Address}}})
	if err != nil {
		return nil, err
	}
	if old := c.lists[key]; old != nil {
		err = errors.Join(s.compute.Synchronize())
		old.Close()
	}
	c.lists[key] = l
	return l, err
}

func (c *comparer) close() error {
	for _, l := range c.lists {
		l.Close()
	}
	if c.memory == nil {
		return nil
	}
	return c.memory.Close()
}
