package augment_test

import (
	"fmt"

	"github.com/tributary-ml/tributary/augment"
)

// A recipe says how an image is made from the pixels of a region: here rows and columns are halved,
// and the right half is painted grey.
func ExampleResampler() {
	region := make([]byte, 8*8)
	for i := range region {
		region[i] = byte(10 * (i / 8)) // rows of 0, 10, 20, …
	}
	r := augment.Recipe{Rows: augment.Resized(8, 4), Cols: augment.Resized(8, 4),
		Patch: augment.Patch{Y0: 0, X0: 2, Y1: 4, X1: 4, Colour: [3]byte{128}}}
	image := make([]byte, 4*4)
	var s augment.Resampler
	s.Render(image, 4, 4, 1, &r, region)
	for y := range 4 {
		fmt.Println(image[4*y : 4*y+4])
	}
	// Output:
	// [7 7 128 128]
	// [25 25 128 128]
	// [45 45 128 128]
	// [63 63 128 128]
}
