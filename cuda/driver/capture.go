//go:build cuda

package driver

import "errors"

// Graph is captured work that one call launches.
type Graph struct {
	device *Device
	exec   execHandle
	nodes  int
	lists  []*List
}

// recording is a capture under way.
type recording struct {
	streams []*Stream
	lists   launched
	over    bool
}

func (r *recording) join(s *Stream) {
	if !r.over {
		s.recording = r
		r.streams = append(r.streams, s)
	}
}

func (r *recording) end() {
	for _, s := range r.streams {
		s.recording = nil
	}
	r.over = true
}

// Capture records what f puts into this stream, and into streams that events join to it, instead of
// running it. During the capture, f must not allocate or free memory, and must not wait for the
// GPU. It must make all calls in its own goroutine.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	g := &Graph{device: s.device}
	// A capture must end on the OS thread on which it began. call keeps this goroutine on its
	// thread.
	err := s.device.call(func() error {
		if err := failed(beginCapture(s.s), "cuStreamBeginCapture"); err != nil {
			return err
		}
		r := new(recording)
		r.join(s)
		err := f()
		r.end()
		graph, endErr := endCapture(s.s)
		if endErr != nil {
			return errors.Join(err, failed(endErr, "cuStreamEndCapture"))
		}
		if err == nil {
			g.lists = r.lists.lists
			err = g.instantiate(graph)
		}
		return errors.Join(err, failed(graph.destroy(), "cuGraphDestroy"))
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Graph) instantiate(from graphHandle) (err error) {
	if g.nodes, err = from.nodes(); err != nil {
		return failed(err, "cuGraphGetNodes")
	}
	g.exec, err = from.instantiate()
	return failed(err, "cuGraphInstantiate of %d nodes", g.nodes)
}

// Nodes returns the number of launches, copies and fills in the graph.
func (g *Graph) Nodes() int { return g.nodes }

// Launch runs the graph in a stream.
func (g *Graph) Launch(s *Stream) error {
	if err := g.device.usable(); err != nil {
		return err
	}
	s.launched.add(g.lists...)
	err := g.exec.launch(g.device.context, s.s)
	return g.device.note(s.launched.blame(failed(err, "cuGraphLaunch")))
}

// Close frees the graph. The lists in it may be closed earlier.
func (g *Graph) Close() error {
	return g.device.release(func() error { return failed(g.exec.destroy(), "cuGraphExecDestroy") })
}
