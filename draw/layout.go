package draw

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Measures of a drawing, in pixels.
const (
	textSize, smallSize, titleSize = 11, 9.5, 16.0
	lineHeight                     = 1.25 // of a text, relative to its size
	padX, padY                     = 10, 6
	laneGap, nodeGap               = 10, 18
	besideGap, stackGap            = 26, 8
	framePad, lanePad              = 12, 8
	layerGap                       = 20 // minimum distance between layers: room for an arrow
	busGap                         = 14
	gutter                         = 44 // between columns
	margin                         = 16
	arrowLength, arrowWidth        = 7.5, 6.5
	lineGap                        = 3 // between lines side by side
)

type point struct{ x, y float64 }

type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) centre() point { return point{(r.x0 + r.x1) / 2, (r.y0 + r.y1) / 2} }

// item is a node or a frame in the layout. It has a place in a layer of the frame that contains it.
// Lines enter and leave at its axis.
type item struct {
	name        string
	in          *item
	depth       int
	node        *Node  // nil for a frame
	frame       *Frame // nil for a node and for the drawing as a whole
	texts       []text // texts of the node, or the frame's label
	note        string
	boxW, boxH  float64 // size of the node
	beside      []*item // nodes to the right of a node
	left, right float64 // distances from the axis
	height      float64
	offset      float64 // of its axis from the axis of the frame that contains it
	axis        float64 // position of its axis
	box         rect    // where the node or the frame is drawn

	// Only for frames:
	parts   []*item
	layers  [][]*item
	layer   map[*item]int
	links   []*link
	between map[[2]*item]*link
	heights []float64 // of the layers
	gaps    []float64 // space before each layer, and after the last one
	starts  []float64 // top of each layer
	strip   float64   // height for the label
	columns []column  // of the drawing as a whole
}

// column is a range of layers in a drawing that is too long for one column.
type column struct {
	from, to    int // layers
	left, right float64
	axis        float64
	top, bottom float64
}

// link is a connection within a frame between two of its parts. All lines between the two follow
// it. Its from is nil if it begins at the frame's entry, and its to is nil if it ends at the
// frame's exit.
type link struct {
	from, to *item
	a, b     int     // layers: -1 for the entry, one past the last for the exit
	bus      float64 // position where it passes the layers between them
	end      float64 // position of its end, relative to the axis
	width    float64 // width of all its lines
	widest   float64 // width of its widest line
}

// picture is a drawing with its layout.
type picture struct {
	title         text
	width, height float64
	frames, boxes []*item
	lines         []line
}

type layout struct {
	*Network
	set    *typesetter
	root   *item
	items  map[string]*item
	order  map[*item]int
	routes []route
}

// route is the course of an edge: up out of the frames around its beginning, along one link, and
// down into the frames around its end.
type route struct {
	edge   *Edge
	from   *item
	to     *item
	links  []*link
	frames []*item // frames of the links
	shift  float64 // distance from the middle of the lines between the same two ends
}

func (n *Network) lay() (*picture, error) {
	set, err := newTypesetter()
	if err != nil {
		return nil, err
	}
	l := &layout{Network: n, set: set, items: map[string]*item{}, order: map[*item]int{}}
	if err := l.read(); err != nil {
		return nil, err
	}
	if err := l.connect(); err != nil {
		return nil, err
	}
	l.measure(l.root)
	return l.place(), nil
}

// read makes items of frames and nodes.
func (l *layout) read() error {
	l.root = &item{}
	add := func(i *item, in string) error {
		if i.name == "" || l.items[i.name] != nil {
			return fmt.Errorf("%q is there twice, or has no name", i.name)
		}
		i.in = l.root
		if in != "" {
			if i.in = l.items[in]; i.in == nil || i.in.frame == nil {
				return fmt.Errorf("%q is in %q, which is no earlier frame", i.name, in)
			}
		}
		i.depth = i.in.depth + 1
		l.items[i.name] = i
		l.order[i] = len(l.order)
		return nil
	}
	for k := range l.Frames {
		f := &l.Frames[k]
		i := &item{name: f.Name, frame: f}
		if err := add(i, f.In); err != nil {
			return err
		}
		size, colour := float64(textSize), "#333333"
		if f.Lane {
			size, colour = smallSize, "#777777"
		}
		label, shortened := l.set.set(f.Label, size, !f.Lane, colour)
		if shortened {
			i.note = f.Label
		}
		if f.Label != "" {
			i.texts = []text{label}
			i.strip = size*lineHeight + 4
		}
	}
	for k := range l.Nodes {
		n := &l.Nodes[k]
		i := &item{name: n.Name, node: n, note: n.Note}
		if err := add(i, n.In); err != nil {
			return err
		}
		for f := i.in; f != l.root; f = f.in { // a frame's place in the order is that of its first node
			if len(f.parts) == 0 {
				l.order[f] = l.order[i]
			}
		}
		l.size(i)
		if n.Beside == "" {
			l.join(i)
			continue
		}
		host := l.items[n.Beside]
		if host == nil || host.node == nil || host.node.Beside != "" || host.in != i.in {
			return fmt.Errorf("%q is beside %q, which is no earlier node with a place of its own in the same frame", n.Name, n.Beside)
		}
		host.beside = append(host.beside, i)
	}
	return nil
}

// join adds an item to the frame that contains it, and so on for the frames around it, until one
// has been added before.
func (l *layout) join(i *item) {
	for ; i != l.root && !slices.Contains(i.in.parts, i); i = i.in {
		i.in.parts = append(i.in.parts, i)
	}
}

// size measures a node's texts.
func (l *layout) size(i *item) {
	n := i.node
	add := func(words string, size float64, bold bool, colour string) {
		t, shortened := l.set.set(words, size, bold, colour)
		if shortened && n.Note == "" {
			i.note = strings.Join(append([]string{n.Heading}, n.Lines...), "\n")
		}
		i.texts = append(i.texts, t)
		i.boxW = max(i.boxW, t.width+2*padX)
		i.boxH += size * lineHeight
	}
	if n.Heading != "" {
		add(n.Heading, textSize, true, "#222222")
	}
	for _, words := range n.Lines {
		add(words, smallSize, false, "#333333")
	}
	i.boxH += 2 * padY
	if n.Pill {
		i.boxW += i.boxH / 2
	}
}

// connect finds the route of every edge.
func (l *layout) connect() error {
	bundles := map[[2]*item][]int{}
	var keys [][2]*item
	for k := range l.Edges {
		e := &l.Edges[k]
		u, v := l.items[e.From], l.items[e.To]
		if u == nil || v == nil {
			return fmt.Errorf("a line goes from %q to %q, of which one is not there", e.From, e.To)
		}
		r := route{edge: e, from: u, to: v}
		if v.node == nil || v.node.Beside == "" {
			if u.node != nil && u.node.Beside != "" {
				return fmt.Errorf("a line leaves %q, which is beside %q", e.From, u.node.Beside)
			}
			if err := l.find(&r); err != nil {
				return err
			}
		} else if v.node.Beside != e.From {
			return fmt.Errorf("a line goes from %q to %q, which is beside %q", e.From, e.To, v.node.Beside)
		}
		key := [2]*item{u, v}
		if bundles[key] == nil {
			keys = append(keys, key)
		}
		bundles[key] = append(bundles[key], len(l.routes))
		l.routes = append(l.routes, r)
	}
	for _, key := range keys {
		total := -float64(lineGap)
		for _, k := range bundles[key] {
			total += l.routes[k].room() + lineGap
		}
		at := -total / 2
		for _, k := range bundles[key] {
			r := &l.routes[k]
			r.shift = at + r.room()/2
			at += r.room() + lineGap
			if len(r.links) == 0 { // to a node beside it
				r.from.boxH, r.to.boxH = max(r.from.boxH, total+2*padY), max(r.to.boxH, total+2*padY)
			}
			for _, k := range r.links {
				k.width, k.widest = max(k.width, total), max(k.widest, r.edge.Width, r.edge.Room)
			}
		}
	}
	return nil
}

// room returns the width that a line needs: its own, and most of its arrow's.
func (r *route) room() float64 {
	width := max(r.edge.Room, r.edge.Width)
	return max(width, 0.8*arrowWidth*arrowScale(width))
}

// find lists the links of a route.
func (l *layout) find(r *route) error {
	u, v := r.from, r.to
	var down []*item // the parts at the end, the innermost first; each is entered from its frame's entry
	var up []*item
	for u.depth > v.depth {
		up, u = append(up, u), u.in
	}
	for v.depth > u.depth {
		down, v = append(down, v), v.in
	}
	for u.in != v.in {
		up, u = append(up, u), u.in
		down, v = append(down, v), v.in
	}
	if u == v {
		return fmt.Errorf("a line goes from %q to %q, of which one is in the other", r.edge.From, r.edge.To)
	}
	if l.order[u] > l.order[v] {
		return fmt.Errorf("a line goes back from %q to %q", r.edge.From, r.edge.To)
	}
	for _, x := range up {
		r.take(x.in, x, nil)
	}
	r.take(u.in, u, v)
	for _, x := range slices.Backward(down) {
		r.take(x.in, nil, x)
	}
	return nil
}

// take adds a link of a frame to a route.
func (r *route) take(frame, from, to *item) {
	if frame.between == nil {
		frame.between = map[[2]*item]*link{}
	}
	k := frame.between[[2]*item{from, to}]
	if k == nil {
		k = &link{from: from, to: to}
		frame.between[[2]*item{from, to}] = k
		frame.links = append(frame.links, k)
	}
	r.links, r.frames = append(r.links, k), append(r.frames, frame)
}

// measure lays out the content of an item and computes the item's size.
func (l *layout) measure(i *item) {
	if i.node != nil {
		l.measureNode(i)
		return
	}
	slices.SortStableFunc(i.parts, func(a, b *item) int { return cmp.Compare(l.order[a], l.order[b]) })
	i.assignLayers()
	for _, p := range i.parts {
		in, out := 0.0, 0.0
		for _, k := range i.links {
			if k.to == p {
				in += k.width + lineGap
			}
			if k.from == p {
				out = max(out, k.width)
			}
		}
		if p.node != nil { // a box is as wide as the lines that end at it
			p.boxW = max(p.boxW, in+2*padX, out+2*padX)
		}
		l.measure(p)
		for _, k := range i.links {
			if p.frame != nil && (k.from == p || k.to == p) {
				p.left, p.right = max(p.left, k.width/2+padX), max(p.right, k.width/2+padX)
			}
		}
	}
	i.placeParts()
	i.placePorts()
	i.placeBuses()
	i.measureHeights()
	if i == l.root {
		return
	}
	pad := float64(framePad)
	if i.frame.Lane {
		pad = lanePad
	}
	for _, layer := range i.layers {
		for _, p := range layer {
			i.left, i.right = max(i.left, p.left-p.offset), max(i.right, p.offset+p.right)
		}
	}
	for _, k := range i.links {
		if k.b-k.a > 1 {
			i.left, i.right = max(i.left, k.width/2-k.bus), max(i.right, k.bus+k.width/2)
		}
	}
	i.left, i.right = i.left+pad, i.right+pad
	if len(i.texts) > 0 { // left of the lines that enter
		half := 0.0
		for _, k := range i.links {
			if k.from == nil || k.to == nil {
				half = max(half, k.width/2)
			}
		}
		i.left = max(i.left, i.texts[0].width+2*lanePad+half)
	}
}

func (l *layout) measureNode(i *item) {
	i.left, i.right, i.height = i.boxW/2, i.boxW/2, i.boxH
	if len(i.beside) == 0 {
		return
	}
	wide, high := 0.0, -float64(stackGap)
	for _, b := range i.beside {
		wide, high = max(wide, b.boxW), high+b.boxH+stackGap
	}
	i.right += besideGap + wide
	i.height = max(i.height, high)
}

// assignLayers puts every part below all parts that it reads, and orders each layer by what its
// parts read.
func (i *item) assignLayers() {
	i.layer = map[*item]int{}
	count := 0
	for _, p := range i.parts { // all links go forward in this order
		for _, k := range i.links {
			if k.to == p && k.from != nil {
				i.layer[p] = max(i.layer[p], i.layer[k.from]+1)
			}
		}
		count = max(count, i.layer[p]+1)
	}
	i.layers = make([][]*item, count)
	for _, p := range i.parts {
		i.layers[i.layer[p]] = append(i.layers[i.layer[p]], p)
	}
	for _, k := range i.links {
		k.a, k.b = -1, count
		if k.from != nil {
			k.a = i.layer[k.from]
		}
		if k.to != nil {
			k.b = i.layer[k.to]
		}
	}
	at := map[*item]float64{}
	for _, layer := range i.layers {
		want := map[*item]float64{}
		for n, p := range layer {
			sum, found := 0.0, 0
			for _, k := range i.links {
				if k.to == p && k.from != nil {
					sum, found = sum+at[k.from], found+1
				}
			}
			want[p] = (float64(n) + 0.5) / float64(len(layer))
			if found > 0 {
				want[p] = sum / float64(found)
			}
		}
		slices.SortStableFunc(layer, func(a, b *item) int { return cmp.Compare(want[a], want[b]) })
		for n, p := range layer {
			at[p] = (float64(n) + 0.5) / float64(len(layer))
		}
	}
}

// placeParts sets the axes of the parts. Each layer is centred on the frame's axis. A part that is
// alone in its layer has its own axis there.
func (i *item) placeParts() {
	for _, layer := range i.layers {
		x := 0.0
		for n, p := range layer {
			if n > 0 {
				x += nodeGap
				if p.frame != nil && p.frame.Lane {
					x += laneGap - nodeGap
				}
			}
			p.offset = x + p.left
			x += p.left + p.right
		}
		middle := x / 2
		if len(layer) == 1 {
			middle = layer[0].offset
		}
		for _, p := range layer {
			p.offset -= middle
		}
	}
}

// placePorts spreads the ends of lines over the width of a box, in the order in which they come.
// Frames have a single entry.
func (i *item) placePorts() {
	for _, p := range i.parts {
		if p.node == nil {
			continue
		}
		var in []*link
		width := -float64(lineGap)
		for _, k := range i.links {
			if k.to == p {
				in = append(in, k)
				width += k.width + lineGap
			}
		}
		if len(in) < 2 {
			continue
		}
		slices.SortStableFunc(in, func(a, b *link) int { return cmp.Compare(a.source(), b.source()) })
		room := p.boxW - 2*padX
		extra := min(16, (room-width)/float64(len(in)-1)) // negative if there is too little room
		at := -(width + extra*float64(len(in)-1)) / 2
		var straight *link // the line that goes straight on if the others leave room for it
		for _, k := range in {
			k.end = at + k.width/2
			at += k.width + lineGap + extra
			if k.b-k.a == 1 && same(k.x(k.a), p.offset) {
				straight = k
			}
		}
		if straight == nil {
			continue
		}
		shift := -straight.end
		if first, last := in[0], in[len(in)-1]; max(last.end+shift+last.width/2, first.width/2-first.end-shift) <= p.boxW/2-padY {
			for _, k := range in {
				k.end += shift
			}
		}
	}
}

// source returns where a link comes from, for sorting. Lines that pass layers come from the right.
func (k *link) source() float64 {
	switch {
	case k.b-k.a > 1:
		return math.Inf(1)
	case k.from == nil:
		return 0
	}
	return k.from.offset
}

// placeBuses sets where links pass the layers between their ends: right of everything in those
// layers.
func (i *item) placeBuses() {
	taken := make([]float64, len(i.layers))
	for n, layer := range i.layers {
		for _, p := range layer {
			taken[n] = max(taken[n], p.offset+p.right)
		}
	}
	var long []*link
	for _, k := range i.links {
		if k.b-k.a > 1 {
			long = append(long, k)
		}
	}
	slices.SortStableFunc(long, func(a, b *link) int { return cmp.Compare(a.b-a.a, b.b-b.a) }) // short links are inside
	for _, k := range long {
		x := 0.0
		for n := k.a + 1; n < k.b; n++ {
			x = max(x, taken[n])
		}
		k.bus = x + busGap + k.width/2
		for n := k.a + 1; n < k.b; n++ {
			taken[n] = k.bus + k.width/2
		}
	}
}

// measureHeights sets the heights of layers, and the gaps around them, which are wider if lines go
// far to the side.
func (i *item) measureHeights() {
	n := len(i.layers)
	i.heights, i.gaps = make([]float64, n), make([]float64, n+1)
	for k, layer := range i.layers {
		for _, p := range layer {
			i.heights[k] = max(i.heights[k], p.height)
		}
	}
	pad := 0.0
	if i.frame != nil {
		pad = framePad
		if i.frame.Lane {
			pad = lanePad
		}
	}
	for g := range i.gaps {
		far, lines, arrow := 0.0, false, arrowLength
		for _, k := range i.links {
			if g <= k.a || g > k.b {
				continue
			}
			lines = true
			far = max(far, math.Abs(k.x(g)-k.x(g-1)))
			arrow = max(arrow, arrowLength*arrowScale(k.widest))
		}
		switch edge := g == 0 || g == n; {
		case !edge || far > 1:
			i.gaps[g] = layerGap + min(22, far/12) + arrow - arrowLength
		case lines:
			i.gaps[g] = max(pad, arrow+2)
		default:
			i.gaps[g] = pad
		}
	}
	i.height = i.strip
	for _, h := range i.heights {
		i.height += h
	}
	for _, g := range i.gaps {
		i.height += g
	}
}

// x returns the position of a link at a layer in which it begins or ends, or that it passes.
func (k *link) x(layer int) float64 {
	switch {
	case layer <= k.a:
		if k.from == nil {
			return 0
		}
		return k.from.offset
	case layer >= k.b:
		if k.to == nil {
			return 0
		}
		return k.to.offset + k.end
	}
	return k.bus
}
