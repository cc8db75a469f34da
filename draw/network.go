package draw

import "fmt"

// Network is a drawing of boxes that lines join. It is laid out in layers, from top to bottom: what reads something is below it, what
// does not wait for each other is side by side, and a long drawing goes on in further columns. No line runs through a box that it does
// not end at. The same network gives the same bytes.
type Network struct {
	Title  string // above the drawing; empty: none
	Frames []Frame
	Nodes  []Node // lines go from earlier ones to later ones
	Edges  []Edge
	Up     bool // from bottom to top
}

// Frame is a box around nodes and other frames.
type Frame struct {
	Name  string // no other frame and no node has it
	In    string // the frame that it is in, which comes earlier; empty: none
	Label string
	Lane  bool // is drawn quietly, and as high as its neighbours
}

// Node is a box with a heading and lines of text.
type Node struct {
	Name    string // no other node and no frame has it
	In      string // the frame that it is in; empty: none
	Beside  string // the earlier node on whose right it is, in the same frame; empty: it has a place of its own
	Heading string // empty: none
	Lines   []string
	Note    string // shown under the pointer; empty: the texts, if they are shortened
	Fill    string // a colour; empty: white
	Stroke  string // a colour, drawn thick; empty: thin and grey
	Pill    bool   // has round ends
}

// Edge is a line between two nodes or frames, with an arrow at its end. Several between the same two are side by side. A line to a node
// that is beside another one comes from that one.
type Edge struct {
	From, To string
	ID       string // of the element; empty: none
	Colour   string // empty: grey
	Width    float64
	Room     float64 // to keep free for the line, where it becomes wider than it is drawn
	Note     string  // shown under the pointer
	Back     bool    // the arrow is at its beginning
	Hidden   bool
}

// SVG lays the network out and writes it as a picture that needs no other file. Whatever is in a text, it is shown as it is. An error is
// a mistake of the caller: a name that is there twice or not at all, a line that goes back.
func (n *Network) SVG() ([]byte, error) {
	p, err := n.lay()
	if err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	return p.svg(), nil
}
