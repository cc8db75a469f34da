// Package draw makes pictures: measured curves (figure.go) and networks (network.go), as SVG that needs no other file.
package draw
