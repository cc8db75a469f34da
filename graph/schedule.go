package graph

import "fmt"

// schedule orders the nodes that the plan needs. The trunk (what the first loss needs) keeps its order of creation, and every
// head follows the node that it reads at once. So in the reverse sweep the trunk's gradient reaches a node before the head's,
// stores, and the head's accumulates; and a head's activations live shortly.
func (c *compiler) schedule() error {
	c.ins = map[*Node][]*Node{}
	live := map[*Node]bool{}
	var past error
	var visit func(n *Node)
	visit = func(n *Node) {
		if live[n] {
			return
		}
		live[n] = true
		if n == c.source {
			return
		}
		for _, x := range n.in {
			x = c.skipDropout(x)
			c.ins[n] = append(c.ins[n], x)
			if _, ok := x.op.(Input); ok && x != c.source {
				past = fmt.Errorf("graph: the plan cannot start at %s: %s reads the images past it; start at a node that all paths lead through, such as a module's output", c.opts.From, n.name)
				continue
			}
			visit(x)
		}
	}
	c.reserved = map[*Node]bool{}
	trunk := map[*Node]bool{}
	for i, l := range c.plan.Losses {
		c.reserved[l.Logits] = true
		visit(l.Logits)
		if i == 0 {
			for n := range live {
				trunk[n] = true
			}
		}
	}
	watched, err := c.findProbes()
	if err != nil {
		return err
	}
	for _, name := range c.opts.Keep {
		n, err := c.g.Find(name)
		if err != nil {
			return err
		}
		watched = append(watched, n)
	}
	for _, n := range watched {
		c.reserved[n] = true
		visit(n)
	}
	if past != nil {
		return past
	}
	c.readers = map[*Node][]*Node{}
	for _, n := range c.g.nodes {
		if live[n] {
			for _, x := range c.ins[n] {
				c.readers[x] = append(c.readers[x], n)
			}
		}
	}
	placed := map[*Node]bool{}
	ready := func(n *Node) bool {
		for _, x := range c.ins[n] {
			if !placed[x] {
				return false
			}
		}
		return true
	}
	var place func(n *Node)
	place = func(n *Node) {
		placed[n] = true
		c.order = append(c.order, n)
		for _, m := range c.readers[n] {
			if !trunk[m] && !placed[m] && ready(m) {
				place(m)
			}
		}
	}
	for _, n := range c.g.nodes {
		if live[n] && !placed[n] && ready(n) {
			place(n)
		}
	}
	return nil
}

func (c *compiler) skipDropout(n *Node) *Node {
	for {
		d, ok := n.op.(Dropout)
		if !ok || c.opts.Training && !c.opts.NoDropout && d.P > 0 {
			return n
		}
		n = n.in[0]
	}
}

// sole returns the only reader of a node, if the node's output is for nobody else.
func (c *compiler) sole(n *Node) *Node {
	if r := c.readers[n]; len(r) == 1 && !c.reserved[n] {
		return r[0]
	}
	return nil
}
