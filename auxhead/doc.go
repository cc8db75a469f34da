// Package auxhead defines auxiliary classifiers: what a head is (Spec, Kind), how a command line
// writes it (ParseSpecs), where it attaches (Attach), and how its loss weight changes during a run
// (Schedule). Package exits uses heads as early exits, and package gradflow measures what their
// gradients do.
//
// A head reads a node of the trunk and computes logits of its own. Its loss is added to the total
// with a weight. The names of its parts begin with its name: the nodes of head "aux1" are
// aux1/conv/conv, aux1/fc2/bias, …, and its loss is called "aux1". A plan with the options that
// Strip returns contains none of these.
package auxhead
