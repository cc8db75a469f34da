// Package auxhead is all about auxiliary classifiers: what a head is (Spec, Kind), how it is written on a command line
// (ParseSpecs), where it attaches (Attach), and how its loss weight changes during a run (Schedule). Package exits uses heads as
// early exits, package gradflow measures what their gradients do.
//
// A head reads a node of the trunk and makes logits of its own; its loss joins the total with a weight. It lives under its
// name: the nodes of head "aux1" are aux1/conv/conv, aux1/fc2/bias, … and its loss is called "aux1". A plan made with
// Strip leaves all of that out.
package auxhead
