package graph

import "fmt"

// schedule orders the nodes that the plan needs. The trunk (the nodes that the first loss needs)
// keeps its order of creation. The nodes of a head follow directly after the node that the head
// reads. So in the reverse sweep the trunk's gradient reaches that node first and stores, the
// head's gradient accumulates, and the activations of a head live for a short time.
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
		if _, ok := n.op.(Input); ok {
			past = fmt.Errorf("graph: the plan cannot start at %s: what it computes does not all lead through there; start at a node that all paths lead through, such as a module's output", c.opts.From)
		}
		for _, x := range n.in {
			x = c.skipDropout(x)
			c.ins[n] = append(c.ins[n], x)
			visit(x)
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
	c.reserved = map[*Node]bool{}
	for _, l := range c.plan.Losses {
		c.reserved[l.Logits] = true
	}
	for _, n := range watched {
		c.reserved[n] = true
	}
	trunk := map[*Node]bool{}
	for i, l := range c.plan.Losses {
		visit(l.Logits)
		if i == 0 {
			for n := range live {
				trunk[n] = true
			}
		}
	}
	for _, n := range watched {
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
	c.position = map[*Node]int{}
	known := func(n *Node) bool { _, ok := c.position[n]; return ok }
	ready := func(n *Node) bool {
		for _, x := range c.ins[n] {
			if !known(x) {
				return false
			}
		}
		return true
	}
	var add func(n *Node)
	add = func(n *Node) {
		c.position[n] = len(c.order)
		c.order = append(c.order, n)
		for _, m := range c.readers[n] {
			if !trunk[m] && !known(m) && ready(m) {
				add(m)
			}
		}
	}
	for _, n := range c.g.nodes {
		if live[n] && !known(n) && ready(n) {
			add(n)
		}
	}
	return nil
}

// sole returns the only reader of a node. It returns nil if there are several readers, or if the
// node is reserved.
func (c *compiler) sole(n *Node) *Node {
	if r := c.readers[n]; len(r) == 1 && !c.reserved[n] {
		return r[0]
	}
	return nil
}
