package graph

// fuse decides which steps compute several nodes. It applies the fusion rules of the operations,
// such as epilogues of convolutions and slices of concatenations, and then groups sibling
// convolutions.
func (c *compiler) fuse() {
	c.fusion, c.merged = map[*Node]fusion{}, map[*Node]bool{}
	c.outOf, c.sliceOf = map[*Node]*Node{}, map[*Node]concatSlice{}
	for _, n := range c.order {
		if o, ok := n.op.(fuser); ok && n != c.source {
			o.fuse(c, n)
		}
	}
	c.groupSiblings()
}

func (c *compiler) reluAfter(n *Node) *Node {
	if r := c.sole(n); r != nil {
		if _, ok := r.op.(ReLU); ok {
			return r
		}
	}
	return nil
}

// absorb lets the step of n also compute its reader m, into the memory of m.
func (c *compiler) absorb(n, m *Node) {
	c.merged[m] = true
	c.outOf[n] = m
}

// absorbed reports whether the step of another node computes this node.
func (c *compiler) absorbed(n *Node) bool { return c.merged[n] }

// keeps reports whether Keep names a node. The activation of such a node stays dense, in memory of
// its own.
func (o Options) keeps(n *Node, g *Graph) bool {
	for _, k := range o.Keep {
		if m, err := g.Find(k); err == nil && m == n {
			return true
		}
	}
	return false
}
