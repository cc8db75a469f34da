// Package draw draws as SVG that needs no other file.
//
// [Figure] draws measured curves in panels (figure.go). [Graph] draws a network from its graph
// (graph.go): it describes a [Network] of boxes, frames and edges, which Network.SVG lays out
// (network.go, layout.go). A program may describe another Network itself.
package draw
