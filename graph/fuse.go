package graph

// fuse decides what runs inside what: epilogues of convolutions, ReLU inside batch normalisation, slices of concatenations, and
// sibling convolutions.
func (c *compiler) fuse() {
	c.fusion, c.merged = map[*Node]fusion{}, map[*Node]bool{}
	c.outOf, c.sliceOf = map[*Node]*Node{}, map[*Node]concatSlice{}
	f := c.opts.Fusions
	for _, n := range c.order {
		if n == c.source {
			continue
		}
		switch n.op.(type) {
		case Conv, Linear:
			c.fuseEpilogue(n)
		case BatchNorm:
			if r := c.reluAfter(n); r != nil && f.NormReLU && !c.merged[n] {
				u := c.fusion[n]
				u.relu = r
				c.fusion[n] = u
				c.absorb(n, r)
			}
		case Add:
			c.fuseSum(n)
		case Concat:
			c.assignSlots(n)
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

// absorb lets the step of n also compute its reader m, into m's memory.
func (c *compiler) absorb(n, m *Node) {
	c.merged[m] = true
	c.outOf[n] = m
}

// absorbed says whether another node's step computes this node.
func (c *compiler) absorbed(n *Node) bool { return c.merged[n] }

func (c *compiler) fuseEpilogue(n *Node) {
	var u fusion
	cur := n
	if m := c.sole(cur); m != nil && c.opts.Fusions.Epilogue {
		if _, ok := m.op.(AddBias); ok {
			u.bias = m
			c.absorb(cur, m)
			cur = m
		}
	}
	if m := c.sole(cur); m != nil && u.bias == nil {
		if _, ok := m.op.(BatchNorm); ok {
			switch {
			case c.opts.Training && c.opts.Fusions.Sums:
				u.bn = m
				v := c.fusion[m]
				v.sums = true
				c.fusion[m] = v
			case !c.opts.Training && c.opts.Fusions.Epilogue:
				u.bn = m
				c.absorb(cur, m)
				cur = m
			}
		}
	}
	if r := c.reluAfter(cur); r != nil && c.opts.Fusions.Epilogue && (u.bn == nil || !c.opts.Training) {
		u.relu = r
		c.absorb(cur, r)
	}
	c.fusion[n] = u
}

// fuseSum gives a sum the factors of its inputs, and the ReLU behind it.
func (c *compiler) fuseSum(n *Node) {
	if !c.opts.Fusions.Residual {
		return
	}
	for _, x := range c.ins[n] {
		if _, ok := x.op.(Scale); ok && x != c.source && c.sole(x) == n {
			c.merged[x] = true
		}
	}
	if r := c.reluAfter(n); r != nil {
		c.fusion[n] = fusion{relu: r}
		c.absorb(n, r)
	}
}

// assignSlots lets the inputs of a concatenation write into its buffer.
func (c *compiler) assignSlots(n *Node) {
	for i, x := range c.ins[n] {
		if _, taken := c.sliceOf[x]; !taken && x != c.source && !(c.reserved[x] && c.opts.keeps(x, c.g)) {
			c.sliceOf[x] = concatSlice{n, i}
		}
	}
}

// keeps says whether a node's activation is kept: then it stays dense, in memory of its own.
func (o Options) keeps(n *Node, g *Graph) bool {
	for _, k := range o.Keep {
		if m, err := g.Find(k); err == nil && m == n {
			return true
		}
	}
	return false
}

// groupSiblings finds 1×1 convolutions that read one input with the same stride.
func (c *compiler) groupSiblings() {
	c.groups = map[*Node][]*Node{}
	type key struct {
		in  *Node
		win Window
	}
	found := map[key][]*Node{}
	for _, n := range c.order {
		if o, ok := n.op.(Conv); ok && n != c.source && o.H == 1 && o.W == 1 && c.opts.Fusions.Siblings {
			k := key{c.in(n, 0), o.Window}
			found[k] = append(found[k], n)
		}
	}
	for _, group := range found {
		for _, n := range group {
			c.groups[n] = group
		}
	}
}

// siblings is the group of a convolution, in order; the first member's step computes all.
func (c *compiler) siblings(n *Node) []*Node {
	if g := c.groups[n]; g != nil {
		return g
	}
	return []*Node{n}
}
