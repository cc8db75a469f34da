// Package turbojpeg decodes JPEG with the machine's libjpeg-turbo, which it loads at run time. The
// build needs neither the library nor cgo.
//
// It calls the library's libjpeg interface, not TurboJPEG's. TurboJPEG decodes only whole images
// (before 3.0), which takes as long as a program that cuts pieces out of photographs has for all of
// its work. With libjpeg's interface, rows above and columns beside a piece are parsed but not
// transformed, and rows below it are not read.
//
// [ReadHeader] refuses a file that the library may treat differently from Pillow, or differently in
// another version: truncated files, arithmetic coding, CMYK, rare samplings. A decoder in Go
// decides about these. A file that is damaged but complete is decoded as libjpeg does it, and so
// Pillow: the data before the damage count. A piece always has the same pixels as the whole image
// there.
package turbojpeg
