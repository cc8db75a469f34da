// Package draw draws measured curves (figure.go) and networks (network.go) as SVG that needs no
// other file.
package draw
