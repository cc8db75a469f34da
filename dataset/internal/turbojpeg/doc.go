// Package turbojpeg decodes JPEG with the machine's libjpeg-turbo, which it loads at run time: nothing is needed to build, with cgo or
// without.
//
// It calls the library's libjpeg interface, not TurboJPEG's. That one decodes whole images only (before 3.0), which takes as long as a
// program that cuts pieces out of photographs has for everything. Here rows above and columns beside a piece are parsed but not
// transformed, and rows below it are not read.
//
// A file that the library may treat otherwise than Pillow does, or otherwise in another version, is refused ([ReadHeader]), and a
// decoder in Go decides about it: truncated files, arithmetic coding, CMYK, rare samplings. What is damaged but complete is decoded as
// libjpeg does it, and so Pillow, that is with what came before the damage; a piece is always what the whole image has there.
package turbojpeg
