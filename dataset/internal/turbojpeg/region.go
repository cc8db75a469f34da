package turbojpeg

// Variable is the environment variable that names the library's file, or says that none is to be used.
const Variable = "TRIBUTARY_LIBJPEG"

// off is the variable's value for no library.
const off = "off"

// Region is a piece of an image, in pixels of the image at 1/Shrink of its size.
type Region struct {
	Y, X, H, W int
	Shrink     int // 1, 2, 4 or 8; 0 stands for 1
}

// margin is how many columns beside a region have a part in its interpolated chroma.
const margin = 2

// MoreColumns is how many columns at most are decoded beside a region: its margins, and up to a block of 16.
const MoreColumns = 2*margin + 15
