package turbojpeg

// Variable is the environment variable that names the library's file, or turns the library off.
const Variable = "TRIBUTARY_LIBJPEG"

// off is the variable's value for no library.
const off = "off"

// Region is a piece of an image, in pixels of the image at 1/Shrink of its size.
type Region struct {
	Y, X, H, W int
	Shrink     int // 1, 2, 4 or 8; 0 stands for 1
}

// margin is the number of columns on each side of a region that influence its interpolated chroma.
const margin = 2

// MoreColumns is the maximum number of columns that are decoded beside a region: its margins, and
// up to a block of 16.
const MoreColumns = 2*margin + 15
