package draw

import "fmt"

// Network is a drawing of boxes joined by lines. Its layout has layers from top to bottom: a node
// is below the nodes that it reads, and independent nodes are side by side. A long drawing
// continues in further columns. No line runs through a box in which it does not end. The same
// network gives the same bytes.
type Network struct {
	Title  string // shown above the drawing; empty: none
	Frames []Frame
	Nodes  []Node // lines go from earlier nodes to later ones
	Edges  []Edge
	Up     bool // draw from bottom to top
}

// Frame is a box around nodes and other frames.
type Frame struct {
	Name  string // unique among frames and nodes
	In    string // the earlier frame that contains it; empty: none
	Label string
	Lane  bool // is drawn less visibly, and as high as its neighbours
}

// Node is a box with a heading and lines of text.
type Node struct {
	Name    string // unique among nodes and frames
	In      string // the frame that contains it; empty: none
	Beside  string // the earlier node in the same frame on whose right it is placed; empty: it has a place of its own
	Heading string // empty: none
	Lines   []string
	Note    string // shown when the pointer is on it; empty: the full texts, if they are shortened
	Fill    string // a colour; empty: white
	Stroke  string // a colour, drawn thick; empty: thin and grey
	Pill    bool   // the ends are round
}

// Edge is a line between two nodes or frames, with an arrow at its end. Several edges between the
// same two are side by side. An edge to a node that is beside another one must come from that one.
type Edge struct {
	From, To string
	ID       string // id of the SVG element; empty: none
	Colour   string // empty: grey
	Width    float64
	Room     float64 // width to keep free if the line may become wider than it is drawn
	Note     string  // shown when the pointer is on it
	Back     bool    // the arrow is at the line's beginning
	Hidden   bool
}

// SVG returns the network's layout as a picture that needs no other file. Texts are always shown as
// they are, never as markup. Errors are the caller's mistakes: a name that is used twice or does
// not exist, an edge that goes back.
func (n *Network) SVG() ([]byte, error) {
	p, err := n.lay()
	if err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	return p.svg(), nil
}
