// Package auxhead is all about auxiliary classifiers: what a head is (Spec, Kind), how it is written on a command line
// (ParseSpecs), where it attaches (Attach), how its loss weight changes during a run (Schedule), and how it serves as an exit for
// images that it is sure of (Cascade, ExitRule, Curve).
//
// A head reads a node of the trunk and makes logits of its own; its loss joins the total with a weight. It lives under its
// name: the nodes of head "aux1" are aux1/conv/conv, aux1/fc2/bias, … and its loss is called "aux1". A plan made with
// Strip leaves all of that out.
package auxhead
