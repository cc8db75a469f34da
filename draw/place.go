package draw

import (
	"math"
	"slices"
)

// line is an edge with its layout.
type line struct {
	edge  *Edge
	from  point
	parts []part
}

// part is a piece of a line: straight, or a cubic Bézier curve.
type part struct {
	straight bool
	a, b     point // the curve's control points
	to       point
}

// near is a distance too small to be seen: closer points count as one.
const near = 0.01

func (l *line) end() point {
	if len(l.parts) == 0 {
		return l.from
	}
	return l.parts[len(l.parts)-1].to
}

func same(a, b float64) bool { return math.Abs(a-b) < near }

// straight continues the line straight to a point. It merges with a preceding part of the same
// direction.
func (l *line) straight(to point) {
	at := l.end()
	if distance(at, to) < near {
		return
	}
	if n := len(l.parts); n > 0 && l.parts[n-1].straight {
		before := l.from
		if n > 1 {
			before = l.parts[n-2].to
		}
		if same(before.x, at.x) && same(at.x, to.x) || same(before.y, at.y) && same(at.y, to.y) {
			l.parts[n-1].to = to
			return
		}
	}
	l.parts = append(l.parts, part{straight: true, to: to})
}

// swing continues the line down to a point, vertical at its beginning and its end.
func (l *line) swing(to point) {
	at := l.end()
	if same(at.x, to.x) {
		l.straight(point{at.x, to.y})
		return
	}
	y := (at.y + to.y) / 2
	l.parts = append(l.parts, part{a: point{at.x, y}, b: point{to.x, y}, to: to})
}

// across continues the line to a point on the right, horizontal at its beginning and its end.
func (l *line) across(to point) {
	at := l.end()
	if same(at.y, to.y) {
		l.straight(to)
		return
	}
	x := (at.x + to.x) / 2
	l.parts = append(l.parts, part{a: point{x, at.y}, b: point{x, to.y}, to: to})
}

// corners continues the line along straight lines between points, with rounded corners.
func (l *line) corners(points ...point) {
	for i, p := range points {
		if i == len(points)-1 {
			l.straight(p)
			return
		}
		at, next := l.end(), points[i+1]
		r := min(8, distance(at, p)/2, distance(p, next)/2)
		a, b := towards(p, at, r), towards(p, next, r)
		l.straight(a)
		l.parts = append(l.parts, part{a: towards(a, p, 0.55*r), b: towards(b, p, 0.55*r), to: b})
	}
}

func distance(a, b point) float64 { return math.Hypot(a.x-b.x, a.y-b.y) }

// towards returns the point at distance d from a towards b.
func towards(a, b point, d float64) point {
	whole := distance(a, b)
	if whole == 0 {
		return a
	}
	return point{a.x + (b.x-a.x)*d/whole, a.y + (b.y-a.y)*d/whole}
}

// place sets the positions of everything.
func (l *layout) place() *picture {
	p := &picture{}
	top := float64(margin)
	if l.Title != "" {
		p.title, _ = l.set.set(l.Title, titleSize, true, "#222222")
		top += titleSize*lineHeight + margin/2
	}
	root := l.root
	root.chooseColumns()
	turn := root.turnRoom()
	x := float64(margin)
	for n := range root.columns {
		c := &root.columns[n]
		if n > 0 {
			x += gutter + root.turnWidth(n-1)
		}
		c.axis = x + c.left
		x += c.left + c.right
		c.top = top + turn
		root.placeLayers(c.from, c.to, c.top, l.Up)
		last := c.to - 1
		if last >= 0 {
			c.bottom = root.starts[last] + root.heights[last]
		}
		p.height = max(p.height, c.bottom+turn+margin)
	}
	p.width = max(x+margin, p.title.width+2*margin)
	for _, r := range l.routes {
		p.lines = append(p.lines, l.draw(r))
	}
	for k := range l.Frames {
		p.frames = append(p.frames, l.items[l.Frames[k].Name])
	}
	for k := range l.Nodes {
		p.boxes = append(p.boxes, l.items[l.Nodes[k].Name])
	}
	if l.Up {
		p.turnOver(top - margin)
	}
	return p
}

// turnOver turns the drawing upside down, below the title.
func (p *picture) turnOver(title float64) {
	flip := func(q *point) { q.y = p.height - q.y + title }
	for _, i := range slices.Concat(p.frames, p.boxes) {
		i.box.y0, i.box.y1 = p.height-i.box.y1+title, p.height-i.box.y0+title
	}
	for k := range p.lines {
		flip(&p.lines[k].from)
		for n := range p.lines[k].parts {
			s := &p.lines[k].parts[n]
			flip(&s.a)
			flip(&s.b)
			flip(&s.to)
		}
	}
}

// placeLayers sets the positions of a range of a frame's layers, and of everything in them.
func (i *item) placeLayers(from, to int, y float64, up bool) {
	if i.starts == nil {
		i.starts = make([]float64, len(i.layers))
	}
	for k := from; k < to; k++ {
		if k > from || i.frame != nil {
			y += i.gaps[k]
		}
		i.starts[k] = y
		for _, p := range i.layers[k] {
			p.axis = i.origin(k) + p.offset
			h := p.height
			if p.frame != nil && p.frame.Lane {
				h = i.heights[k]
			}
			p.put(y+(i.heights[k]-h)/2, h, up)
		}
		y += i.heights[k]
	}
}

// put sets the position of an item whose axis is known.
func (i *item) put(top, height float64, up bool) {
	if i.node == nil {
		i.box = rect{i.axis - i.left, top, i.axis + i.right, top + height}
		y := top + (height-i.height)/2
		if !up {
			y += i.strip
		}
		i.placeLayers(0, len(i.layers), y, up)
		return
	}
	middle := top + height/2
	i.box = rect{i.axis - i.boxW/2, middle - i.boxH/2, i.axis + i.boxW/2, middle + i.boxH/2}
	high := -float64(stackGap)
	for _, b := range i.beside {
		high += b.boxH + stackGap
	}
	y := middle - high/2
	for _, b := range i.beside {
		x := i.box.x1 + besideGap
		b.box = rect{x, y, x + b.boxW, y + b.boxH}
		y += b.boxH + stackGap
	}
}

// origin returns the position of the axis in a layer.
func (i *item) origin(layer int) float64 {
	for _, c := range i.columns {
		if layer >= c.from && layer < c.to {
			return c.axis
		}
	}
	return i.axis
}

// draw draws an edge along its route.
func (l *layout) draw(r route) line {
	out := line{edge: r.edge}
	if len(r.links) == 0 { // to a node beside it
		a, b := r.from.box, r.to.box
		out.from = point{a.x1, a.centre().y + r.shift}
		out.across(point{b.x0, b.centre().y + r.shift})
		return out
	}
	first := r.links[0]
	out.from = point{r.frames[0].origin(first.a) + first.x(first.a) + r.shift, first.from.box.y1}
	for n, k := range r.links {
		r.frames[n].follow(&out, k, r.shift)
	}
	return out
}

// follow continues a line along a link.
func (i *item) follow(out *line, k *link, shift float64) {
	n := len(i.layers)
	x := func(layer int) float64 { return i.origin(min(max(layer, 0), max(n-1, 0))) + k.x(layer) + shift }
	bottom := func(layer int) float64 {
		if layer < 0 {
			return i.starts[0] - i.gaps[0]
		}
		return i.starts[layer] + i.heights[layer]
	}
	if c := i.columnOf(k.a); c != i.columnOf(k.b) {
		// The line goes down, along below the column, up between the columns, along above the next
		// column, and down. Lines side by side stay so.
		from, to := i.columns[c], i.columns[c+1]
		gap := from.axis + from.right + (gutter+i.turnWidth(c))/2 - shift
		room := i.turnRoom()
		out.corners(point{x(k.a), from.bottom + room/2 - shift}, point{gap, from.bottom + room/2 - shift},
			point{gap, to.top - room/2 - shift}, point{x(k.b), to.top - room/2 - shift}, point{x(k.b), k.to.box.y0})
		return
	}
	out.straight(point{x(k.a), bottom(k.a)})
	if k.b-k.a > 1 {
		out.swing(point{x(k.a + 1), i.starts[k.a+1]})
		out.straight(point{x(k.a + 1), bottom(k.b - 1)})
	}
	if k.to == nil {
		out.swing(point{x(k.b), bottom(n-1) + i.gaps[n]})
		out.straight(point{x(k.b), i.box.y1})
		return
	}
	out.swing(point{x(k.b), i.starts[k.b]})
	out.straight(point{x(k.b), k.to.box.y0})
}

// columnOf returns the column of a layer in the drawing as a whole, and 0 in a frame.
func (i *item) columnOf(layer int) int {
	for n, c := range i.columns {
		if layer >= c.from && layer < c.to {
			return n
		}
	}
	return 0
}

// turnWidth returns the width of the lines that go on from a column to the next.
func (i *item) turnWidth(column int) float64 {
	width := 0.0
	for _, k := range i.links {
		if i.columnOf(k.a) == column && i.columnOf(k.b) != column {
			width = max(width, k.width)
		}
	}
	return width
}

// turnRoom returns the height that lines between columns need above and below the columns.
func (i *item) turnRoom() float64 {
	room := 0.0
	for n := range len(i.columns) - 1 {
		room = max(room, i.turnWidth(n)+2*layerGap)
	}
	return room
}

// The page or screen for which the shape of drawings is chosen.
const pageWidth, pageHeight = 1500, 1000

// chooseColumns breaks a long drawing into columns, between layers that a single link joins. It
// chooses the fewest columns with which the drawing is nearly as large on a page as possible.
func (i *item) chooseColumns() {
	whole := i.column(0, len(i.layers))
	best, scale := []column{whole}, pageScale([]column{whole})
	for n := 2; n <= 12; n++ {
		c := i.divide(n)
		if s := pageScale(c); s > 1.1*scale {
			best, scale = c, s
		}
	}
	i.columns = best
}

func pageScale(columns []column) float64 {
	width, height := 0.0, 0.0
	for _, c := range columns {
		width += c.left + c.right + gutter
		height = max(height, c.bottom)
	}
	return min(1, pageWidth/width, pageHeight/height)
}

// column returns a range of layers as a column whose top is at 0.
func (i *item) column(from, to int) column {
	c := column{from: from, to: to}
	for n := from; n < to; n++ {
		for _, p := range i.layers[n] {
			c.left, c.right = max(c.left, p.left-p.offset), max(c.right, p.offset+p.right)
		}
		if n > from {
			c.bottom += i.gaps[n]
		}
		c.bottom += i.heights[n]
	}
	for _, k := range i.links {
		if k.b-k.a > 1 && k.a >= from && k.a < to {
			c.left, c.right = max(c.left, k.width/2-k.bus), max(c.right, k.bus+k.width/2)
		}
	}
	return c
}

// divide returns up to n columns of the least possible height.
func (i *item) divide(n int) []column {
	low, high := 0.0, i.column(0, len(i.layers)).bottom
	best := i.fill(high)
	for range 30 {
		middle := (low + high) / 2
		if c := i.fill(middle); c != nil && len(c) <= n {
			best, high = c, middle
		} else {
			low = middle
		}
	}
	return best
}

// fill fills columns of the given height one after another. It returns nil if something does not
// fit.
func (i *item) fill(height float64) (out []column) {
	for from := 0; from < len(i.layers); {
		to := -1
		for n := from + 1; n <= len(i.layers) && i.column(from, n).bottom <= height; n++ {
			if i.divisible(n) {
				to = n
			}
		}
		if to < 0 {
			return nil
		}
		out = append(out, i.column(from, to))
		from = to
	}
	return out
}

// divisible reports whether a column can end before layer n: at the end, or if a single link leads
// on, to the next layer.
func (i *item) divisible(n int) bool {
	if n == len(i.layers) {
		return true
	}
	count := 0
	for _, k := range i.links {
		if k.a < n && k.b >= n {
			count++
			if k.b-k.a > 1 {
				return false
			}
		}
	}
	return count == 1
}
