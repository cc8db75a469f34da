package graph

// MACs counts the multiply-accumulates that a node takes for one sample: those of convolutions and fully connected layers, as
// their definition needs them. Other nodes count nothing, as is the habit in papers on this family of networks.
func (n *Node) MACs() int64 {
	switch n.op.(type) {
	case Conv, Linear:
		return int64(n.shape.Pixels()) * int64(n.params[0].Elements())
	}
	return 0
}
